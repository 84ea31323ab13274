/**
 * What one WebSocket client publishes where a message may have to wait: for the location's `onPublish` hook,
 * or for a busy store. Published in the order in which it came. Made by client-messages.ts for sockets that
 * need it.
 */
import type { HookRefusal, Judge, OfferedDraft } from "../front/location-hooks.ts";

/** Messages that wait, and their bytes beyond the first; a client that sends more is too fast. */
const MAX_WAITING = 256;
const MAX_WAITING_BYTES = 1024 * 1024;

/** `Ref`: what the client knows a message by. */
export interface JudgedOutcome<Ref> {
  /**
   * To the channels it was offered for, though its client may have left since. A promise: the next one has to
   * wait for it.
   */
  publish(names: readonly Uint8Array[], draft: OfferedDraft, ref: Ref): Promise<void> | null;
  /** false: that was the end of the connection. */
  refuse(refusal: HookRefusal, ref: Ref): boolean;
  /** More wait than may. */
  overrun(): void;
}

/** Of locations without a hook. */
export const judgeNothing: Judge = (_names, draft) => draft;

export class JudgedMessages<Ref> {
  readonly #judge: Judge;
  readonly #outcome: JudgedOutcome<Ref>;
  /** One was not published: those behind it are not either. */
  #isOver = false;
  #waiting = 0;
  #bytes = 0;
  #last: Promise<void> = Promise.resolve();

  /** `before`: what has to be over first. */
  constructor(judge: Judge, outcome: JudgedOutcome<Ref>, before: Promise<void> | null = null) {
    this.#judge = judge;
    this.#outcome = outcome;
    this.#follow(before, 0);
  }

  offer(names: readonly Uint8Array[], draft: OfferedDraft, ref: Ref): void {
    const { data } = draft;
    const bytes = this.#bytes + data.length;
    if (this.#waiting >= MAX_WAITING || (this.#waiting > 1 && bytes > MAX_WAITING_BYTES)) {
      this.#outcome.overrun();
      return;
    }
    const verdict = this.#judge(names, draft);
    if (this.#waiting === 0 && !(verdict instanceof Promise)) {
      this.#follow(this.#act(names, verdict, ref), data.length);
      return;
    }
    const before = this.#last;
    this.#follow(this.#actAfter(before, names, verdict, ref), data.length);
  }

  /** Nothing waits, and what comes next may be published. */
  get isIdle(): boolean {
    return this.#waiting === 0 && !this.#isOver;
  }

  /** The client hears that one was not published, and does not expect those behind it to be. */
  stop(): void {
    this.#isOver = true;
  }

  async #actAfter(
    before: Promise<void>,
    names: readonly Uint8Array[],
    verdict: ReturnType<Judge>,
    ref: Ref,
  ): Promise<void> {
    const [said] = await Promise.all([verdict, before]);
    await this.#act(names, said, ref);
  }

  /** Counts it as waiting until it is over. */
  #follow(work: Promise<void> | null, bytes: number): void {
    if (work === null) return;
    this.#waiting++;
    this.#bytes += bytes;
    this.#last = work.then(() => {
      this.#waiting--;
      this.#bytes -= bytes;
    });
  }

  #act(names: readonly Uint8Array[], verdict: OfferedDraft | HookRefusal, ref: Ref): Promise<void> | null {
    if (this.#isOver) return null;
    if (!("status" in verdict)) return this.#outcome.publish(names, verdict, ref);
    if (!this.#outcome.refuse(verdict, ref)) this.stop();
    return null;
  }
}
