/**
 * One reader: stands somewhere, leaves, comes back with its position on this lane or another, reads slowly or
 * not at all, as its temper and its source of random numbers say. Writes down what it hears. Made by crew.ts.
 */
import type { Lane, ReaderEvent } from "./history.ts";
import { LANE_READERS, type Position, type Sink } from "./lanes.ts";
import { Link, LinkEnd } from "./link/link.ts";
import type { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import type { ServerUnderTest } from "./server.ts";

/**
 * steady: stays until it is thrown out. hopper: leaves and resumes elsewhere. slow: reads a little at a time.
 * stalled: reads nothing for seconds.
 */
export const TEMPERS = ["steady", "hopper", "slow", "stalled"] as const;
export type Temper = (typeof TEMPERS)[number];

export interface ReaderSetting {
  readonly name: string;
  /** It stands now on one and now on another. */
  readonly servers: readonly ServerUnderTest[];
  readonly recorder: Recorder;
  readonly random: Random;
  readonly channels: readonly string[];
  readonly lanes: readonly Lane[];
  readonly temper: Temper;
  readonly stays: boolean;
}

const CONNECT_MS = 5000;
/** Our servers ping every 5 s, others every 15 s: who hears nothing for so long goes and looks elsewhere. */
const SILENCE_MS = 40_000;

export class Reader implements Sink {
  position: Position | null = null;
  readonly #setting: ReaderSetting;
  readonly #events: ReaderEvent[];
  readonly #has = new Set<string>();
  #temper: Temper;
  #lane: Lane;
  #link: Link | null = null;
  #isLeaving = false;
  #done: Promise<void> = Promise.resolve();

  constructor(setting: ReaderSetting) {
    this.#setting = setting;
    this.#temper = setting.temper;
    this.#lane = setting.random.pick(setting.lanes);
    this.#events = setting.recorder.line(
      `${setting.name} (${setting.temper})`,
      setting.channels,
      setting.stays,
    );
  }

  start(): this {
    this.#done = this.#run();
    return this;
  }

  /** From here on it stays and reads. */
  calm(): void {
    this.#temper = "steady";
    this.#link?.resume();
  }

  async leave(): Promise<void> {
    this.#isLeaving = true;
    this.#link?.destroy();
    await this.#done;
  }

  get channels(): readonly string[] {
    return this.#setting.channels;
  }

  has(key: string): boolean {
    return this.#has.has(key);
  }

  opened(): void {
    const { recorder } = this.#setting;
    this.#events.push({
      kind: "open",
      at: recorder.now(),
      lane: this.#lane,
      resumes: this.position !== null,
    });
  }

  message(said: string | null, text: string, id: number | null): void {
    const { recorder } = this.#setting;
    const key = recorder.keyOf(text);
    if (key === null) return;
    const channel = said ?? recorder.channelOf(key);
    if (channel === null) throw new Error(`a message that nobody sent: ${key}`);
    this.#has.add(key);
    this.#events.push({ kind: "message", at: recorder.now(), channel, key, id });
  }

  gap(channel: string | null, missed: number | null): void {
    const { recorder, channels } = this.#setting;
    for (const name of channel === null ? channels : [channel])
      this.#events.push({ kind: "gap", at: recorder.now(), channel: name, missed });
  }

  async #run(): Promise<void> {
    const { random, lanes } = this.#setting;
    let failures = 0;
    while (!this.#isLeaving) {
      const before = this.#events.length;
      const why = await this.#stand();
      if (!this.#isLeaving) this.#events.push({ kind: "close", at: this.#setting.recorder.now(), why });
      failures = this.#events.length > before + 1 ? 0 : failures + 1;
      if (this.#temper !== "steady" || random.chance(0.3)) this.#lane = random.pick(lanes);
      // Now and then long enough away that a small store has forgotten some of it.
      const isAway = this.#temper === "hopper" || this.#temper === "stalled";
      if (isAway && random.chance(0.3)) await this.#away(random.between(500, 3000));
      if (!this.#isLeaving)
        await Bun.sleep(random.between(10, Math.min(1500, 100 * 2 ** Math.min(failures, 4))));
    }
  }

  /** Comes back early when all have to be there. */
  async #away(ms: number): Promise<void> {
    const until = performance.now() + ms;
    while (!this.#isLeaving && this.#temper !== "steady" && performance.now() < until) await Bun.sleep(50);
  }

  /** One connection, from its opening to its end; resolves to why it ended. */
  async #stand(): Promise<string> {
    const { servers, channels, random } = this.#setting;
    const server = random.pick(servers);
    let timer: Timer | null = null;
    try {
      const link = await Link.open(server.target, CONNECT_MS);
      this.#link = link;
      if (this.#isLeaving) return "left";
      timer = this.#misbehave(link);
      return await LANE_READERS[this.#lane]({
        server,
        link,
        channels,
        sink: this,
        pollMs: () => random.between(5, 200),
      });
    } catch (error) {
      if (error instanceof LinkEnd) return error.message;
      throw error;
    } finally {
      if (timer !== null) clearInterval(timer);
      this.#link?.destroy();
      this.#link = null;
    }
  }

  /** Does what the temper says while the connection stands. */
  #misbehave(link: Link): Timer {
    const { random } = this.#setting;
    let nextAt = performance.now() + random.between(100, 3000);
    let isPaused = false;
    return setInterval(() => {
      const now = performance.now();
      if (!isPaused && now - link.heardAt > SILENCE_MS) link.destroy();
      if (now < nextAt) return;
      if (this.#temper === "hopper") link.destroy();
      if (this.#temper === "slow" || this.#temper === "stalled") {
        isPaused = !isPaused;
        if (isPaused) link.pause();
        else link.resume();
        const isSlow = this.#temper === "slow";
        nextAt =
          now +
          (isPaused
            ? random.between(isSlow ? 100 : 1500, isSlow ? 600 : 7000)
            : random.between(20, isSlow ? 120 : 2000));
      } else isPaused = false;
    }, 20);
  }
}
