/**
 * Credentials that were good a short while ago. Clients poll, and a slow hash takes 50 ms of a processor, a
 * poll a hundredth of that. Only good ones are remembered: bad ones would let anybody fill the memory. Called
 * by authentication.ts.
 */

const MOST = 1000;
/** So a password is looked up anew now and then, also by who never leaves. */
const LIFE_MS = 5 * 60_000;

export class Passed {
  /** When each ends, by digest; the oldest is first, and goes first. */
  readonly #ends = new Map<string, number>();

  has(digest: string, nowMs: number): boolean {
    const end = this.#ends.get(digest);
    if (end !== undefined && nowMs >= end) this.#ends.delete(digest);
    return end !== undefined && nowMs < end;
  }

  add(digest: string, nowMs: number): void {
    this.#ends.delete(digest);
    if (this.#ends.size >= MOST) {
      const [oldest] = this.#ends.keys();
      if (oldest !== undefined) this.#ends.delete(oldest);
    }
    this.#ends.set(digest, nowMs + LIFE_MS);
  }

  clear(): void {
    this.#ends.clear();
  }
}
