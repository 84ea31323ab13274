/**
 * A client of server-sent events as a browser's EventSource is one: comes back with the position it has,
 * until it is told not to.
 */
import { createParser } from "eventsource-parser";

export interface Event {
  readonly type: string;
  readonly data: string;
  readonly id: string;
}

export class EventClient {
  readonly events: Event[] = [];
  position: string;
  /** Statuses of all connections it made. */
  readonly statuses: number[] = [];
  readonly #url: string;
  #controller = new AbortController();

  constructor(url: string, position = "") {
    this.#url = url;
    this.position = position;
  }

  get text(): string {
    return this.events
      .filter(({ type }) => type === "message")
      .map(({ data }) => data)
      .join("");
  }

  get last(): Event | undefined {
    return this.events.at(-1);
  }

  get isOver(): boolean {
    return this.last?.type === "end" || this.last?.type === "error";
  }

  /** One connection, until it ends. False: it was broken off, or refused. */
  async once(method = "GET"): Promise<boolean> {
    this.#controller = new AbortController();
    const headers = this.position === "" ? {} : { "Last-Event-ID": this.position };
    try {
      const response = await fetch(this.#url, {
        method,
        headers,
        signal: this.#controller.signal,
        keepalive: false,
      });
      this.statuses.push(response.status);
      if (response.status !== 200 || response.body === null) return false;
      const decoder = new TextDecoder();
      const parser = createParser({
        onId: (id) => {
          this.position = id;
        },
        onEvent: ({ event = "message", data }) => {
          this.events.push({ type: event, data, id: this.position });
        },
      });
      for await (const chunk of response.body) parser.feed(decoder.decode(chunk, { stream: true }));
      return true;
    } catch {
      return false; // as a browser: it comes back
    }
  }

  /** Until the last word, or 204. */
  async follow(): Promise<this> {
    while (!this.isOver && this.statuses.at(-1) !== 204) {
      await this.once();
      if (!this.isOver) await Bun.sleep(50);
    }
    return this;
  }

  leave(): void {
    this.#controller.abort();
  }
}
