/**
 * An EventSource as browsers make it, for tests that take the server away under it: whenever its connection
 * ends it comes back with the last id it saw, until it is closed.
 */
import { createParser } from "eventsource-parser";

const RETRY_MS = 20;

export class ResumingReader {
  readonly messages: string[] = [];
  /** Messages it was told it missed. */
  missed = 0;
  /** How often its connection ended, or could not be made, before it was closed. */
  breaks = 0;
  lastId = "";
  /** Where it reads from; a restarted server may live elsewhere. */
  url: string;
  #closed = false;
  readonly #abort = new AbortController();
  readonly #path: string;

  constructor(url: string, path: string) {
    this.url = url;
    this.#path = path;
    void this.#run();
  }

  close(): void {
    this.#closed = true;
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#readOnce();
      } catch (error) {
        if (!(error instanceof Error)) throw error; // a lost connection is what this is about
      }
      if (this.#closed) return;
      this.breaks++;
      await Bun.sleep(RETRY_MS);
    }
  }

  async #readOnce(): Promise<void> {
    const headers: Record<string, string> = { "Cache-Control": "no-cache" };
    if (this.lastId !== "") headers["Last-Event-ID"] = this.lastId;
    const response = await fetch(this.url + this.#path, { headers, signal: this.#abort.signal });
    const decoder = new TextDecoder();
    const parser = createParser({
      onId: (id) => {
        this.lastId = id;
      },
      onEvent: ({ event, data }) => {
        if (event === "gap") this.missed += JSON.parse(data).missed ?? Number.NaN;
        else if (event !== "position") this.messages.push(data);
      },
    });
    for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }));
  }
}
