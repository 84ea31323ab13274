/**
 * The publishers and readers of a phase: who stands where, with which temper, and who comes in crowds. Used
 * by phase.ts.
 */
import { LANES } from "./history.ts";
import { TOKEN_LANES } from "./lanes.ts";
import { Publisher } from "./publisher.ts";
import type { Random } from "./random.ts";
import { Reader, TEMPERS } from "./reader.ts";
import type { Recorder } from "./recorder.ts";
import type { ServerUnderTest } from "./server.ts";

export interface Load {
  readonly channels: number;
  readonly readers: number;
  readonly publishers: number;
  /** Messages a second, of all publishers together. */
  readonly rate: number;
  readonly maxFilling: number;
  /** Readers of a crowd; 0: there are none. */
  readonly crowd: number;
}

export class Crew {
  readonly channels: readonly string[];
  readonly readers: Reader[] = [];
  readonly #publishers: readonly Publisher[];
  readonly #servers: readonly ServerUnderTest[];
  readonly #recorder: Recorder;
  readonly #random: Random;
  readonly #load: Load;
  #isOver = false;
  #publishing: Promise<void>[] = [];
  #crowds = 0;

  constructor(servers: readonly ServerUnderTest[], recorder: Recorder, random: Random, load: Load) {
    this.#servers = servers;
    this.#recorder = recorder;
    this.#random = random;
    this.#load = load;
    this.channels = Array.from({ length: load.channels }, (_, at) => `verify-${recorder.run}-${at}`);
    const { channels } = this;
    this.#publishers = Array.from(
      { length: load.publishers },
      (_, number) =>
        new Publisher({
          servers,
          recorder,
          random: random.fork(),
          number,
          channels,
          maxFilling: load.maxFilling,
        }),
    );
  }

  start(): void {
    for (let at = 0; at < this.#load.readers; at++)
      this.readers.push(this.#reader(`reader ${at}`, at, true).start());
    const pauseMs = (1000 * this.#load.publishers) / this.#load.rate;
    this.#publishing = this.#publishers.map((publisher) =>
      publisher.publishUntil(() => this.#isOver, pauseMs),
    );
  }

  /** Everybody at once, for a while. */
  async crowd(): Promise<void> {
    const name = `crowd ${++this.#crowds}`;
    const readers = Array.from({ length: this.#load.crowd }, (_, at) =>
      this.#reader(`${name}, ${at}`, at, false).start(),
    );
    await Bun.sleep(this.#random.between(500, 3000));
    await Promise.all(readers.map((reader) => reader.leave()));
  }

  /** Publishers have said their last when it resolves. */
  async quiet(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#publishing);
  }

  /** One more message to a channel, until one is accepted; null: none was in time. */
  async last(channel: string, isLate: () => boolean): Promise<string | null> {
    const [publisher] = this.#publishers;
    while (publisher !== undefined && !isLate()) {
      const { key, outcome } = await publisher.publish(channel);
      if (outcome === "accepted") return key;
      await Bun.sleep(100);
    }
    return null;
  }

  async leave(): Promise<void> {
    await Promise.all(this.readers.map((reader) => reader.leave()));
  }

  /**
   * Every temper and every kind of lane comes, whatever the seed: one is drawn by turns, the rest at random.
   */
  #reader(name: string, at: number, stays: boolean): Reader {
    const random = this.#random.fork();
    const several = at % 3 === 2 && this.channels.length > 1;
    const start = random.between(0, this.channels.length - 1);
    const count = several ? Math.min(3, this.channels.length) : 1;
    const channels = Array.from(
      { length: count },
      (_, next) => this.channels[(start + next) % this.channels.length] ?? "",
    );
    return new Reader({
      name,
      servers: this.#servers,
      recorder: this.#recorder,
      random,
      channels,
      lanes: several ? TOKEN_LANES : LANES,
      temper: stays ? (TEMPERS[at % TEMPERS.length] ?? "steady") : "steady",
      stays,
    });
  }
}
