/**
 * From the application's `Response` to an answer of node:http: whole bodies, long ones, and held streams, which write to the
 * answer directly. Used by early-listener.ts.
 */
import type { ServerResponse } from "node:http";
import { pulledBodyOf, type StreamSink } from "../direct-answer.ts";
import { isOfHandler } from "../handlers/answer.ts";
import { log } from "../log.ts";

/** A body longer than this is streamed instead of read whole. */
const MAX_WHOLE_BYTES = 1 << 20;

/** nginx's own (push-stream spec 0.5); Bun's server does not let us choose, so they are here only. */
const PHRASES: ReadonlyMap<number, string> = new Map([
  [405, "Not Allowed"],
  [413, "Request Entity Too Large"],
]);

/** Header names as the native server spells them; a Headers object only has them in lower case. */
const SPELLINGS: ReadonlyMap<string, string> = new Map(
  [
    "Sec-WebSocket-Version",
    "WWW-Authenticate",
    "X-Nginx-PushStream-Commit",
    "X-Nginx-PushStream-Explain",
    "X-Nginx-PushStream-Tag",
  ].map((name) => [name.toLowerCase(), name]),
);

const spelled = (name: string): string =>
  SPELLINGS.get(name) ?? name.replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase());

/**
 * Resolves when the answer is written, or a held stream was begun. Who takes nothing of it for `idleMs` after its end is cut off;
 * node:http would keep the bytes and the connection for as long as the client likes.
 */
export async function writeAnswer(
  outgoing: ServerResponse,
  response: Response,
  idleMs: number,
): Promise<void> {
  const held = pulledBodyOf(response);
  const head = Array.from(response.headers, ([name, value]) => [spelled(name), value]).flat();
  if (held !== undefined) {
    writeHead(outgoing, response.status, head);
    outgoing.flushHeaders();
    if (outgoing.destroyed) return held.cancel();
    outgoing.once("close", () => held.cancel());
    held.pull(new NodeSink(outgoing, idleMs));
    return;
  }
  if (response.body === null) {
    writeHead(outgoing, response.status, head);
    outgoing.end();
    return;
  }
  // Compressed as it is sent, because it is large, or a handler's: as a blob it would be in memory as a whole, or have no end.
  const { headers } = response;
  if ((headers.has("content-encoding") || isOfHandler(response)) && !headers.has("content-length")) {
    writeHead(outgoing, response.status, head);
    await writeLong(outgoing, response.body, idleMs);
    return;
  }
  // A file, or what will be as long as that: as a blob it might be in memory as a whole, too.
  const declared = Number(headers.get("content-length") ?? 0);
  if (declared > MAX_WHOLE_BYTES) {
    writeHead(outgoing, response.status, head);
    await writeLong(outgoing, response.body, idleMs, declared);
    return;
  }
  const body = await response.blob();
  if (!headers.has("content-length")) head.push("Content-Length", String(body.size));
  writeHead(outgoing, response.status, head);
  if (body.size > MAX_WHOLE_BYTES) return await writeLong(outgoing, body.stream(), idleMs);
  outgoing.end(await body.bytes());
  cutOffWhenStuck(outgoing, idleMs);
}

function writeHead(outgoing: ServerResponse, status: number, head: string[]): void {
  const phrase = PHRASES.get(status);
  if (phrase === undefined) outgoing.writeHead(status, head);
  else outgoing.writeHead(status, phrase, head);
}

/** `declared`: how long the head says it is. A body that ends before that (a file that shrank) ends the connection, as nothing else tells. */
async function writeLong(
  outgoing: ServerResponse,
  body: ReadableStream<Uint8Array>,
  idleMs: number,
  declared = 0,
): Promise<void> {
  let written = 0;
  const reader = body.getReader();
  // A body that stands still must hear that its reader has left.
  outgoing.once("close", () => {
    reader
      .cancel()
      .catch((error: unknown) => log("debug", "a body did not end in peace", { error: String(error) }));
  });
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    if (outgoing.destroyed) return;
    written += step.value.length;
    if (outgoing.write(step.value)) continue;
    const stuck = setTimeout(() => outgoing.destroy(), idleMs);
    await room(outgoing);
    clearTimeout(stuck);
  }
  if (written < declared) {
    outgoing.destroy();
    return;
  }
  outgoing.end();
  cutOffWhenStuck(outgoing, idleMs);
}

/** Call at the end of an answer: ends the connection once none of the bytes that are left were taken for `idleMs`. */
function cutOffWhenStuck(outgoing: ServerResponse, idleMs: number): void {
  let left = outgoing.writableLength;
  if (left === 0) return;
  const look = setInterval(() => {
    if (outgoing.writableLength >= left) outgoing.destroy();
    left = outgoing.writableLength;
  }, idleMs);
  outgoing.once("close", () => clearInterval(look));
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
  readonly #idleMs: number;
  /** Each write goes out at once instead of with the next flush. */
  #isDirect = false;
  #kept: Uint8Array[] = [];

  constructor(outgoing: ServerResponse, idleMs: number) {
    this.#outgoing = outgoing;
    this.#idleMs = idleMs;
  }

  start({ highWaterMark }: { highWaterMark: number }): void {
    this.#isDirect = highWaterMark <= 1;
  }

  write(bytes: Uint8Array): number | Promise<number> {
    // The caller may reuse its buffer, and node:http keeps what the socket does not take at once by reference.
    const own = bytes.slice();
    if (this.#isDirect) return this.#send(own);
    this.#kept.push(own);
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
    cutOffWhenStuck(this.#outgoing, this.#idleMs);
    return flushed;
  }

  /** What was sent is not the whole, and the client is to see that. */
  close(): void {
    this.#outgoing.destroy();
  }

  #send(bytes: Uint8Array): number | Promise<number> {
    if (bytes.length === 0) return 0;
    if (this.#outgoing.write(bytes) || this.#outgoing.destroyed) return bytes.length;
    return room(this.#outgoing).then(() => bytes.length);
  }
}
