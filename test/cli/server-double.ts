/**
 * A stand-in for the server, small enough to be read: the URL layout of the embedded default config, positions, gaps, and the
 * misbehaviour a client must survive (connections cut in the middle of a message). Used by the tests of this folder; that the
 * real server speaks like this is proven by the tests that start it.
 */

import type { Server, ServerWebSocket } from "bun";
import { freePort } from "../binary/running-server.ts";
import {
  EPOCH,
  eventText,
  frameText,
  HALF,
  pollHeaders,
  positionsOf,
  type Stored,
  SUMMARY,
} from "./double-wire.ts";

interface Peer {
  readonly channels: readonly string[];
  readonly token: string | null;
  readonly last: readonly number[];
}

/** A live subscriber: told each message; before its connection is cut it may get the beginning of one. */
interface Live {
  readonly channels: readonly string[];
  send(message: Stored): void;
  beforeCut(half: boolean): void;
  ping?(): void;
}

const PING_LINE = " \n";
const encoder = new TextEncoder();

export class ServerDouble {
  readonly url: string;
  /** Every request line with the headers that carry a position, for assertions. */
  readonly requests: string[] = [];
  /** When set, every request is refused so. */
  refuse: { readonly status: number; readonly explain: string } | null = null;
  /** Refuses once this many requests were answered. */
  refuseAfter: { readonly requests: number; readonly status: number; readonly explain: string } | null = null;
  #answered = 0;
  readonly #port: number;
  #server: Server<Peer>;
  #messages: Stored[] = [];
  #positions = 100;
  readonly #live = new Set<Live>();

  private constructor(port: number, server: Server<Peer>) {
    this.#port = port;
    this.#server = server;
    this.url = `http://127.0.0.1:${port}`;
  }

  static start(): ServerDouble {
    const port = freePort();
    const placeholder = Bun.serve<Peer>({ port, hostname: "127.0.0.1", fetch: () => new Response() });
    placeholder.stop(true);
    const double = new ServerDouble(port, placeholder);
    double.listen();
    return double;
  }

  listen(): void {
    this.#server = Bun.serve<Peer>({
      port: this.#port,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      fetch: (request, server) => this.#answer(request, server),
      websocket: {
        open: (socket) => this.#openSocket(socket),
        message: () => undefined,
      },
    });
  }

  /** Cuts every connection, in the middle of a message if `half`, and refuses new ones until listen(). */
  async cut(half = false): Promise<void> {
    for (const live of this.#live) live.beforeCut(half);
    await Bun.sleep(30);
    this.#live.clear();
    await this.#server.stop(true);
  }

  /** What the real server does every ping interval. */
  ping(): void {
    for (const live of this.#live) live.ping?.();
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  publish(channel: string, text: string | Uint8Array, eventType: string | null = null): void {
    const position = this.#positions++;
    const id = this.#of(channel).length + 1;
    const data = typeof text === "string" ? encoder.encode(text) : text;
    const message = { channel, position, id, time: 1_700_000_000, tag: position, eventType, data };
    this.#messages.push(message);
    for (const live of [...this.#live]) if (live.channels.includes(channel)) live.send(message);
  }

  /** Forgets the oldest stored messages. */
  evict(count: number): void {
    this.#messages = this.#messages.slice(count);
  }

  stored(channel: string): Uint8Array[] {
    return this.#of(channel).map(({ data }) => data);
  }

  subscribers(): number {
    return this.#live.size;
  }

  #answer(request: Request, server: Server<Peer>): Response | Promise<Response> | undefined {
    const url = new URL(request.url);
    const position = ["last-event-id", "if-modified-since", "if-none-match"]
      .filter((name) => request.headers.has(name))
      .map((name) => ` ${name}=${request.headers.get(name)}`);
    this.requests.push(`${request.method} ${url.pathname}${url.search}${position.join("")}`);
    const late = this.refuseAfter !== null && this.#answered++ >= this.refuseAfter.requests;
    const refusal = this.refuse ?? (late ? this.refuseAfter : null);
    if (refusal !== null) {
      const headers = { "X-Nginx-PushStream-Explain": refusal.explain };
      return new Response(null, { status: refusal.status, headers });
    }
    const [, kind, ...parts] = url.pathname.split("/");
    const names = parts.map(decodeURIComponent);
    const channels = names.map((name) => name.replace(/\.b\d+$/, ""));
    const last = names.map((name) => Number(/\.b(\d+)$/.exec(name)?.[1] ?? 0));
    if (kind === "pub") return this.#takePublication(request, url.searchParams.get("id") ?? "");
    if (kind === "channels-stats") return this.#statistics(url.searchParams.get("id") ?? "");
    if (kind === "sub") return this.#stream(channels, last);
    if (kind === "ev" && request.headers.get("x-nginx-pushstream-mode") === "long-polling") {
      return this.#longPoll(request, channels, last);
    }
    if (kind === "ev") return this.#events(request, channels, last);
    if (kind === "ws") {
      const data = { channels, last, token: url.searchParams.get("eventid") };
      const headers = { "Sec-WebSocket-Protocol": "sluice.json.v1" };
      if (server.upgrade(request, { data, headers })) return undefined;
    }
    return new Response(null, { status: 404 });
  }

  async #takePublication(request: Request, id: string): Promise<Response> {
    const body = await request.bytes();
    if (body.length === 0) {
      const headers = { "X-Nginx-PushStream-Explain": "Empty post requests are not allowed." };
      return new Response(null, { status: 400, headers });
    }
    this.requests.push(
      `Event-Id=${request.headers.get("event-id")} Event-Type=${request.headers.get("event-type")}`,
    );
    for (const channel of id.split("/")) this.publish(channel, body, request.headers.get("event-type"));
    return this.#statistics(id);
  }

  #statistics(id: string): Response {
    const all = [...new Set(this.#messages.map(({ channel }) => channel))];
    if (id === "") return new Response(SUMMARY);
    const infos = (id === "ALL" ? all : id.split("/").filter((name) => all.includes(name))).map((channel) => {
      const count = this.#of(channel).length;
      const subscribers = [...this.#live].filter((live) => live.channels.includes(channel)).length;
      return { channel, published_messages: count, stored_messages: count, subscribers };
    });
    if (infos.length === 0 && id !== "ALL") return new Response(null, { status: 404 });
    return Response.json(infos.length === 1 && id !== "ALL" ? infos[0] : { hostname: "double", infos });
  }

  #of(channel: string): Stored[] {
    return this.#messages.filter((message) => message.channel === channel);
  }

  /** What a newcomer with a position (or `.bN`) gets first. */
  #backlog(channels: readonly string[], from: readonly number[] | null, last: readonly number[]): Stored[] {
    return channels.flatMap((channel, index) => {
      const stored = this.#of(channel);
      if (from !== null) return stored.filter(({ position }) => position > (from[index] ?? 0));
      const count = last[index] ?? 0;
      return count === 0 ? [] : stored.slice(-count);
    });
  }

  /** How many messages behind the position are gone; only right for one channel on the server. */
  #missed(from: number): number {
    const oldest = this.#messages[0]?.position ?? this.#positions;
    return Math.max(0, oldest - from - 1);
  }

  #start(channels: readonly string[]): number[] {
    return channels.map((channel) => this.#of(channel).at(-1)?.position ?? this.#positions - 1);
  }

  #events(request: Request, channels: readonly string[], last: readonly number[]): Response {
    const from = positionsOf(request.headers.get("last-event-id"));
    const current = from === null ? this.#start(channels) : [...from];
    return this.#hold("text/event-stream; charset=utf-8", channels, (write) => {
      write(": \n");
      const gap = from === null ? 0 : this.#missed(from[0] ?? 0);
      if (gap > 0) {
        current[0] = (current[0] ?? 0) + gap;
        const data = JSON.stringify({ channel: channels[0], missed: gap });
        write(`id: ${EPOCH}-${current.join(",")}\nevent: gap\ndata: ${data}\n\n`);
      }
      const send = (message: Stored) => {
        current[channels.indexOf(message.channel)] = message.position;
        write(eventText(message, `${EPOCH}-${current.join(",")}`));
      };
      for (const message of this.#backlog(channels, from, last)) send(message);
      return {
        channels,
        send,
        beforeCut: (half) => write(half ? `id: ${EPOCH}-99999\ndata: half a mess` : ": -1\n"),
        ping: () => write(": -1\n"),
      };
    });
  }

  #stream(channels: readonly string[], last: readonly number[]): Response {
    return this.#hold("text/plain", channels, (write) => {
      // The header template of the default config: Bun.serve sends the head of an answer with its first bytes.
      write("\n");
      const send = (message: Stored) => {
        write(message.data);
        write("\n");
      };
      for (const message of this.#backlog(channels, null, last)) send(message);
      return { channels, send, beforeCut: (half) => write(half ? "half a mess" : PING_LINE) };
    });
  }

  #hold(
    contentType: string,
    channels: readonly string[],
    begin: (write: (bytes: string | Uint8Array) => void) => Live,
  ): Response {
    let live: Live = { channels, send: () => undefined, beforeCut: () => undefined };
    const body = new ReadableStream({
      start: (controller) => {
        live = begin((bytes) => controller.enqueue(bytes));
        this.#live.add(live);
      },
      cancel: () => {
        this.#live.delete(live);
      },
    });
    return new Response(body, { headers: { "Content-Type": contentType } });
  }

  #longPoll(
    request: Request,
    channels: readonly string[],
    last: readonly number[],
  ): Response | Promise<Response> {
    const tag = /^W\/(\d+)$/.exec(request.headers.get("if-none-match") ?? "")?.[1];
    const from = tag === undefined ? null : channels.map(() => Number(tag));
    const backlog = this.#backlog(channels, from, last);
    const newest = backlog.at(-1);
    if (newest !== undefined) {
      const text = backlog.map((message) => eventText(message, null)).join("");
      return new Response(text, { headers: pollHeaders(newest) });
    }
    // Held: not even the head of the answer comes before there is a message.
    return new Promise((resolve) => {
      const live: Live = {
        channels,
        send: (message) => {
          this.#live.delete(live);
          const text = eventText(message, null);
          resolve(new Response(text, { headers: pollHeaders(message) }));
        },
        // Bun.serve does not cut a request it has not begun to answer, so the answer begins either way.
        beforeCut: (half) => {
          const text = half ? eventText(HALF, null).repeat(2).slice(0, -5) : ": \n";
          const start = (controller: ReadableStreamDefaultController) => controller.enqueue(text);
          resolve(new Response(new ReadableStream({ start }), { headers: pollHeaders(HALF) }));
        },
      };
      this.#live.add(live);
    });
  }

  #openSocket(socket: ServerWebSocket<Peer>): void {
    const { channels, token: asked, last } = socket.data;
    const from = positionsOf(asked);
    const start =
      from ?? this.#start(channels).map((position, index) => ((last[index] ?? 0) > 0 ? 0 : position));
    const current = [...start];
    const token = (): string => `${EPOCH}-${current.join()}`;
    socket.send(JSON.stringify({ kind: "hello", channels, position: token() }));
    const gap = from === null ? 0 : this.#missed(from[0] ?? 0);
    if (gap > 0) {
      current[0] = (from?.[0] ?? 0) + gap;
      socket.send(JSON.stringify({ kind: "gap", channel: channels[0], missed: gap, position: token() }));
    }
    const send = (message: Stored) => {
      current[channels.indexOf(message.channel)] = message.position;
      socket.send(frameText(message, token()));
    };
    for (const message of this.#backlog(channels, from, last)) send(message);
    this.#live.add({ channels, send, beforeCut: () => undefined });
  }
}
