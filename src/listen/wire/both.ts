/** Two who are told that a client has left, where a connection remembers one. Used by connection.ts. */
import type { Gone } from "../../http/incoming.ts";

export class Both implements Gone {
  readonly #one: Gone;
  readonly #other: Gone;
  constructor(one: Gone, other: Gone) {
    this.#one = one;
    this.#other = other;
  }
  cancel(): void {
    this.#one.cancel();
    this.#other.cancel();
  }
}
