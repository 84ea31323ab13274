/**
 * Every transport behind one face, so that the delivery suite is written once. A reader collects messages in
 * the order they came, counts the gaps it was told, and remembers the position it could resume from.
 */

import { JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL } from "../../src/wire/subprotocols.ts";
import { decodeJsonFrame, decodeMsgpackFrame } from "../server-frames.ts";

export interface Reader {
  readonly messages: string[];
  /** Messages it was told it missed. */
  missed: number;
  readonly closed: boolean;
  /** What to hand to the next open() to go on; null when the transport has no position yet. */
  readonly position: string | null;
  close(): void;
}

export interface Transport {
  readonly name: string;
  /** Tests this transport cannot take part in, and why. */
  readonly skip: Readonly<Record<string, string>>;
  /** `channels` is a channels path; resolves when the server has seated the reader. */
  open(url: string, channels: string, position?: string | null): Promise<Reader>;
}

const decoder = new TextDecoder();

class BodyReader implements Reader {
  readonly messages: string[] = [];
  missed = 0;
  closed = false;
  position: string | null = null;
  readonly #abort = new AbortController();

  close(): void {
    this.closed = true;
    this.#abort.abort();
  }

  async read(
    url: string,
    headers: Record<string, string>,
    block: string,
    take: (text: string) => void,
  ): Promise<void> {
    const response = await fetch(url, { headers, signal: this.#abort.signal });
    if (response.status !== 200 || response.body === null) throw new Error(`${url}: ${response.status}`);
    void this.#pump(response.body, block, take);
  }

  async #pump(body: ReadableStream<Uint8Array>, block: string, take: (text: string) => void): Promise<void> {
    let rest = "";
    try {
      for await (const chunk of body) {
        rest += decoder.decode(chunk, { stream: true });
        const parts = rest.split(block);
        rest = parts.pop() ?? "";
        parts.forEach(take);
      }
    } catch (error) {
      if (!this.closed) throw error;
    }
    this.closed = true;
  }
}

const stream: Transport = {
  name: "stream",
  skip: {
    resume: "a plain stream carries no position; its client resumes by time and tag in the template",
    gap: "a template has no words for a gap: the connection is closed instead",
  },
  async open(url, channels) {
    const reader = new BodyReader();
    await reader.read(`${url}/sub/${channels}`, {}, "\n", (line) => {
      if (line !== "") reader.messages.push(line);
    });
    return reader;
  },
};

const eventSource: Transport = {
  name: "eventsource",
  skip: {},
  async open(url, channels, position) {
    const reader = new BodyReader();
    reader.position = position ?? null;
    const headers: Record<string, string> = position ? { "Last-Event-ID": position } : {};
    await reader.read(`${url}/ev/${channels}`, headers, "\n\n", (block) => {
      const fields = block.split("\n");
      const fieldValue = (name: string) =>
        fields.findLast((field) => field.startsWith(`${name}: `))?.slice(name.length + 2);
      reader.position = fieldValue("id") ?? reader.position;
      const data = fieldValue("data");
      if (data === undefined) return;
      if (fieldValue("event") === "gap") reader.missed += JSON.parse(data).missed ?? 0;
      else reader.messages.push(data);
    });
    return reader;
  },
};

class SocketReader implements Reader {
  readonly messages: string[] = [];
  /** One token for all channels, as the last frame told it. */
  position: string | null = null;
  missed = 0;
  closed = false;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event: MessageEvent) => this.#take(event.data);
    socket.onclose = () => {
      this.closed = true;
    };
  }

  close(): void {
    this.#socket.close();
  }

  #take(data: string | ArrayBuffer): void {
    if (this.#socket.protocol === "") {
      this.messages.push(typeof data === "string" ? data : decoder.decode(data));
      return;
    }
    const frame = typeof data === "string" ? decodeJsonFrame(data) : decodeMsgpackFrame(new Uint8Array(data));
    if (frame === null) throw new Error("a frame that is none");
    if ("position" in frame) this.position = frame.position;
    if (frame.kind === "message") this.messages.push(decoder.decode(frame.data));
    else if (frame.kind === "gap") this.missed += frame.missed ?? 0;
  }
}

const webSocket = (protocol: string | null): Transport => ({
  name: protocol === null ? "websocket" : `websocket ${protocol}`,
  skip:
    protocol === null
      ? {
          resume: "a template's frames carry no position; its client resumes by time and tag in the template",
          gap: "a template has no words for a gap: the connection is closed instead",
        }
      : {},
  async open(url, channels, position) {
    const query = position ? `?eventid=${encodeURIComponent(position)}` : "";
    const target = `${url.replace("http", "ws")}/ws/${channels}${query}`;
    const socket = protocol === null ? new WebSocket(target) : new WebSocket(target, protocol);
    const reader = new SocketReader(socket);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error(`${target} failed`)));
    });
    return reader;
  },
});

/**
 * Polls again and again with the position of the last answer, as a client of the dialect does (push-stream
 * spec 4.18).
 */
class PollReader implements Reader {
  readonly messages: string[] = [];
  missed = 0;
  closed = false;
  #time: string | null = null;
  #tag: string | null = null;
  readonly #abort = new AbortController();

  get position(): string | null {
    return this.#time === null ? null : `${this.#time}|${this.#tag}`;
  }

  close(): void {
    this.closed = true;
    this.#abort.abort();
  }

  async run(url: string, channels: string, position: string | null): Promise<void> {
    if (position !== null) [this.#time, this.#tag] = position.split("|", 2) as [string, string];
    let path = channels;
    while (!this.closed) {
      const headers: Record<string, string> = {};
      if (this.#time !== null) headers["If-Modified-Since"] = this.#time;
      if (this.#tag !== null) headers["If-None-Match"] = this.#tag;
      try {
        const response = await fetch(`${url}/lp/${path}`, { headers, signal: this.#abort.signal });
        const body = await response.text();
        this.#time = response.headers.get("last-modified") ?? this.#time;
        this.#tag = response.headers.get("etag") ?? this.#tag;
        if (response.status === 200) this.messages.push(...body.split("\n").filter((line) => line !== ""));
        path = channels.replace(/\.b\d+/g, "");
      } catch (error) {
        if (!this.closed) throw error;
      }
    }
  }
}

const longPoll: Transport = {
  name: "long-polling",
  skip: { gap: "the dialect's long poll has no words for a gap" },
  async open(url, channels, position) {
    const reader = new PollReader();
    const start = position ?? (/\.b\d/.test(channels) ? null : await zoneNow(url));
    void reader.run(url, channels, start);
    return reader;
  },
};

let clocks = 0;

/**
 * The zone's last time and tag, from a message of a channel of its own: whoever polls with it gets exactly
 * what is published from now on, even if he is not waiting yet (push-stream spec 4.18, 6.1).
 */
async function zoneNow(url: string): Promise<string> {
  const channel = `clock-${++clocks}`;
  await (await fetch(`${url}/pub?id=${channel}`, { method: "POST", body: "tick" })).text();
  const response = await fetch(`${url}/poll/${channel}.b1`);
  await response.text();
  return `${response.headers.get("last-modified")}|${response.headers.get("etag")}`;
}

export const transports: readonly Transport[] = [
  stream,
  eventSource,
  webSocket(null),
  webSocket(JSON_SUBPROTOCOL),
  webSocket(MSGPACK_SUBPROTOCOL),
  longPoll,
];
