/**
 * Those who stand here by a grant that may end before they leave: held connections of a worker. Ends them
 * when their grant does, or when it is taken back. Connections without a grant are not in it, and cost
 * nothing.
 *
 * Ends are looked at once a second, in the order of their seconds; what was taken back is looked for when the
 * table has changed.
 */
import type { Grant } from "../config/grant/grant.ts";
import type { Standing } from "../front/location-hooks.ts";
import type { Revocations } from "./revocations.ts";

const LOOK_MS = 250;

export class Stander {
  grant: Grant;
  readonly #standing: Standing;

  constructor(grant: Grant, standing: Standing) {
    this.grant = grant;
    this.#standing = standing;
  }

  dismiss(why: "ended" | "revoked"): void {
    this.#standing.dismiss(why);
  }
}

export class Standings {
  readonly #revocations: Revocations;
  readonly #all = new Set<Stander>();
  /** By the second in which their grant ends. */
  readonly #ending = new Map<number, Set<Stander>>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #isStopped = false;
  /** Of the table when all who stand were compared with it. */
  #seenVersion = Number.NaN;

  constructor(revocations: Revocations) {
    this.#revocations = revocations;
  }

  get size(): number {
    return this.#all.size;
  }

  add(stander: Stander): void {
    this.#all.add(stander);
    this.#expect(stander);
    if (this.#timer === null && !this.#isStopped) this.#timer = setInterval(() => this.look(), LOOK_MS);
    // It was let in a moment ago, perhaps before what was taken back since was looked for among those who
    // stand.
    if (this.#revocations.isRevoked(stander.grant))
      queueMicrotask(() => this.#all.has(stander) && stander.dismiss("revoked"));
  }

  /** Idempotent. */
  remove(stander: Stander): void {
    this.#all.delete(stander);
    this.#forget(stander);
    if (this.#all.size === 0) this.#rest();
  }

  renew(stander: Stander, grant: Grant): void {
    this.#forget(stander);
    stander.grant = grant;
    if (this.#all.has(stander)) this.#expect(stander);
  }

  look(nowMs = Date.now()): void {
    for (const [second, standers] of this.#ending) {
      if (second * 1000 > nowMs) continue;
      this.#ending.delete(second);
      for (const stander of standers) stander.dismiss("ended");
    }
    const { version } = this.#revocations;
    if (version === this.#seenVersion) return;
    this.#seenVersion = version;
    for (const stander of [...this.#all])
      if (this.#revocations.isRevoked(stander.grant)) stander.dismiss("revoked");
  }

  stop(): void {
    this.#isStopped = true;
    this.#rest();
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #expect(stander: Stander): void {
    const second = secondOf(stander);
    if (second === null) return;
    const standers = this.#ending.get(second) ?? new Set();
    this.#ending.set(second, standers.add(stander));
  }

  #forget(stander: Stander): void {
    const second = secondOf(stander);
    const standers = second === null ? undefined : this.#ending.get(second);
    standers?.delete(stander);
    if (second !== null && standers?.size === 0) this.#ending.delete(second);
  }
}

/** Rounded up: nobody is ended before his time. null: it has no end. */
const secondOf = ({ grant }: Stander): number | null =>
  grant.endMs === Number.POSITIVE_INFINITY ? null : Math.ceil(grant.endMs / 1000);
