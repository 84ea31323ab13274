/**
 * A reader of Server-Sent Events that resumes, on a bare socket, so that thousands fit into one process.
 * Messages are whole numbers in order; it counts what is missing, repeated or out of order. For load.ts.
 */
import type { Socket } from "bun";

/** Until the server names another by `retry:`. */
const RETRY_MS = 50;

export class SseReader {
  isConnected = false;
  lastId = "";
  /** The last message's number; 0 before the first. */
  lastNumber = 0;
  lost = 0;
  /** Numbers that came again. */
  readonly repeated: number[] = [];
  /** Numbers that came after larger ones, and had not come before. */
  disordered = 0;
  reconnects = 0;
  /**
   * When its connection was lost for the first time, and when a message came after a reconnect
   * (performance.now).
   */
  lostAtMs = 0;
  backAtMs = 0;
  #isBack = true;
  #retryMs = RETRY_MS;
  #pending = "";
  #body: ChunkedBody | null = null;
  readonly #port: number;
  readonly #path: string;

  constructor(port: number, path: string) {
    this.#port = port;
    this.#path = path;
    this.#connect();
  }

  #connect(): void {
    this.#pending = "";
    this.#body = null;
    Bun.connect({
      hostname: "127.0.0.1",
      port: this.#port,
      socket: {
        open: (socket) => this.#ask(socket),
        data: (_, bytes) => this.#take(bytes.toString("latin1")),
        close: () => this.#lose(),
        error: () => undefined, // close follows
      },
    }).catch(() => this.#again());
  }

  #ask(socket: Socket): void {
    const resume = this.lastId === "" ? "" : `Last-Event-ID: ${this.lastId}\r\n`;
    socket.write(
      `GET ${this.#path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n` +
        `Cache-Control: no-cache\r\n${resume}\r\n`,
    );
  }

  #lose(): void {
    this.isConnected = false;
    this.#isBack = false;
    if (this.lostAtMs === 0) this.lostAtMs = performance.now();
    this.#again();
  }

  #again(): void {
    setTimeout(() => {
      this.reconnects++;
      this.#connect();
    }, this.#retryMs);
  }

  #take(text: string): void {
    this.#pending += text;
    if (this.#body === null) {
      const end = this.#pending.indexOf("\r\n\r\n");
      if (end < 0) return;
      // A refusal (503 while it stops) ends with the connection; then the next try follows.
      if (!this.#pending.startsWith("HTTP/1.1 200")) return;
      this.isConnected = true;
      this.#body = new ChunkedBody();
      this.#body.push(this.#pending.slice(end + 4));
    } else this.#body.push(this.#pending);
    this.#pending = "";
    for (const event of this.#body.events()) this.#takeEvent(event);
  }

  #takeEvent(event: string): void {
    const field = (name: string): string | undefined => new RegExp(`^${name}: ?(.*)$`, "m").exec(event)?.[1];
    this.lastId = field("id") ?? this.lastId;
    const retry = field("retry");
    if (retry !== undefined) this.#retryMs = Number(retry);
    const data = field("data");
    if (data === undefined) return;
    // Of what is gone it is told; that is loss all the same.
    if (field("event") === "gap") this.lost += Number(JSON.parse(data).missed ?? 1);
    else if (field("event") === undefined) this.#takeNumber(Number(data));
  }

  #takeNumber(number: number): void {
    if (!this.#isBack) this.backAtMs = performance.now();
    this.#isBack = true;
    const wanted = this.lastNumber + 1;
    if (number < wanted) {
      // With nothing lost so far, everything below has come.
      if (number === this.lastNumber || this.lost === 0) this.repeated.push(number);
      else this.disordered++;
      return;
    }
    this.lost += number - wanted;
    this.lastNumber = number;
  }
}

/** The body of a chunked answer, cut into events. */
class ChunkedBody {
  #raw = "";
  #left = 0;
  #text = "";

  push(bytes: string): void {
    this.#raw += bytes;
    for (;;) {
      if (this.#left > 0) {
        const part = this.#raw.slice(0, this.#left);
        this.#text += part;
        this.#left -= part.length;
        this.#raw = this.#raw.slice(part.length);
        if (this.#left > 0) return;
      }
      const size = /^(?:\r\n)?([0-9a-fA-F]+)\r\n/.exec(this.#raw);
      if (size === null) return;
      this.#raw = this.#raw.slice(size[0].length);
      this.#left = Number.parseInt(size[1] ?? "0", 16);
      if (this.#left === 0) return;
    }
  }

  events(): string[] {
    const blocks = this.#text.split("\n\n");
    this.#text = blocks.pop() ?? "";
    return blocks;
  }
}
