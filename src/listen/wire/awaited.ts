/**
 * A poll that waits, where a connection has its stream: it has either, so there is one field for both. Made
 * by connection.ts.
 */
import type { PulledStream } from "../../http/direct-answer.ts";
import type { Gone } from "../../http/incoming.ts";

export class Awaited implements PulledStream {
  readonly #listener: Gone;

  constructor(listener: Gone) {
    this.#listener = listener;
  }

  pull(): void {
    // Its answer comes whole.
  }

  cancel(): void {
    this.#listener.clientLeft();
  }
}
