/**
 * Grants of tokens that were verified, by the digest of the token, until they end. Only good ones are kept:
 * bad ones would let anybody fill it.
 */
import type { Grant } from "../config/grant/grant.ts";

/** Of an issuer, in a worker; a little over a kilobyte each. Whoever came first goes first. */
const MOST = 10_000;

export class GrantCache {
  readonly #grants = new Map<string, Grant>();

  get size(): number {
    return this.#grants.size;
  }

  get(digest: string, nowMs: number): Grant | null {
    const grant = this.#grants.get(digest);
    if (grant === undefined) return null;
    if (grant.endMs > nowMs) return grant;
    this.#grants.delete(digest);
    return null;
  }

  set(digest: string, grant: Grant): void {
    if (this.#grants.size >= MOST) {
      const [oldest] = this.#grants.keys();
      if (oldest !== undefined) this.#grants.delete(oldest);
    }
    this.#grants.set(digest, grant);
  }
}
