/** A subscriber that keeps what it was given, in order, and moves from node to node with its position. */
import type { RunningServer } from "../binary/running-server.ts";

export type Seen =
  | { readonly kind: "message"; readonly text: string; readonly id: string }
  | { readonly kind: "gap"; readonly missed: number | null; readonly id: string };

export class Reader {
  readonly channel: string;
  readonly seen: Seen[] = [];
  lastId: string;
  /** How often its connection ended without its own doing. */
  ends = 0;
  #abort = new AbortController();
  #isOver = false;
  #over: Promise<void> = Promise.resolve();
  node: RunningServer;

  constructor(channel: string, node: RunningServer, lastId = "") {
    this.channel = channel;
    this.node = node;
    this.lastId = lastId;
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
    this.#over = this.#run(opened.resolve);
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

  async #run(opened: () => void): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.#once(opened);
      } catch {
        // Thrown out, or the node is not there: again.
      }
      if (this.#isOver) return;
      this.ends++;
      await Bun.sleep(30);
    }
  }

  async #once(opened: () => void): Promise<void> {
    const headers: Record<string, string> = this.lastId === "" ? {} : { "Last-Event-ID": this.lastId };
    const { signal } = this.#abort;
    const response = await fetch(`${this.node.url}/ev/${this.channel}`, { headers, signal });
    if (response.status !== 200 || response.body === null) throw new Error(String(response.status));
    opened();
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of response.body) {
      text += decoder.decode(chunk, { stream: true });
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        this.#take(text.slice(0, end));
        text = text.slice(end + 2);
      }
    }
  }

  #take(event: string): void {
    // The last one counts (HTML 9.2.6): where the stream begins stands an id of its own before the first message.
    const field = (name: string): string | null =>
      [...event.matchAll(new RegExp(`^${name}: ?(.*)$`, "gm"))].at(-1)?.[1] ?? null;
    const data = field("data");
    const id = field("id");
    if (id !== null) this.lastId = id;
    if (data === null) return;
    if (field("event") === "gap")
      this.seen.push({ kind: "gap", missed: JSON.parse(data).missed, id: this.lastId });
    else this.seen.push({ kind: "message", text: data, id: this.lastId });
  }
}
