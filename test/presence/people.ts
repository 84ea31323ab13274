/**
 * Somebody with a token who stands in a channel on some transport, comes back when his connection breaks, and
 * keeps what he is told.
 */
import { createParser, type EventSourceParser } from "eventsource-parser";
import { withSecret } from "../access/issuing.ts";
import type { RunningServer } from "../binary/running-server.ts";

export const TRANSPORTS = ["ws", "ev", "sub", "lp"] as const;
export type Transport = (typeof TRANSPORTS)[number];

export interface Told {
  readonly event: "join" | "leave" | "occupancy" | "reset" | "lost";
  readonly channel: string;
  readonly number: number;
  readonly sub?: string;
  readonly info?: unknown;
  readonly count?: number;
  readonly anonymous?: boolean;
  readonly missed?: number;
  readonly position?: string;
}

export interface Listed {
  readonly channel: string;
  readonly count: number;
  readonly degraded: boolean;
  readonly number: number;
  readonly position: string;
  readonly members: readonly {
    readonly sub: string;
    readonly info?: unknown;
    readonly since: number;
    readonly connections: number;
    readonly anonymous?: boolean;
  }[];
}

/** While a worker dies with the store's lock the answer may be 503: again in a moment. */
export async function listOf(server: RunningServer, channel: string, tries = 5): Promise<Listed> {
  const { status, text } = await server
    .request(`/presence/${channel}`)
    .catch(() => ({ status: 503, text: "" }));
  if (status === 503 && tries > 0) {
    await Bun.sleep(50);
    return listOf(server, channel, tries - 1);
  }
  if (status !== 200) throw new Error(`the list was answered ${status}`);
  return JSON.parse(text);
}

export const namesIn = ({ members }: Listed): string[] => members.map(({ sub }) => sub).sort();

export class Person {
  readonly sub: string;
  readonly transport: Transport;
  readonly events: Told[] = [];
  readonly messages: string[] = [];
  /** As the stream has them. */
  raw = "";
  lastEventId = "";
  wants = false;
  /** How often a connection of his was opened. */
  opened = 0;
  readonly #server: RunningServer;
  readonly #path: string;
  #token: string | null = null;
  #end: (() => void) | null = null;
  #running: Promise<void> = Promise.resolve();

  /** `sub` empty: nobody. `path`: of the location, up to the channel. */
  constructor(
    server: RunningServer,
    sub: string,
    transport: Transport,
    channel: string,
    location: string = transport,
  ) {
    this.#server = server;
    this.sub = sub;
    this.transport = transport;
    this.#path = `/${location}/${channel}`;
  }

  async come(): Promise<this> {
    const info = { color: "red", of: this.sub };
    if (this.sub !== "")
      this.#token ??= await withSecret({ sub: this.sub, info, channels: { subscribe: ["*"] } });
    this.wants = true;
    this.#running = this.#stay();
    return this;
  }

  async go(): Promise<void> {
    this.wants = false;
    this.#end?.();
    await this.#running;
  }

  async #stay(): Promise<void> {
    while (this.wants) {
      try {
        await (this.transport === "ws" ? this.#socket() : this.#request());
      } catch {
        // It broke, or was refused while a worker died: again in a moment.
        if (this.wants) await Bun.sleep(20);
      }
      this.#end = null;
    }
  }

  #socket(): Promise<void> {
    const since = this.lastEventId === "" ? "" : `&lastEventId=${this.lastEventId}`;
    const url = `${this.#server.url.replace("http", "ws")}${this.#path}?token=${this.#token ?? ""}${since}`;
    const socket = new WebSocket(url, "sluice.json.v1");
    return new Promise((resolve) => {
      this.#end = () => {
        socket.close();
        // The handshake may never end when a worker dies in it.
        resolve();
      };
      socket.onopen = () => void this.opened++;
      socket.onmessage = ({ data }) => this.#frame(JSON.parse(String(data)));
      socket.onclose = () => resolve();
      socket.onerror = () => resolve();
    });
  }

  #frame(frame: { kind: string; position?: string; data?: string }): void {
    if (frame.position !== undefined) this.lastEventId = frame.position;
    if (frame.kind === "presence") this.events.push(frame as unknown as Told & { kind: string });
    else if (frame.kind === "message") this.messages.push(frame.data ?? "");
    else if (frame.kind === "gap") this.messages.push("gap");
  }

  async #request(): Promise<void> {
    const abort = new AbortController();
    this.#end = () => abort.abort();
    const headers: Record<string, string> =
      this.#token === null ? {} : { Authorization: `Bearer ${this.#token}` };
    if (this.lastEventId !== "") headers["Last-Event-ID"] = this.lastEventId;
    const response = await fetch(this.#server.url + this.#path, { headers, signal: abort.signal });
    this.opened++;
    const isPoll = this.transport === "lp";
    if (isPoll && response.status === 200) this.messages.push(await response.text());
    if (isPoll) return;
    const decoder = new TextDecoder();
    const parser = this.#eventParser();
    for await (const chunk of response.body ?? []) {
      const text = decoder.decode(chunk, { stream: true });
      if (this.transport === "ev") parser.feed(text);
      else this.raw += text;
    }
  }

  #eventParser(): EventSourceParser {
    return createParser({
      onId: (id) => {
        this.lastEventId = id;
      },
      onEvent: ({ event, data }) => {
        if (event === "presence") this.events.push(JSON.parse(data));
        else if (event === "gap") this.messages.push("gap");
        else if (event === undefined) this.messages.push(data);
      },
    });
  }
}
