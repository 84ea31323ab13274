/**
 * Clients over plain sockets that know which worker process serves them, for tests that stop and kill
 * workers: whose connection may break is then no guess. What they read are messages like `<17>`, which look
 * the same on every transport.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { HANDSHAKE } from "./raw-web-socket.ts";

export const TRANSPORTS = ["sub", "ev", "ws", "lp", "poll"] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** Between two polls. */
const POLL_MS = 100;

/**
 * The process among `pids` that has the server's end of a connection from this port; 0: it is accepted by
 * none of them.
 */
export function servedBy(port: number, serverPort: number, pids: Iterable<number>): number {
  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(4, "0");
  const ends = `0100007F:${hex(serverPort)} 0100007F:${hex(port)} `;
  const text = readFileSync("/proc/net/tcp", "latin1");
  const at = text.indexOf(ends);
  // The ends are the second and third field of their line, the inode is the tenth.
  const inode = at < 0 ? "0" : (text.slice(at, at + 200).split(/\s+/)[8] ?? "0");
  if (inode === "0") return 0;
  for (const pid of pids) if (holds(pid, `socket:[${inode}]`)) return pid;
  return 0;
}

function holds(pid: number, target: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => linkOf(`${folder}/${fd}`) === target);
  } catch {
    return false; // the process is gone
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // closed meanwhile
  }
}

export interface HeldOptions {
  readonly port: number;
  readonly transport: Transport;
  readonly channel: string;
  readonly pids: () => Iterable<number>;
}

/** One connection of one subscriber, from its start to its end. */
export class HeldClient {
  readonly transport: Transport;
  /** The process that answered it; 0: none yet. */
  worker = 0;
  /** Numbers of the messages, in order. */
  readonly messages: number[] = [];
  /** The server's status, 0 before it answered. */
  status = 0;
  broken = false;
  readonly #socket: Socket;
  readonly #options: HeldOptions;
  #closed = false;
  #rest = "";
  #position: readonly [string, string] = ["", ""];

  constructor(options: HeldOptions) {
    this.#options = options;
    this.transport = options.transport;
    this.#socket = connect({ port: options.port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("connect", () => this.#ask());
    this.#socket.on("data", (data) => this.#read(Buffer.from(data).toString("latin1")));
    const end = (): void => {
      this.broken ||= !this.#closed;
    };
    this.#socket.on("close", end).on("end", end).on("error", end);
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  /** A WebSocket's message to its own channel; a short text, masked with zeros. */
  publish(text: string): void {
    const head = Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]);
    this.#socket.write(Buffer.concat([head, Buffer.from(text)]));
  }

  get #isPoll(): boolean {
    return this.transport === "lp" || this.transport === "poll";
  }

  #ask(): void {
    const { transport, channel } = this.#options;
    const [time, tag] = this.#position;
    const fields = transport === "ws" ? Object.entries(HANDSHAKE) : [];
    if (time !== "") fields.push(["If-Modified-Since", time], ["If-None-Match", tag]);
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    // A poll that brings no position is told of nothing old.
    const path = transport === "poll" && time === "" ? `${channel}.b1000` : channel;
    this.#socket.write(`GET /${transport}/${path} HTTP/1.1\r\nHost: x\r\n${lines}\r\n`);
  }

  #read(text: string): void {
    this.#rest += text;
    if (this.status === 0) this.#begun();
    if (this.#isPoll) this.#answers();
    else this.#take(this.#rest);
  }

  #begun(): void {
    const { port, pids } = this.#options;
    this.status = Number(/^HTTP\/1\.1 (\d+)/.exec(this.#rest)?.[1] ?? 0);
    this.worker = servedBy(this.#socket.localPort ?? 0, port, pids());
  }

  /** Takes whole messages from the text; the last one may not be complete. */
  #take(text: string): void {
    let end = 0;
    for (const found of text.matchAll(/<(\d+)>/g)) {
      this.messages.push(Number(found[1]));
      end = found.index + found[0].length;
    }
    this.#rest = text.slice(Math.max(end, text.length - 16));
  }

  /** Whole answers to polls: 200 with a body of known length, or without one (304, 503). */
  #answers(): void {
    const head = this.#rest.slice(0, this.#rest.indexOf("\r\n\r\n") + 4);
    if (head.length < 4) return;
    const field = (name: string): string => new RegExp(`^${name}: (.*)\\r$`, "mi").exec(head)?.[1] ?? "";
    const body = bodyOf(head, this.#rest.slice(head.length));
    if (body === null) return;
    this.status = Number(head.slice(9, 12));
    const position = [field("last-modified"), field("etag")] as const;
    if (position[0] !== "") this.#position = position;
    this.#take(body);
    this.#rest = "";
    setTimeout(() => !this.#closed && !this.broken && this.#ask(), this.transport === "poll" ? POLL_MS : 0);
  }
}

/** null: it is not complete. */
function bodyOf(head: string, rest: string): string | null {
  if (/^transfer-encoding: chunked/im.test(head)) return rest.endsWith("0\r\n\r\n") ? rest : null;
  const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
  return head.startsWith("HTTP/1.1 304") ? "" : rest.length >= length ? rest : null;
}
