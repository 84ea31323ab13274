/** A client that writes down what it was told, and says whether that is exactly what was published. */
import { Sluice } from "../../src/client/entry.ts";
import type { Options, StateChange, TransportName } from "../../src/client/sluice.d.ts";

export class Collector {
  readonly client: Sluice;
  readonly states: StateChange[] = [];
  readonly texts = new Map<string, string[]>();
  /** Messages that were told to be missing; NaN: it could not be counted. */
  missed = 0;
  deletions = 0;
  readonly errors: Error[] = [];

  constructor(url: string, transport: TransportName, options: Options = {}) {
    this.client = new Sluice(url, { transports: [transport], maxDelay: 1000, ...options });
    this.client.on("state", (change) => this.states.push(change));
  }

  follow(channel: string): void {
    const texts: string[] = [];
    this.texts.set(channel, texts);
    this.client
      .subscribe(channel, ({ data }) => texts.push(data))
      .on("gap", ({ missed }) => {
        this.missed += missed ?? Number.NaN;
      })
      .on("deleted", () => {
        this.deletions++;
      })
      .on("error", (error) => this.errors.push(error));
  }

  of(channel: string): readonly string[] {
    return this.texts.get(channel) ?? [];
  }

  get opens(): number {
    return this.states.filter(({ state }) => state === "open").length;
  }
}
