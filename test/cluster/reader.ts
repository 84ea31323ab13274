/**
 * A subscriber that keeps what it was given, in order, and moves from node to node with its position, on any
 * transport.
 */
import type { RunningServer } from "../binary/running-server.ts";
import { type Ear, EventSource, type Transport } from "./transports.ts";

export type Seen =
  | { readonly kind: "message"; readonly text: string }
  | { readonly kind: "gap"; readonly missed: number | null };

export class Reader {
  readonly channel: string;
  readonly seen: Seen[] = [];
  readonly #transport: Transport;
  #abort = new AbortController();
  #isOver = false;
  #over: Promise<void> = Promise.resolve();
  node: RunningServer;

  /** An EventSource, with a position or without, or something else. */
  constructor(channel: string, node: RunningServer, how: string | Transport = "") {
    this.channel = channel;
    this.node = node;
    this.#transport = typeof how === "string" ? new EventSource(how) : how;
  }

  /** As sentences name it. */
  get title(): string {
    return `${this.channel} by ${this.#transport.constructor.name}`;
  }

  get texts(): string[] {
    return this.seen.filter((one) => one.kind === "message").map(({ text }) => text);
  }

  get gaps(): number {
    return this.seen.filter(({ kind }) => kind === "gap").length;
  }

  /** Resolves when it stands; goes on reading, and comes back when it is thrown out. */
  async start(): Promise<this> {
    const opened = Promise.withResolvers<void>();
    this.#over = this.#run({
      opened: opened.resolve,
      message: (text) => void this.seen.push({ kind: "message", text }),
      gap: (missed) => void this.seen.push({ kind: "gap", missed }),
    });
    await opened.promise;
    return this;
  }

  /** To another node, with what it saw last. */
  async move(node: RunningServer): Promise<void> {
    await this.stop();
    this.node = node;
    this.#isOver = false;
    this.#abort = new AbortController();
    await this.start();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    this.#abort.abort();
    await this.#over;
  }

  async #run(ear: Ear): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.#transport.once(this.node.url, this.channel, this.#abort.signal, ear);
      } catch {
        // Thrown out, or the node is not there: again.
      }
      if (!this.#isOver) await Bun.sleep(30);
    }
  }
}
