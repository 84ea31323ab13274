/**
 * A Response that a handler made itself, for a client whose grant may end before it: its body is passed on
 * piece by piece, and ends with the grant. Short bodies, which are nearly all, are whole at once and stay as
 * they were. Called by endpoint.ts, where somebody wants to know of those who stand.
 */
import type { Arrival, Standing } from "../front/location-hooks.ts";
import type { RequestContext } from "./context.ts";
import { Ending } from "./ending.ts";
import type { HandlerHost, Running } from "./host.ts";

/** As a generator's: it may say a last word. */
const LAST_WORDS_MS = 5000;

const readerOf = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => stream.getReader();
type Reader = ReturnType<typeof readerOf>;
type Step = Awaited<ReturnType<Reader["read"]>>;

export async function endableResponse(
  host: HandlerHost,
  context: RequestContext,
  response: Response,
  arrival: Arrival,
): Promise<Response> {
  const { status, statusText, headers, body } = response;
  if (body === null) return response;
  const reader = readerOf(body);
  const init = { status, statusText, headers };
  const first = reader.read();
  const step = await settledNow(first);
  if (step?.done === true) return new Response(null, init);
  const second = step === null ? first : reader.read();
  const after = await settledNow(second);
  if (step !== null && after?.done === true) return new Response(step.value, init);
  const read = step === null ? [first] : [Promise.resolve(step), second];
  return new Response(new EndableBody(host, context, reader, read, arrival).stream, init);
}

/** What is there without waiting for anything; else null. */
async function settledNow(step: Promise<Step>): Promise<Step | null> {
  const later = new Promise<null>((resolve) => setImmediate(() => resolve(null)));
  return await Promise.race([step, later]);
}

class EndableBody implements Running, Standing {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #host: HandlerHost;
  readonly #context: RequestContext;
  readonly #reader: Reader;
  /** Of `reader`, asked for already. */
  readonly #read: Promise<Step>[];
  readonly #departure: () => void;
  #isOver = false;
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | null = null;

  constructor(
    host: HandlerHost,
    context: RequestContext,
    reader: Reader,
    read: Promise<Step>[],
    arrival: Arrival,
  ) {
    this.#host = host;
    this.#context = context;
    this.#reader = reader;
    this.#read = read;
    this.stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => this.#leave(Ending.clientLeft),
      },
      // Nothing ahead of the client.
      { highWaterMark: 0 },
    );
    host.add(this);
    this.#departure = arrival([], this);
  }

  dismiss(): void {
    this.#endSoon(Ending.grantOver);
  }

  goAway(): void {
    this.#endSoon(Ending.draining);
  }

  #endSoon(ending: DOMException): void {
    this.#context.finish(ending);
    setTimeout(() => this.#close(ending), LAST_WORDS_MS);
  }

  async #pull(): Promise<void> {
    try {
      const step = await (this.#read.shift() ?? this.#reader.read());
      if (this.#isOver) return;
      if (step.done) this.#close(Ending.done);
      else this.#controller?.enqueue(step.value);
    } catch (error) {
      if (this.#isOver) return;
      // It let itself be woken by its signal.
      if (this.#context.isEnding(error)) this.#close(Ending.done);
      else {
        this.#controller?.error(error);
        this.#leave(Ending.done);
      }
    }
  }

  #close(ending: DOMException): void {
    if (this.#isOver) return;
    this.#controller?.close();
    this.#leave(ending);
  }

  #leave(ending: DOMException): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#host.remove(this);
    this.#departure();
    this.#context.finish(ending);
    const ignore = (): void => undefined;
    this.#reader.cancel(ending).then(ignore, ignore);
  }
}
