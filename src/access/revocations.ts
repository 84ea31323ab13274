/**
 * What was taken back, as one worker knows it: the table of the store (store/revocations.ts), read again when
 * it has changed. Asked for every grant that is used; without an entry that costs one look at shared memory.
 */
import type { Grant } from "../config/grant/grant.ts";
import type { RevokedMark, RevokedTable, RevokeOutcome } from "../store/revocations.ts";
import { digestOf } from "./digest.ts";

/** What is taken back: everything of somebody, one token, or everything of everybody. */
export type RevokedName =
  | { readonly kind: "sub" | "jti"; readonly value: string }
  | { readonly kind: "all"; readonly value: "" };

export interface Revocation {
  readonly name: RevokedName;
  /** null: whenever it was issued. */
  readonly issuedBeforeSec: number | null;
  readonly untilSec: number;
}

type Table = Pick<RevokedTable, "version" | "marks" | "revoke">;

export class Revocations {
  readonly #table: Table;
  #version = Number.NaN;
  #marks: ReadonlyMap<string, RevokedMark> = new Map();

  constructor(table: Table) {
    this.#table = table;
  }

  /** Another one whenever something was taken back. */
  get version(): number {
    return this.#table.version;
  }

  isRevoked({ sub, jti, issuedSec }: Grant): boolean {
    this.#keepUp();
    if (this.#marks.size === 0) return false;
    return (
      (sub !== null && this.#isMeant({ kind: "sub", value: sub }, issuedSec)) ||
      (jti !== null && this.#isMeant({ kind: "jti", value: jti }, issuedSec)) ||
      this.#isMeant({ kind: "all", value: "" }, issuedSec)
    );
  }

  /** As the store, and other nodes, keep it. */
  markOf({ name, issuedBeforeSec, untilSec }: Revocation): RevokedMark {
    const [low, high] = wordsOf(name);
    return { low, high, issuedBeforeSec: issuedBeforeSec ?? 0, untilSec };
  }

  revoke(wish: Revocation): RevokeOutcome {
    return this.#table.revoke(this.markOf(wish), nowSec());
  }

  #keepUp(): void {
    const { version } = this;
    if (version === this.#version) return;
    this.#version = version;
    const marks = this.#table.marks(nowSec());
    this.#marks = new Map(marks.map((mark) => [keyOfMark(mark), mark]));
  }

  /** Of what does not say when it was issued nobody can say that it was later. */
  #isMeant(name: RevokedName, issuedSec: number | null): boolean {
    const [low, high] = wordsOf(name);
    const mark = this.#marks.get(keyOfMark({ low, high }));
    if (mark === undefined || mark.untilSec <= nowSec()) return false;
    return mark.issuedBeforeSec === 0 || issuedSec === null || issuedSec < mark.issuedBeforeSec;
  }
}

const keyOfMark = ({ low, high }: Pick<RevokedMark, "low" | "high">): string => `${high} ${low}`;

function wordsOf({ kind, value }: RevokedName): readonly [low: number, high: number] {
  const bytes = Buffer.from(digestOf(kind, value), "base64");
  return [bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
}

const nowSec = (): number => Math.floor(Date.now() / 1000);
