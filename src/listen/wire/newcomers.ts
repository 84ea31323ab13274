/**
 * First requests of connections, when a crowd comes at once: for those that come in one turn of the event
 * loop there is a slice of time, the others wait their turn, so that clients who are here already (publishers
 * that keep their connection, above all) do not wait for a thousand subscribers to be seated. In the same
 * queue stand those who have sent more at once than a turn has time for: requests (receiving.ts), or frames
 * of a WebSocket, of which a single piece may hold seventy thousand (wire-socket.ts). One for a listener.
 */
export interface Newcomer {
  /** Reads what it has sent. */
  goOn(): void;
}

const SLICE_MS = 2;

export class Newcomers {
  #waiting: Newcomer[] = [];
  #next = 0;
  #spentMs = 0;
  #isScheduled = false;

  /** True: it waits, and will be told. False: it goes on at once; call `served` then. */
  mustWait(one: Newcomer): boolean {
    if (this.#spentMs < SLICE_MS && this.#next === this.#waiting.length) return false;
    this.#waiting.push(one);
    this.#schedule();
    return true;
  }

  /** Nothing is left of this turn's slice for somebody who is at it since then. */
  isOver(sinceMs: number): boolean {
    return this.#spentMs + performance.now() - sinceMs > SLICE_MS;
  }

  /** To go on in a later turn. */
  lineUp(one: Newcomer): void {
    this.#waiting.push(one);
    this.#schedule();
  }

  served(sinceMs: number): void {
    this.#spentMs += performance.now() - sinceMs;
    // With the next turn there is a whole slice again. For what is little that turn would cost more than it.
    if (this.#spentMs > SLICE_MS / 4) this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#isScheduled = false;
    this.#spentMs = 0;
    const endMs = performance.now() + SLICE_MS;
    while (this.#next < this.#waiting.length) {
      this.#waiting[this.#next++]?.goOn();
      if (performance.now() > endMs) break;
    }
    // Those who have had their turn go, or a client that never ends would have a line that never does.
    this.#waiting = this.#waiting.slice(this.#next);
    this.#next = 0;
    if (this.#waiting.length > 0) this.#schedule();
  }
}
