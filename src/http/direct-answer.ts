/**
 * Answers of the roles that carry messages, for a door that writes its bytes itself (listen/wire/): no
 * Response and no Headers a request. What a location says to many is one `ResponseInit`, whose head such a
 * door makes bytes of once. Whoever needs a real Response (front.ts, where a location adds headers or writes
 * a log) makes one of it. A leaf, beside answer.ts.
 */
import type { Gone } from "./incoming.ts";

/**
 * The part of Bun's direct stream controller that is used; a write or flush gives a promise under
 * backpressure.
 */
export interface StreamSink {
  write(bytes: Uint8Array): number | Promise<number>;
  flush(): number | Promise<number>;
  end(): unknown;
  /**
   * Bytes from which on a write is sent at once instead of kept for a flush. To Bun 1 is 256, and less leaves
   * by itself behind the turn.
   */
  start(options: { highWaterMark: number }): unknown;
  /** Reads what the next write will, and does nothing (fanout/carrier.ts). */
  readAhead?(): number;
}

/** What a direct stream of Bun has besides: an end that the client sees is none. */
export interface BreakableSink extends StreamSink {
  close(error: Error): unknown;
}

/** A body that writes itself, as whoever serves its bytes sees it: Bun, or a listener of our own. */
export interface PulledStream extends Gone {
  /** Called once, when the head is out. */
  pull(sink: BreakableSink): void;
  /** The client went away. */
  cancel(): void;
  /**
   * What it writes is given to others as well, and the same object never has other bytes: it can be framed
   * once for all.
   */
  readonly sharesBytes?: boolean;
  /** A write that was said to be taken was not: its flush is waited for, as after any other. */
  filled?(): void;
  /** It does not wait for anything to happen: a client that has closed its own end still gets all of it. */
  readonly endsByItself?: boolean;
}

const bodies = new WeakMap<Response, PulledStream>();

/**
 * The body behind such a Response, for a listener that serves it itself; undefined: its bytes are the
 * Response's own.
 */
export const pulledBodyOf = (response: Response): PulledStream | undefined => bodies.get(response);

/** A Response whose body is `stream`: a direct stream of Bun's, or pulled by a listener of our own. */
export function pulledResponse(stream: PulledStream & UnderlyingDirect, init: ResponseInit): Response {
  const response = new Response(new ReadableStream(stream), init);
  bodies.set(response, stream);
  return response;
}

interface UnderlyingDirect {
  readonly type: "direct";
}

/** How answers of a location begin; made once. */
export interface SharedInit {
  readonly headers: Headers;
  /** What the door that writes such answers itself has made of them. */
  kept?: unknown;
}

export abstract class DirectAnswer {
  abstract toResponse(): Response;
}

export type Answer = Response | DirectAnswer;

/** 200 with a head that many share, and a body that is all here; null: none. */
export class SharedAnswer extends DirectAnswer {
  readonly init: SharedInit;
  readonly body: Uint8Array<ArrayBuffer> | null;

  constructor(init: SharedInit, body: Uint8Array<ArrayBuffer> | null) {
    super();
    this.init = init;
    this.body = body;
  }

  override toResponse(): Response {
    return new Response(this.body, this.init);
  }
}

/** Bytes in a buffer that others use again: good until the next body is rendered. */
export interface Rendered {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly length: number;
}

/**
 * 200 with a head that many share, and a body that is made when it is written: it has no bytes of its own.
 */
export abstract class RenderedAnswer extends DirectAnswer {
  readonly init: SharedInit;

  constructor(init: SharedInit) {
    super();
    this.init = init;
  }

  abstract render(): Rendered;

  override toResponse(): Response {
    const { bytes, length } = this.render();
    // A Response takes the bytes when it is made.
    if (rendered.length !== length || rendered.buffer !== bytes.buffer) rendered = bytes.subarray(0, length);
    return new Response(rendered, this.init);
  }
}

/** What was answered last: the next is nearly always as long, and has the same view. */
let rendered = new Uint8Array(0);

/** 200 with a head that many share, and a body that is held. */
export class HeldAnswer extends DirectAnswer {
  readonly init: SharedInit;
  readonly stream: PulledStream & UnderlyingDirect;

  constructor(init: SharedInit, stream: PulledStream & UnderlyingDirect) {
    super();
    this.init = init;
    this.stream = stream;
  }

  override toResponse(): Response {
    return pulledResponse(this.stream, this.init);
  }
}

export interface PassedFields {
  readonly list: readonly (readonly [name: string, value: string])[];
  /** The same as lines. */
  readonly text: string;
  readonly hasLength: boolean;
  readonly hasDate: boolean;
}

/**
 * A backend's: its fields as it wrote them, and its body as far as it is here, or as it comes. As a Response
 * it has them as Fetch wants them: in lower case, what stands twice joined, and no words of its own behind
 * the status.
 */
export class PassedAnswer extends DirectAnswer {
  readonly status: number;
  readonly reason: string;
  readonly fields: PassedFields;
  readonly body: Uint8Array<ArrayBuffer> | null;
  readonly stream: (PulledStream & UnderlyingDirect) | null;

  constructor(
    status: number,
    reason: string,
    fields: PassedFields,
    body: Uint8Array<ArrayBuffer> | PassedAnswer["stream"],
  ) {
    super();
    this.status = status;
    this.reason = reason;
    this.fields = fields;
    this.body = body instanceof Uint8Array ? body : null;
    this.stream = body instanceof Uint8Array ? null : body;
  }

  override toResponse(): Response {
    const { status, reason, body, stream } = this;
    const headers = new Headers();
    for (const [name, value] of this.fields.list) headers.append(name, value);
    const init = { status, statusText: reason, headers };
    if (stream !== null) return pulledResponse(stream, init);
    // Bun gives bytes a type that have none.
    const isTyped = body === null || headers.has("content-type");
    return new Response(isTyped ? body : streamOf(body), init);
  }
}

const streamOf = (bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });

/** Who writes an answer that was waited for. */
export interface AnswerTaker {
  takeAnswer(answer: Answer): void;
}

/**
 * One that is not there yet: what a promise would be, without the four objects that one costs a poll that
 * waits.
 */
export class LaterAnswer extends DirectAnswer {
  /** What came first: the answer, or who takes it. One field, as a poll that waits is such an answer. */
  #first: Answer | AnswerTaker | null = null;

  /** Call once. */
  resolve(answer: Answer): void {
    if (this.#first !== null && "takeAnswer" in this.#first) this.#first.takeAnswer(answer);
    else this.#first = answer;
  }

  /** Call once. */
  giveTo(taker: AnswerTaker): void {
    if (this.#first === null || "takeAnswer" in this.#first) this.#first = taker;
    else taker.takeAnswer(this.#first);
  }

  promise(): Promise<Answer> {
    return new Promise((resolve) => this.giveTo({ takeAnswer: resolve }));
  }

  override toResponse(): Response {
    throw new Error("it is not answered yet");
  }
}

/** What it is for whoever knows Responses only. */
export const asResponse = (answer: Answer): Response =>
  answer instanceof DirectAnswer ? answer.toResponse() : answer;
