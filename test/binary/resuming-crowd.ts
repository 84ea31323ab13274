/**
 * Very many event sources in one process, as browsers are: each comes back after the `retry` it was told,
 * with the last id it saw, and an answer that is not 200 would be its end. They check by the positions in the
 * ids that no message is missing and none comes twice. Raw TCP and lines, because thousands of fetches and
 * parsers would measure the client.
 */
import type { Socket } from "bun";

const DEFAULT_RETRY_MS = 1000;
/** Heads are written in small groups, so that the listen queue is not what is tested. */
const OPENED_AT_ONCE = 200;

export class ResumingCrowd {
  readonly clients: ResumingClient[];
  /** Answers other than 200: a browser would give up. */
  refusals = 0;
  /** Connections that could not be made, or ended without a farewell. */
  failures = 0;
  isClosed = false;
  readonly port: number;
  readonly path: string;

  constructor(port: number, path: string, count: number) {
    this.port = port;
    this.path = path;
    this.clients = Array.from({ length: count }, () => new ResumingClient(this));
  }

  async open(): Promise<void> {
    for (let from = 0; from < this.clients.length; from += OPENED_AT_ONCE) {
      const group = this.clients.slice(from, from + OPENED_AT_ONCE);
      await Promise.all(group.map((client) => client.connect()));
    }
  }

  close(): void {
    this.isClosed = true;
    for (const client of this.clients) client.end();
  }

  /** How many have an open stream now. */
  get listening(): number {
    return this.clients.filter(({ isOpen }) => isOpen).length;
  }

  sum(what: "missed" | "repeated" | "gaps" | "farewells"): number {
    return this.clients.reduce((sum, client) => sum + client[what], 0);
  }

  /** Whether all have read up to this position. */
  hasReached(position: number): boolean {
    return this.clients.every((client) => client.position >= position);
  }
}

export class ResumingClient {
  /** Of the last message, or of where the stream began; -1: not known yet. */
  position = -1;
  missed = 0;
  repeated = 0;
  /** `event: gap`. */
  gaps = 0;
  /** `retry:` fields, but for those that a stream begins with. */
  farewells = 0;
  isOpen = false;
  #id = "";
  #retryMs = DEFAULT_RETRY_MS;
  #rest = "";
  #socket: Socket<undefined> | null = null;
  readonly #crowd: ResumingCrowd;

  constructor(crowd: ResumingCrowd) {
    this.#crowd = crowd;
  }

  async connect(): Promise<void> {
    const { port, path, isClosed } = this.#crowd;
    if (isClosed) return;
    const resume = this.#id === "" ? "" : `Last-Event-ID: ${this.#id}\r\n`;
    const head =
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n` +
      `Cache-Control: no-cache\r\n${resume}\r\n`;
    this.#rest = "";
    try {
      this.#socket = await Bun.connect({
        hostname: "127.0.0.1",
        port,
        socket: {
          open: (socket) => void socket.write(head),
          data: (_, bytes) => this.#read(bytes.toString("latin1")),
          close: () => this.#lost(),
          error: () => undefined,
        },
      });
    } catch {
      this.#again(); // nobody listens
    }
  }

  end(): void {
    this.#socket?.end();
  }

  #lost(): void {
    if (!this.isOpen) this.#crowd.failures++;
    this.#again();
  }

  #again(): void {
    this.isOpen = false;
    this.#socket = null;
    if (!this.#crowd.isClosed) setTimeout(() => void this.connect(), this.#retryMs);
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#take(line);
  }

  /** Lines between chunks are no fields, and are passed over like any unknown one. */
  #take(line: string): void {
    if (line.startsWith("id: ")) this.#place(line.slice("id: ".length));
    else if (line.startsWith("data: ")) this.#isMessage = !this.#isOpening;
    else if (line === "event: position") {
      this.#isOpening = true;
      this.farewells--;
    } else if (line.startsWith("event: gap")) this.gaps++;
    else if (line.startsWith("retry: ")) {
      this.#retryMs = Number(line.slice("retry: ".length));
      this.farewells++;
    } else if (line.startsWith("HTTP/1.1 200")) this.isOpen = true;
    else if (line.startsWith("HTTP/1.1 ")) this.#crowd.refusals++;
    else if (line === "") this.#dispatch();
    // The last chunk: the stream is over, whatever becomes of the connection.
    else if (line === "0\r") this.#socket?.end();
  }

  #isMessage = false;
  #isOpening = false;
  #placed = -1;

  #place(id: string): void {
    this.#id = id;
    this.#placed = Number(id.slice(id.lastIndexOf("-") + 1));
  }

  /** An empty line: what came since the last one is an event, or the position a stream begins with. */
  #dispatch(): void {
    this.#isOpening = false;
    if (this.#placed < 0) return;
    const step = this.position < 0 ? 0 : this.#placed - this.position;
    const expected = this.#isMessage && this.position >= 0 ? 1 : 0;
    if (step > expected) this.missed += step - expected;
    else if (step < expected) this.repeated++;
    this.position = this.#placed;
    this.#placed = -1;
    this.#isMessage = false;
  }
}

/**
 * Publishes one message after the other, until it is told to stop, and keeps the longest time in which none
 * could be published.
 */
export class SteadyPublisher {
  published = 0;
  failed = 0;
  /** From the first failure to the next success. */
  longestOutageMs = 0;
  #stopped = false;
  readonly #done: Promise<void>;
  readonly #url: string;
  readonly #pauseMs: number;

  constructor(url: string, pauseMs: number) {
    this.#url = url;
    this.#pauseMs = pauseMs;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    let failingSince = -1;
    while (!this.#stopped) {
      const askedAt = performance.now();
      if (await this.#publish()) {
        this.published++;
        if (failingSince >= 0)
          this.longestOutageMs = Math.max(this.longestOutageMs, performance.now() - failingSince);
        failingSince = -1;
        await Bun.sleep(this.#pauseMs);
      } else {
        this.failed++;
        if (failingSince < 0) failingSince = askedAt;
        await Bun.sleep(2);
      }
    }
  }

  async #publish(): Promise<boolean> {
    try {
      const headers = { connection: "close" };
      const answer = await fetch(this.#url, { method: "POST", body: "x", headers, keepalive: false });
      await answer.text();
      return answer.ok;
    } catch {
      return false; // refused, or cut off
    }
  }
}
