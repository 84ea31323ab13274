/**
 * Verdicts on mistakes, kept in a file from run to run. One holds as long as the source and the tests that
 * spoke it are the same, byte by byte: each stands under a hash of all that. Used by ../mutants.ts.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Mutant } from "../../test/mutants.ts";
import { ROOT } from "../source-copy.ts";
import { partOf, SUITES } from "./suites.ts";

/** hangs: its tests never ended. */
export type Verdict = "seen" | "hangs" | "SURVIVES";

interface Kept {
  readonly verdicts: Record<string, Verdict>;
  readonly usualMs: Record<string, number>;
}

export class Ledger {
  readonly #path: string;
  readonly #kept: Kept;
  readonly #source = hashOf(["src", "package.json", "bun.lock"]);
  readonly #parts = new Map<string, string>();

  constructor(path: string, isFresh: boolean) {
    this.#path = path;
    this.#kept = (isFresh ? null : read(path)) ?? { verdicts: {}, usualMs: {} };
  }

  /** Null: it is not known, or no more. */
  verdict(mutant: Mutant): Verdict | null {
    return this.#kept.verdicts[this.#key(mutant)] ?? null;
  }

  /** At once: the run may be ended at any time. */
  write(mutant: Mutant, verdict: Verdict): void {
    this.#kept.verdicts[this.#key(mutant)] = verdict;
    this.#save();
  }

  /** How long the tests of a part take without a mistake; null: they have not been seen green. */
  usualMs(part: string): number | null {
    return this.#kept.usualMs[this.#part(part)] ?? null;
  }

  writeUsualMs(part: string, ms: number): void {
    this.#kept.usualMs[this.#part(part)] = ms;
    this.#save();
  }

  #save(): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    writeFileSync(this.#path, `${JSON.stringify(this.#kept, null, 1)}\n`);
  }

  #key(mutant: Mutant): string {
    return Bun.hash(JSON.stringify([this.#part(partOf(mutant[0])), ...mutant])).toString(36);
  }

  #part(name: string): string {
    const known = this.#parts.get(name);
    if (known !== undefined) return known;
    const hash = Bun.hash(`${name} ${this.#source} ${hashOf(SUITES[name]?.tests ?? [])}`).toString(36);
    this.#parts.set(name, hash);
    return hash;
  }
}

function read(path: string): Kept | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Kept;
  } catch {
    // None yet, or cut off: everything is tried again.
    return null;
  }
}

function hashOf(paths: readonly string[]): string {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const path of paths.flatMap((each) => filesIn(join(ROOT, each)))) {
    hasher.update(path);
    hasher.update(readFileSync(path));
  }
  return hasher.digest("hex");
}

function filesIn(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path];
  const files = readdirSync(path, { recursive: true, encoding: "utf8" }).sort();
  return files.map((file) => join(path, file)).filter((file) => statSync(file).isFile());
}
