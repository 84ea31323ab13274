/**
 * The body of a request as it comes, and no faster than somebody takes it, by either door. Asked for by
 * proxy/, for a backend, and by handlers/, for one that reads it as a stream. A leaf.
 */
import type { BodyTaker, Exchange, Incoming } from "./incoming.ts";

export interface BodySource {
  /** Once. */
  pour(taker: BodyTaker): void;
  pause(): void;
  resume(): void;
  /** Nobody wants the rest. */
  stop(): void;
}

/** null: all of it is here (`bodyNow`), or there is none. */
export function bodySourceOf(request: Incoming): BodySource | null {
  const { exchange, body } = request;
  if (exchange !== undefined) return exchange.hasMore ? new ExchangeBody(exchange) : null;
  return body === null ? null : new StreamBody(body);
}

/** Of a door that has the bytes: the connection drops by itself what nobody has wanted. */
class ExchangeBody implements BodySource {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  pour(taker: BodyTaker): void {
    this.#exchange.pourBody(taker);
  }
  pause(): void {
    this.#exchange.pauseBody();
  }
  resume(): void {
    this.#exchange.resumeBody();
  }
  stop(): void {
    this.#exchange.resumeBody();
  }
}

const readerOf = (stream: ReadableStream<Uint8Array>) => stream.getReader();
type BodyReader = ReturnType<typeof readerOf>;

class StreamBody implements BodySource {
  readonly #stream: ReadableStream<Uint8Array>;
  #reader: BodyReader | null = null;
  #room: PromiseWithResolvers<void> | null = null;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#stream = stream;
  }

  pour(taker: BodyTaker): void {
    const reader = readerOf(this.#stream);
    this.#reader = reader;
    this.#read(reader, taker).catch((error: unknown) =>
      taker.failed(error instanceof Error ? error : new Error(String(error))),
    );
  }

  async #read(reader: BodyReader, taker: BodyTaker): Promise<void> {
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      if (this.#reader === null) return;
      taker.add(step.value, 0, step.value.length);
      await this.#room?.promise;
    }
    if (this.#reader !== null) taker.whole();
  }

  pause(): void {
    this.#room ??= Promise.withResolvers<void>();
  }

  resume(): void {
    this.#room?.resolve();
    this.#room = null;
  }

  stop(): void {
    const reader = this.#reader;
    this.#reader = null;
    this.resume();
    // It may be broken already, which is why nobody wants it.
    reader?.cancel().catch(() => undefined);
  }
}
