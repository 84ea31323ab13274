/**
 * The token of a client: asked for when it is needed, kept until shortly before it expires. Used by client.ts
 * and publisher.ts.
 */
import type { TokenSource } from "./sluice.d.ts";

/** Before its end the next one is asked for. */
const EARLY_MS = 30_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class Token {
  readonly #source: TokenSource;
  readonly #due: () => void;
  #token: string | Promise<string> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `due`: the next one will be asked for. */
  constructor(source: TokenSource, due: () => void) {
    this.#source = source;
    this.#due = due;
  }

  /** Another one can be had. */
  get isRenewable(): boolean {
    return typeof this.#source === "function";
  }

  get(): string | Promise<string> {
    if (this.#token === undefined) {
      this.#token = typeof this.#source === "string" ? this.#source : this.#ask(this.#source);
    }
    return this.#token;
  }

  /** It is not good, or will not be for long. */
  drop(): void {
    clearTimeout(this.#timer);
    if (this.isRenewable) this.#token = undefined;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #ask(source: () => string | Promise<string>): Promise<string> {
    try {
      // Not before the promise of this is kept: what fails at once is to be forgotten as well.
      const token = await Promise.resolve().then(source);
      this.#token = token;
      this.expires(expiryOf(token));
      return token;
    } catch (error) {
      this.#token = undefined;
      throw error;
    }
  }

  /** Seconds since 1970; null: never, or it is not known. */
  expires(sec: number | null): void {
    clearTimeout(this.#timer);
    if (sec === null || !this.isRenewable) return;
    const leftMs = sec * 1000 - Date.now();
    // Of a short one half is used.
    const waitMs = Math.min(LONGEST_TIMER_MS, Math.max(leftMs / 2, leftMs - EARLY_MS));
    if (waitMs > 0) this.#timer = setTimeout(() => this.#renew(), waitMs);
  }

  #renew(): void {
    this.drop();
    this.#due();
  }
}

/** Of a JWT (RFC 7519 4.1.4), which is not looked into further; null: it is none, or has no end. */
function expiryOf(token: string): number | null {
  const [, payload = ""] = token.split(".");
  try {
    const { exp } = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    return typeof exp === "number" ? exp : null;
  } catch {
    return null;
  }
}
