/**
 * What one WebSocket client publishes at a location with an `onPublish` hook: judged in the order in which it came, which is the order in
 * which it is published. Made by socket-peer.ts.
 */
import type { Refusal } from "../errors.ts";
import type { Judge, OfferedDraft } from "../front/location-hooks.ts";

/** Messages that wait for a slow hook; a client that sends more is too fast for it. */
const MAX_WAITING = 256;

export interface JudgedOutcome {
  publish(draft: OfferedDraft): void;
  refuse(refusal: Refusal): void;
  /** More wait than may. */
  overrun(): void;
}

export class JudgedMessages {
  readonly #judge: Judge;
  readonly #outcome: JudgedOutcome;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(judge: Judge, outcome: JudgedOutcome) {
    this.#judge = judge;
    this.#outcome = outcome;
  }

  offer(names: readonly Uint8Array[], data: Uint8Array): void {
    if (this.#waiting >= MAX_WAITING) {
      this.#outcome.overrun();
      return;
    }
    const verdict = this.#judge(names, { data, eventId: null, eventType: null });
    if (this.#waiting === 0 && !(verdict instanceof Promise)) {
      this.#act(verdict);
      return;
    }
    this.#waiting++;
    this.#last = Promise.all([verdict, this.#last]).then(([said]) => {
      this.#waiting--;
      this.#act(said);
    });
  }

  #act(verdict: OfferedDraft | Refusal): void {
    if ("status" in verdict) this.#outcome.refuse(verdict);
    else this.#outcome.publish(verdict);
  }
}
