/**
 * The body of a request as a stream for a handler (`body = "stream"` of the location): no more of it is read
 * from the client than the handler takes, beside one buffer, and no more than the location's `max_body_size`
 * at all. Called by endpoint.ts.
 */
import { type BodySource, bodySourceOf } from "../http/body-source.ts";
import type { BodyTaker, Incoming } from "../http/incoming.ts";
import { Ending } from "./ending.ts";
import { atHandler } from "./failure.ts";
import { RefusedError } from "./refused-error.ts";

/** Read ahead of the handler. */
const BUFFER_BYTES = 64 * 1024;

/** What reading it fails with then; a handler that lets it go answers 413. */
export class BodyTooLarge extends RefusedError {
  constructor() {
    super({ status: 413, code: "body_too_large", explain: "the body is larger than max_body_size" });
  }
}

export class StreamedBody implements BodyTaker {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #source: BodySource | null;
  readonly #maxBytes: number;
  readonly #taken: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | null = null;
  #bytes = 0;
  #isPouring = false;
  #isOver = false;

  /** `taken` is called whenever the handler has taken something. */
  constructor(request: Incoming, maxBytes: number, taken: () => void) {
    this.#source = bodySourceOf(request);
    this.#maxBytes = maxBytes;
    this.#taken = taken;
    const here = this.#source === null ? (request.exchange?.bodyNow() ?? null) : null;
    this.stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        start: (controller) => {
          this.#controller = controller;
          if (this.#source !== null) return;
          // All of it came with the head.
          if (here !== null) this.add(here, 0, here.length);
          this.whole();
        },
        pull: () => this.#pull(),
        cancel: () => this.leave(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: BUFFER_BYTES }),
    );
  }

  #pull(): void {
    this.#taken();
    if (this.#isOver) return;
    if (this.#isPouring) this.#source?.resume();
    else {
      this.#isPouring = true;
      this.#source?.pour(this);
    }
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isOver) return;
    this.#bytes += end - start;
    if (this.#bytes > this.#maxBytes) {
      this.#break(atHandler(new BodyTooLarge()));
      return;
    }
    // A copy: the door uses its buffer again.
    this.#controller?.enqueue(new Uint8Array(bytes.subarray(start, end)));
    if ((this.#controller?.desiredSize ?? 0) <= 0) this.#source?.pause();
  }

  whole(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#controller?.close();
  }

  failed(): void {
    this.#break(Ending.clientLeft);
  }

  /** The handler has answered, or wants no more. Idempotent. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#source?.stop();
  }

  #break(error: Error): void {
    if (this.#isOver) return;
    this.#controller?.error(error);
    this.leave();
  }
}
