/**
 * Subscribers that take bytes only when pulled: a held HTTP response and a WebSocket on a KernelSocket.
 * Between two pulls they are the readers that stopped reading; nothing but the kernel's buffers holds what
 * was sent to them.
 */
import { randomBytes } from "node:crypto";
import { KernelSocket, type KernelSocketOptions } from "./kernel-socket.ts";

const HEAD_END = Buffer.from("\r\n\r\n");
const LINE_END = Buffer.from("\r\n");

/** A GET whose answer is a chunked body that goes on and on. */
export class PulledBody {
  readonly socket: KernelSocket;
  /** Status line and header fields; empty until they have arrived. */
  head = "";
  /** The last chunk has come: the server ended the answer in order. */
  finished = false;
  #rest: Buffer = Buffer.alloc(0);
  #chunkLeft = 0;

  private constructor(socket: KernelSocket) {
    this.socket = socket;
  }

  static async get(
    port: number,
    path: string,
    { headers = {}, ...options }: KernelSocketOptions & { headers?: Record<string, string> } = {},
  ): Promise<PulledBody> {
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const socket = new KernelSocket(port, options);
    await socket.send(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${fields.join("")}\r\n`);
    const body = new PulledBody(socket);
    const deadline = Date.now() + 10_000;
    while (body.head === "") {
      // One byte at a time would be slow, and a greedy read would drain what the test wants to leave with the
      // server.
      body.#rest = Buffer.concat([body.#rest, socket.read(1024)]);
      const end = body.#rest.indexOf(HEAD_END);
      if (end >= 0) {
        body.head = body.#rest.toString("latin1", 0, end);
        body.#rest = body.#rest.subarray(end + HEAD_END.length);
      } else if (socket.ended || Date.now() > deadline) throw new Error(`no answer to ${path}`);
      else await Bun.sleep(2);
    }
    return body;
  }

  /** Body bytes that have arrived, at most about `limit`; empty when there are none now. */
  pull(limit?: number): Buffer {
    const arrived = this.socket.read(limit);
    if (arrived.length > 0) this.#rest = Buffer.concat([this.#rest, arrived]);
    const parts: Buffer[] = [];
    while (this.#rest.length > 0 && !this.finished) {
      if (this.#chunkLeft === 0 && !this.#beginChunk()) break;
      const part = this.#rest.subarray(0, this.#chunkLeft);
      this.#rest = this.#rest.subarray(part.length);
      this.#chunkLeft -= part.length;
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  /** Reads a chunk's size line, and the line end of the chunk before it. False: it has not all arrived. */
  #beginChunk(): boolean {
    const from = this.#rest.indexOf(LINE_END) === 0 ? LINE_END.length : 0;
    const end = this.#rest.indexOf(LINE_END, from);
    if (end < 0) return false;
    this.#chunkLeft = Number.parseInt(this.#rest.toString("latin1", from, end), 16);
    this.#rest = this.#rest.subarray(end + LINE_END.length);
    if (this.#chunkLeft === 0) this.finished = true;
    return !this.finished;
  }
}

export const Opcode = { CONTINUE: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** A WebSocket client that never answers by itself, not even a ping or a close. */
export class PulledWebSocket {
  readonly socket: KernelSocket;
  #rest: Buffer;

  private constructor(socket: KernelSocket, rest: Buffer) {
    this.socket = socket;
    this.#rest = rest;
  }

  static async open(
    port: number,
    path: string,
    { protocol = "", ...options }: KernelSocketOptions & { protocol?: string } = {},
  ): Promise<PulledWebSocket> {
    const socket = new KernelSocket(port, options);
    const asked = protocol === "" ? "" : `Sec-WebSocket-Protocol: ${protocol}\r\n`;
    await socket.send(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        ("Sec-WebSocket-Version: 13\r\n" +
          `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n${asked}\r\n`),
    );
    let head: Buffer = Buffer.alloc(0);
    const deadline = Date.now() + 10_000;
    for (;;) {
      head = Buffer.concat([head, socket.read(1024)]);
      const end = head.indexOf(HEAD_END);
      if (end >= 0) {
        if (!head.toString("latin1", 0, end).startsWith("HTTP/1.1 101"))
          throw new Error(`${path} was not upgraded: ${head.toString("latin1", 0, end)}`);
        return new PulledWebSocket(socket, head.subarray(end + HEAD_END.length));
      }
      if (socket.ended || Date.now() > deadline) throw new Error(`no answer to ${path}`);
      await Bun.sleep(2);
    }
  }

  /** Whole frames that have arrived, at most about `limit` bytes of them. */
  pull(limit?: number): Frame[] {
    const arrived = this.socket.read(limit);
    if (arrived.length > 0) this.#rest = Buffer.concat([this.#rest, arrived]);
    const frames: Frame[] = [];
    for (let frame = this.#takeFrame(); frame !== null; frame = this.#takeFrame()) frames.push(frame);
    return frames;
  }

  /** A server's frames are not masked (RFC 6455 5.1). */
  #takeFrame(): Frame | null {
    const bytes = this.#rest;
    if (bytes.length < 2) return null;
    const short = bytes.readUInt8(1) & 0x7f;
    const start = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (bytes.length < start) return null;
    const length =
      short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
    if (bytes.length < start + length) return null;
    this.#rest = bytes.subarray(start + length);
    return { opcode: bytes.readUInt8(0) & 0x0f, payload: bytes.subarray(start, start + length) };
  }
}

/** A client's frame; every part can be bent for tests of what a server must refuse. */
export function clientFrame(
  firstByte: number,
  payload: Uint8Array,
  { masked = true, claimedLength = payload.length } = {},
): Buffer {
  const long = claimedLength > 125;
  const head = Buffer.alloc(long ? 10 : 2);
  head.writeUInt8(firstByte, 0);
  head.writeUInt8((masked ? 0x80 : 0) | (long ? 127 : claimedLength), 1);
  if (long) head.writeBigUInt64BE(BigInt(claimedLength), 2);
  // A mask of zeros leaves the payload as it is.
  return Buffer.concat([head, masked ? Buffer.alloc(4) : Buffer.alloc(0), payload]);
}
