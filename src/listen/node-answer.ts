/**
 * From the application's `Response` to an answer of node:http: whole bodies, long ones, and held streams, which write to the
 * answer directly. Used by early-listener.ts.
 */
import type { ServerResponse } from "node:http";
import type { StreamSink } from "../fanout/streams.ts";
import { heldStreamOf } from "../subscribe/stream.ts";

/** A body longer than this is streamed instead of read whole. */
const MAX_WHOLE_BYTES = 1 << 20;

/** Header names as the native server spells them; a Headers object only has them in lower case. */
const SPELLINGS: ReadonlyMap<string, string> = new Map(
  [
    "WWW-Authenticate",
    "X-Nginx-PushStream-Commit",
    "X-Nginx-PushStream-Explain",
    "X-Nginx-PushStream-Tag",
  ].map((name) => [name.toLowerCase(), name]),
);

const spelled = (name: string): string =>
  SPELLINGS.get(name) ?? name.replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase());

/** Resolves when the answer is written, or a held stream was begun. */
export async function writeAnswer(outgoing: ServerResponse, response: Response): Promise<void> {
  const held = heldStreamOf(response);
  const head = Array.from(response.headers, ([name, value]) => [spelled(name), value]).flat();
  if (held !== undefined) {
    outgoing.writeHead(response.status, head);
    outgoing.flushHeaders();
    if (outgoing.destroyed) return held.cancel();
    outgoing.once("close", () => held.cancel());
    held.pull(new NodeSink(outgoing));
    return;
  }
  if (response.body === null) {
    outgoing.writeHead(response.status, head);
    outgoing.end();
    return;
  }
  const body = await response.blob();
  if (!response.headers.has("content-length")) head.push("Content-Length", String(body.size));
  outgoing.writeHead(response.status, head);
  if (body.size <= MAX_WHOLE_BYTES) outgoing.end(await body.bytes());
  else await writeLong(outgoing, body);
}

async function writeLong(outgoing: ServerResponse, body: Blob): Promise<void> {
  for await (const chunk of body.stream()) {
    if (outgoing.destroyed) return;
    if (!outgoing.write(chunk)) await room(outgoing);
  }
  outgoing.end();
}

/** Resolves when the client has read on, or is gone. */
function room(outgoing: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => {
    outgoing.off("drain", done);
    outgoing.off("close", done);
    resolve();
  };
  outgoing.on("drain", done);
  outgoing.on("close", done);
  return promise;
}

/** A node response as what Bun gives a direct stream. */
class NodeSink implements StreamSink {
  readonly #outgoing: ServerResponse;
  /** Each write goes out at once instead of with the next flush. */
  #isDirect = false;
  #kept: Uint8Array[] = [];

  constructor(outgoing: ServerResponse) {
    this.#outgoing = outgoing;
  }

  start({ highWaterMark }: { highWaterMark: number }): void {
    this.#isDirect = highWaterMark <= 1;
  }

  write(bytes: Uint8Array): number | Promise<number> {
    if (this.#isDirect) return this.#send(bytes);
    // The caller may reuse its buffer.
    this.#kept.push(bytes.slice());
    return bytes.length;
  }

  flush(): number | Promise<number> {
    if (this.#kept.length === 0) return 0;
    const bytes = this.#kept.length === 1 ? this.#kept[0] : Buffer.concat(this.#kept);
    this.#kept = [];
    return bytes === undefined ? 0 : this.#send(bytes);
  }

  end(): number | Promise<number> {
    const flushed = this.flush();
    this.#outgoing.end();
    return flushed;
  }

  #send(bytes: Uint8Array): number | Promise<number> {
    if (bytes.length === 0) return 0;
    if (this.#outgoing.write(bytes) || this.#outgoing.destroyed) return bytes.length;
    return room(this.#outgoing).then(() => bytes.length);
  }
}
