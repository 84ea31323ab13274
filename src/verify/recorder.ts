/**
 * Writes the history of a run down (history.ts), by one clock. Shared by the publishers and readers of the
 * run.
 */
import type { History, Loss, Publish, ReaderEvent, ReaderLine } from "./history.ts";

/** What is published: run, publisher and number, and filling. Nothing in it has to be escaped anywhere. */
const TEXT = /^v([0-9a-z]+)-([0-9]+-[0-9]+)(?: |$)/;
/** Behind a key: so is what was not published, which is how the checker sees it. */
const DAMAGED = " damaged";

export class Recorder {
  readonly run: string;
  readonly #start = performance.now();
  readonly #publishes: Publish[] = [];
  /** Where each message went: lanes that do not say their channel are placed by it. */
  readonly #channels = new Map<string, string>();
  readonly #texts = new Map<string, string>();
  readonly #lines: { name: string; channels: readonly string[]; events: ReaderEvent[]; stays: boolean }[] =
    [];
  readonly #cuts: number[] = [];
  readonly #losses: Loss[] = [];

  constructor(run: string) {
    this.run = run;
  }

  /** Milliseconds since the run began. */
  now(): number {
    return performance.now() - this.#start;
  }

  /**
   * Before it is sent: a reader may have it before the publisher has its answer. Its filling is of no other
   * message, so that a piece of another one in it is seen.
   */
  sending(key: string, channel: string, length: number): string {
    const head = `v${this.run}-${key}`;
    const text = length === 0 ? head : `${head} ${`${key}.`.repeat(length / (key.length + 1) + 1)}`;
    const cut = text.slice(0, head.length + (length === 0 ? 0 : length + 1));
    this.#channels.set(key, channel);
    this.#texts.set(key, cut);
    return cut;
  }

  /** The key of a message of this run; null: it is none. One of which a byte is otherwise has another key. */
  keyOf(text: string): string | null {
    const [, run, key = ""] = TEXT.exec(text) ?? [];
    if (run !== this.run) return null;
    return (this.#texts.get(key) ?? text) === text ? key : key + DAMAGED;
  }

  channelOf(key: string): string | null {
    return this.#channels.get(key.replace(DAMAGED, "")) ?? null;
  }

  published(publish: Publish): void {
    this.#publishes.push(publish);
  }

  line(name: string, channels: readonly string[], stays: boolean): ReaderEvent[] {
    const line = { name, channels, events: [], stays };
    this.#lines.push(line);
    return line.events;
  }

  /** The store's content was lost on purpose. */
  cut(): void {
    this.#cuts.push(this.now());
  }

  /**
   * The engine of a cluster has lost messages on purpose, at some time since `from`: all, or what was not
   * answered by then.
   */
  lost(from: number, what: "all" | "tail"): void {
    this.#losses.push({
      keptUntil: what === "all" ? Number.NEGATIVE_INFINITY : from,
      from,
      until: this.now(),
    });
  }

  /** How many messages were accepted so far. */
  get accepted(): number {
    return this.#publishes.reduce((sum, { outcome }) => sum + Number(outcome === "accepted"), 0);
  }

  /** The longest time in which nothing was accepted, in milliseconds. */
  get publishersWaited(): number {
    const times = this.#publishes
      .filter(({ outcome }) => outcome === "accepted")
      .map(({ answeredAt }) => answeredAt);
    return longestPause(times.toSorted((one, other) => one - other));
  }

  /** The longest time that a reader which wanted to stand somewhere stood nowhere. */
  get readersWaited(): number {
    return Math.max(0, ...this.#lines.map(({ events }) => longestAbsence(events)));
  }

  history(
    stored: History["stored"],
    { isDense, keepsAll }: { isDense: boolean; keepsAll: boolean },
  ): History {
    const lines: readonly ReaderLine[] = this.#lines;
    const lost = { cuts: this.#cuts, losses: this.#losses };
    return { publishes: this.#publishes, lines, stored, ...lost, isDense, keepsAll };
  }
}

const longestPause = (times: readonly number[]): number =>
  times.reduce((longest, time, at) => Math.max(longest, time - (times[at - 1] ?? time)), 0);

function longestAbsence(events: readonly ReaderEvent[]): number {
  let closedAt = Number.NaN;
  let longest = 0;
  for (const { kind, at } of events) {
    if (kind === "close" && Number.isNaN(closedAt)) closedAt = at;
    if (kind !== "open") continue;
    if (!Number.isNaN(closedAt)) longest = Math.max(longest, at - closedAt);
    closedAt = Number.NaN;
  }
  return longest;
}
