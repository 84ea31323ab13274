/**
 * A receiver of webhooks that behaves as it is told, and keeps what it took. Every signature is verified, as
 * a receiver of users would.
 */
import { createHmac } from "node:crypto";
import type { Socket } from "bun";

export const SECRET = "a secret of the tests";

export interface HookEvent {
  readonly id: string;
  readonly event: string;
  readonly channel?: string;
  readonly data?: string;
  readonly missed?: number | null;
  readonly [more: string]: unknown;
}

export interface Taken {
  readonly webhook: string;
  readonly events: readonly HookEvent[];
}

/** What it does with a request. */
export type Manner = "take" | "hang" | "500" | "redirect" | "reset" | "endless";

interface Connection {
  bytes: Buffer;
}

export class Receiver {
  readonly url: string;
  /** Batches that it said it took, in order. */
  readonly batches: Taken[] = [];
  /** Every request, taken or not. */
  requests = 0;
  faults: string[] = [];
  manner: () => Manner = () => "take";
  readonly #server: Bun.TCPSocketListener<Connection>;
  readonly #open = new Set<Socket<Connection>>();

  constructor(port = 0) {
    this.#server = Bun.listen<Connection>({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => {
          socket.data = { bytes: Buffer.alloc(0) };
          this.#open.add(socket);
        },
        data: (socket, chunk) => this.#read(socket, chunk),
        close: (socket) => {
          this.#open.delete(socket);
        },
        error: () => undefined,
      },
    });
    this.url = `http://127.0.0.1:${this.#server.port}/hook`;
  }

  get port(): number {
    return this.#server.port;
  }

  get events(): HookEvent[] {
    return this.batches.flatMap(({ events }) => events);
  }

  /** Kind and channel of each, with the data of publishes. */
  get told(): string[] {
    return this.events.map(({ event, channel, data }) => [event, channel, data].filter(Boolean).join(" "));
  }

  stop(): void {
    this.#server.stop(true);
    for (const socket of this.#open) socket.terminate();
  }

  #read(socket: Socket<Connection>, chunk: Buffer): void {
    const { data } = socket;
    data.bytes = Buffer.concat([data.bytes, chunk]);
    for (;;) {
      const end = data.bytes.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = data.bytes.subarray(0, end).toString("latin1");
      const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
      const whole = end + 4 + length;
      if (data.bytes.length < whole) return;
      const body = data.bytes.subarray(end + 4, whole);
      data.bytes = data.bytes.subarray(whole);
      this.#answer(socket, head, Buffer.from(body));
    }
  }

  #answer(socket: Socket<Connection>, head: string, body: Buffer): void {
    this.requests++;
    const fault = faultOf(head, body);
    if (fault !== null) this.faults.push(fault);
    switch (this.manner()) {
      case "hang":
        return;
      case "reset":
        socket.terminate();
        return;
      case "500":
        socket.write("HTTP/1.1 500 Nope\r\nContent-Length: 4\r\n\r\noops");
        return;
      case "redirect":
        socket.write(`HTTP/1.1 302 There\r\nLocation: ${this.url}\r\nContent-Length: 0\r\n\r\n`);
        return;
      case "endless":
        this.#take(body);
        socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (let at = 0; at < 64; at++) socket.write(`1000\r\n${"x".repeat(4096)}\r\n`);
        return;
      default:
        this.#take(body);
        socket.write("HTTP/1.1 204 Thanks\r\n\r\n");
    }
  }

  #take(body: Buffer): void {
    this.batches.push(JSON.parse(body.toString()));
  }
}

function faultOf(head: string, body: Buffer): string | null {
  if (!head.startsWith("POST /hook HTTP/1.1\r\n")) return `not what was asked for: ${head.split("\r\n")[0]}`;
  const [, time, mac] = /^x-sluice-signature: t=(\d+),v1=([0-9a-f]{64})\r?$/im.exec(head) ?? [];
  if (time === undefined) return "no signature";
  if (Math.abs(Date.now() / 1000 - Number(time)) > 60) return `signed at ${time}`;
  const right = createHmac("sha256", SECRET).update(`${time}.`).update(body).digest("hex");
  return mac === right ? null : "a wrong signature";
}

export const hook = (receiver: Receiver, events: readonly string[], more = "", name = "backend"): string => `
[[webhook]]
name = "${name}"
url = "${receiver.url}"
events = ${JSON.stringify(events)}
secret = "${SECRET}"
${more.includes("batch =") ? "" : 'batch = "20ms"'}
${more}`;
