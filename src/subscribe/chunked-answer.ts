/**
 * The answer of a poll, sent in chunks as the module's subscribers get it (push-stream spec 4.12 (5), A.2); a
 * client of theirs may wait for the last chunk. Made by poll.ts.
 *
 * One piece at a time: the next is rendered when the socket has taken the last, so an answer that nobody
 * reads costs one piece, and while it is not over no further request of the connection is looked at. Bun
 * sends a body it has whole with its length, and one that is flushed before its end in chunks. A listener of
 * our own pulls it itself (listen/).
 */

import type { Fanout } from "../fanout/fanout.ts";
import type { HeaderFields } from "../http/answer.ts";
import { type BreakableSink, pulledResponse, type StreamSink } from "../http/direct-answer.ts";
import { log } from "../log.ts";

/** A body that has more to send than its first bytes. */
export interface Continued {
  /**
   * The next bytes, null when all were given, "wait" when there may be some in a moment. Throws when the rest
   * is lost.
   */
  next(): Uint8Array | null | "wait";
}

/**
 * When the next piece is made, and how long a reader may take nothing of one before he is cut off, like any
 * slow subscriber.
 */
type Pace = Pick<Fanout, "turns" | "sendMs">;

/**
 * 200 with `first` as the beginning of the body; `rest` null: it is all of it. `wrap` stands between it and
 * the socket.
 */
export function chunkedAnswer(
  first: Uint8Array<ArrayBuffer>,
  headers: HeaderFields,
  pace: Pace,
  rest: Continued | null = null,
  wrap: ((sink: StreamSink) => StreamSink) | null = null,
): Response {
  const body = new ChunkedBody(first, pace, rest, wrap);
  return pulledResponse(body, { headers });
}

export class ChunkedBody {
  #first: Uint8Array | null;
  readonly #pace: Pace;
  readonly #rest: Continued | null;
  readonly #wrap: ((sink: StreamSink) => StreamSink) | null;
  #sink: StreamSink | null = null;
  #raw: BreakableSink | null = null;

  constructor(
    first: Uint8Array,
    pace: Pace,
    rest: Continued | null,
    wrap: ((sink: StreamSink) => StreamSink) | null,
  ) {
    this.#first = first;
    this.#pace = pace;
    this.#rest = rest;
    this.#wrap = wrap;
  }

  get type(): "direct" {
    return "direct";
  }
  get endsByItself(): boolean {
    return true;
  }

  /** Called once, when the answer goes out. */
  pull(sink: BreakableSink): void {
    this.#raw = sink;
    this.#sink = this.#wrap === null ? sink : this.#wrap(sink);
    this.#goOn();
  }

  /** The client went away. */
  cancel(): void {
    this.#sink = null;
  }

  #goOn(): void {
    const sink = this.#sink;
    if (sink === null) return;
    let bytes: Uint8Array | null | "wait";
    try {
      bytes = this.#next();
    } catch (error) {
      this.#break(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (bytes === "wait") {
      this.#pace.turns.soon(this, () => this.#goOn());
      return;
    }
    if (bytes === null) {
      this.#sink = null;
      this.#own(sink.end());
      return;
    }
    const written = sink.write(bytes);
    const flushed = sink.flush();
    const pending = typeof written === "number" ? flushed : written;
    if (typeof pending !== "number") this.#whenRead(pending);
    else if (this.#rest === null) this.#goOn();
    else this.#pace.turns.later(this, () => this.#goOn());
  }

  #next(): Uint8Array | null | "wait" {
    const first = this.#first;
    this.#first = null;
    if (first !== null) return first;
    return this.#rest === null ? null : this.#rest.next();
  }

  /** The socket is full. Until it has room nothing is rendered, and nobody keeps what was. */
  #whenRead(pending: Promise<number>): void {
    const stuck = setTimeout(() => this.#break(new Error("the client takes nothing")), this.#pace.sendMs);
    const goOn = (): void => {
      clearTimeout(stuck);
      this.#goOn();
    };
    pending.then(goOn, goOn);
  }

  /**
   * The client must not take what it has for the whole: its connection breaks, and it comes back with its
   * position.
   */
  #break(error: Error): void {
    if (this.#sink === null) return;
    this.#sink = null;
    this.#own(this.#raw?.close(error));
  }

  #own(outcome: unknown): void {
    if (!(outcome instanceof Promise)) return;
    outcome.catch((error: unknown) => log("debug", "a poll's client left early", { error: String(error) }));
  }
}
