/**
 * Publishes numbered messages to two channels, `news:0`, `sport:1` …, and goes on whatever happens to the
 * server. A number is never used twice: one whose answer did not come may be stored or not, and both are
 * right.
 */
import type { RunningServer } from "../binary/running-server.ts";

export const CHANNELS = ["news", "sport"] as const;

const EVERY_MS = 30;

export class Publisher {
  server: RunningServer;
  /** Numbers by channel whose message is stored for certain, and those that may be. */
  readonly certain = new Map<string, number[]>(CHANNELS.map((channel) => [channel, []]));
  readonly uncertain = new Map<string, number[]>(CHANNELS.map((channel) => [channel, []]));
  #next = 0;
  #isGoing = true;
  #running: Promise<void> | null = null;
  #last = Promise.resolve();

  constructor(server: RunningServer) {
    this.server = server;
  }

  start(): void {
    this.#isGoing = true;
    this.#running = this.#run();
  }

  async pause(): Promise<void> {
    this.#isGoing = false;
    await this.#running;
  }

  /** Numbers of the last messages that are certain. */
  marks(): ReadonlyMap<string, number> {
    return new Map(CHANNELS.map((channel) => [channel, this.certain.get(channel)?.at(-1) ?? -1]));
  }

  /** One after the other, so that numbers are in the order of the store. */
  publish(channel: string): Promise<void> {
    this.#last = this.#last.then(() => this.#publish(channel, this.#next++));
    return this.#last;
  }

  async #publish(channel: string, number: number): Promise<void> {
    const isStored = await this.server.publish(channel, `${channel}:${number}`).then(
      ({ status }) => status === 200,
      () => false, // its worker was killed
    );
    (isStored ? this.certain : this.uncertain).get(channel)?.push(number);
  }

  async #run(): Promise<void> {
    for (let turn = 0; this.#isGoing; turn++) {
      await this.publish(CHANNELS[turn % CHANNELS.length] ?? "");
      await Bun.sleep(EVERY_MS);
    }
  }
}
