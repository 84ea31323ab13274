/**
 * The slow verifications of a worker, one after the other: whoever guesses passwords waits for other guesses,
 * and what else the worker and the runtime's threads do does not. What is asked twice at once is worked on
 * once: a page that opens ten connections has one password. Called by authentication.ts.
 */
import { verifySlowly } from "./password.ts";

/** At work or waiting; more are refused. With bcrypt's usual cost the last of them waits a second. */
const MOST_WAITING = 16;

export class Verifications {
  /** How many were begun, for tests. */
  begun = 0;
  /** By what tells one from another: a digest, never the password itself. */
  readonly #waiting = new Map<string, Promise<boolean>>();
  #last: Promise<unknown> = Promise.resolve();

  /** null: too many are waiting. The promise rejects with what the runtime says of the hash. */
  verify(key: string, password: Uint8Array, hash: string): Promise<boolean> | null {
    const same = this.#waiting.get(key);
    if (same !== undefined) return same;
    if (this.#waiting.size >= MOST_WAITING) return null;
    const outcome = this.#inTurn(key, this.#last, password, hash);
    this.#waiting.set(key, outcome);
    this.#last = outcome;
    return outcome;
  }

  async #inTurn(key: string, before: Promise<unknown>, password: Uint8Array, hash: string): Promise<boolean> {
    // How the one before ended is told to whoever asked for it.
    await before.catch(() => undefined);
    this.begun++;
    try {
      return await verifySlowly(password, hash);
    } finally {
      this.#waiting.delete(key);
    }
  }
}
