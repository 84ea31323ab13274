/**
 * HTTP as bytes: the conformance suites write requests by hand and read answers as they come, because `fetch`
 * hides what they are about (header spelling, chunks, a head that leaves before its body, who closes). Every
 * read has a deadline and says what came instead.
 */
import { connect, type Socket } from "node:net";
import { until } from "./running-server.ts";

const WITHIN_MS = 10_000;
const HEAD_END = "\r\n\r\n";

export interface RawHead {
  readonly statusLine: string;
  readonly status: number;
  /** By lower-case name; a field that came twice has both values joined by ", ". */
  readonly fields: ReadonlyMap<string, string>;
  /** As received, without the empty line. */
  readonly text: string;
}

export interface RawAnswer extends RawHead {
  readonly body: Buffer;
}

export interface RawRequest {
  readonly method?: string;
  readonly version?: "1.0" | "1.1";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export class RawConnection {
  /** The peer has ended its side, or the connection broke. */
  ended = false;
  #buffer = Buffer.alloc(0);
  #wake: (() => void) | null = null;
  /** Bytes of the chunk being read that are still to come; -1: the next thing is a chunk's size. */
  #chunkLeft = -1;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (data) => {
      const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
      this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
      this.#wake?.();
    });
    const end = (): void => {
      this.ended = true;
      this.#wake?.();
    };
    socket.on("end", end);
    socket.on("close", end);
    socket.on("error", end);
  }

  /** `from`: the client's own address, any of 127.0.0.0/8. */
  static async open(port: number, from = "127.0.0.1"): Promise<RawConnection> {
    const socket = connect({ port, host: "127.0.0.1", localAddress: from, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", () => resolve());
      socket.once("error", reject);
    });
    return new RawConnection(socket);
  }

  send(bytes: string | Uint8Array): void {
    this.#socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** Sends a request of which nothing has to be unusual. */
  request(path: string, { method = "GET", version = "1.1", headers = {}, body }: RawRequest = {}): void {
    const bytes = body === undefined ? null : typeof body === "string" ? Buffer.from(body) : body;
    const fields = { Host: "x", ...(bytes === null ? {} : { "Content-Length": bytes.length }), ...headers };
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
    this.send(`${method} ${path} HTTP/${version}\r\n${lines.join("")}\r\n`);
    if (bytes !== null) this.send(bytes);
  }

  async head(): Promise<RawHead> {
    await this.#await("a response head", () => this.#buffer.includes(HEAD_END) || this.ended);
    const end = this.#buffer.indexOf(HEAD_END);
    if (end < 0) throw new Error(`no response head: ${JSON.stringify(this.#buffer.toString("latin1"))}`);
    this.#chunkLeft = -1;
    return parseHead(this.#take(end + HEAD_END.length).toString("latin1", 0, end));
  }

  /** The whole answer to a request with this method. */
  async answer(method = "GET"): Promise<RawAnswer> {
    const head = await this.head();
    return { ...head, body: await this.body(head, method) };
  }

  /** The whole body that follows a head, whichever way its end is known. */
  async body({ status, fields }: RawHead, method = "GET"): Promise<Buffer> {
    if (status === 304 || status === 204 || method === "HEAD") return Buffer.alloc(0);
    if (fields.get("transfer-encoding") === "chunked") return await this.restOfChunks();
    const length = fields.get("content-length");
    return length === undefined ? await this.untilEnd() : await this.read(Number(length));
  }

  /** Exactly so many bytes as they are on the wire. */
  async read(length: number): Promise<Buffer> {
    await this.#await(`${length} bytes`, () => this.#buffer.length >= length || this.ended);
    if (this.#buffer.length < length)
      throw new Error(`${length} bytes expected: ${JSON.stringify(this.#buffer.toString("latin1"))}`);
    return this.#take(length);
  }

  /** Everything up to the end of the connection. */
  async untilEnd(): Promise<Buffer> {
    await this.#await("the end of the connection", () => this.ended);
    return this.#take(this.#buffer.length);
  }

  /** So many bytes of a chunked body; how they are cut into chunks is free (spec 12.4). */
  async chunked(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      if (this.#chunkLeft <= 0) await this.#nextChunk();
      if (this.#chunkLeft === 0) throw new Error(`the body ended ${missing} bytes early: ${show(parts)}`);
      const part = await this.read(Math.min(missing, this.#chunkLeft));
      await this.#used(part.length);
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** The same as text, and compared by the caller. */
  async chunkedText(length: number): Promise<string> {
    return (await this.chunked(length)).toString("latin1");
  }

  /** What is left of a chunked body, its end included. */
  async restOfChunks(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (;;) {
      if (this.#chunkLeft <= 0) await this.#nextChunk();
      if (this.#chunkLeft === 0) break;
      const part = await this.read(this.#chunkLeft);
      await this.#used(part.length);
      parts.push(part);
    }
    const trailer = (await this.read(2)).toString("latin1");
    if (trailer !== "\r\n") throw new Error(`after the last chunk: ${JSON.stringify(trailer)}`);
    this.#chunkLeft = -1;
    return Buffer.concat(parts);
  }

  async #nextChunk(): Promise<void> {
    await this.#await("a chunk", () => this.#buffer.includes("\r\n") || this.ended);
    const end = this.#buffer.indexOf("\r\n");
    const size = this.#buffer.toString("latin1", 0, Math.max(end, 0));
    if (end < 0 || !/^(0|[1-9a-f][0-9a-f]*)$/i.test(size))
      throw new Error(`no chunk size: ${JSON.stringify(this.#buffer.toString("latin1").slice(0, 200))}`);
    this.#take(end + 2);
    this.#chunkLeft = Number.parseInt(size, 16);
  }

  async #used(length: number): Promise<void> {
    this.#chunkLeft -= length;
    if (this.#chunkLeft > 0) return;
    const end = (await this.read(2)).toString("latin1");
    if (end !== "\r\n") throw new Error(`after a chunk: ${JSON.stringify(end)}`);
    this.#chunkLeft = -1;
  }

  /** Bytes that came and were not read yet. */
  get unread(): number {
    return this.#buffer.length;
  }

  /** The same, looked at and left where it is. */
  peek(): string {
    return this.#buffer.toString("latin1");
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(length: number): Buffer {
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  async #await(what: string, there: () => boolean): Promise<void> {
    const deadline = Date.now() + WITHIN_MS;
    while (!there()) {
      const leftMs = deadline - Date.now();
      if (leftMs <= 0) {
        const got = JSON.stringify(this.#buffer.toString("latin1").slice(0, 500));
        throw new Error(`waited ${WITHIN_MS} ms in vain for ${what}; ${got} came`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = null;
    }
  }
}

/** One request on a connection of its own. */
export async function ask(
  port: number,
  path: string,
  request: RawRequest = {},
  from?: string,
): Promise<RawAnswer> {
  const connection = await RawConnection.open(port, from);
  try {
    connection.request(path, request);
    return await connection.answer(request.method);
  } finally {
    connection.close();
  }
}

/** Waits until so many subscriptions stand in a channel: what is published from now on reaches them live. */
export async function standing(port: number, channel: string, count = 1): Promise<void> {
  const line = `"subscribers": ${count}}`;
  await until(`${count} subscribers of ${channel}`, async () => {
    const { body } = await ask(port, `/channels-stats?id=${channel}`);
    return body.includes(line);
  });
}

function parseHead(text: string): RawHead {
  const [statusLine = "", ...lines] = text.split("\r\n");
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(": ");
    const name = line.slice(0, colon).toLowerCase();
    const known = fields.get(name);
    const value = line.slice(colon + 2);
    fields.set(name, known === undefined ? value : `${known}, ${value}`);
  }
  return { statusLine, status: Number(statusLine.split(" ")[1]), fields, text };
}

const show = (parts: readonly Buffer[]): string => JSON.stringify(Buffer.concat(parts).toString("latin1"));
