/**
 * The answer of a poll: a whole body that is sent in chunks all the same, as the module's subscribers get it (push-stream spec 4.12 (5), A.2);
 * a client of theirs may wait for the last chunk. Made by poll.ts.
 *
 * Bun sends a body it has whole with its length, and one that is flushed before its end in chunks. A listener of our own asks for
 * the bytes instead (listen/node-answer.ts).
 */
import type { HeaderFields } from "../answer.ts";
import type { StreamSink } from "../fanout/streams.ts";

const bodies = new WeakMap<Response, Uint8Array>();

export function chunkedAnswer(body: Uint8Array<ArrayBuffer>, headers: HeaderFields): Response {
  const response = new Response(new ReadableStream(new WholeBody(body)), { headers });
  bodies.set(response, body);
  return response;
}

/** The bytes of an answer made here; undefined for all others. */
export const chunkedBodyOf = (response: Response): Uint8Array | undefined => bodies.get(response);

class WholeBody {
  readonly #body: Uint8Array<ArrayBuffer>;

  constructor(body: Uint8Array<ArrayBuffer>) {
    this.#body = body;
  }

  get type(): "direct" {
    return "direct";
  }

  pull(sink: StreamSink): void {
    sink.write(this.#body);
    sink.flush();
    sink.end();
  }
}
