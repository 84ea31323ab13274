/**
 * Every message's number in its channel, from whoever was told it; and the contradictions between those who
 * say. Part of checker.ts.
 */
import { type History, type Loss, mayBeLost, type Publish, type ReaderEvent } from "./history.ts";
import type { Violation } from "./story.ts";

/** Where a message stands: the life of the store it was numbered in, and its number. */
export interface Place {
  readonly life: number;
  readonly id: number;
}

/** Every message's place, from whoever knows it; and the contradictions between those who say. */
export class Places {
  readonly violations: Violation[] = [];
  readonly #byKey = new Map<string, Place>();
  /** channel, life → number → key. */
  readonly #byPlace = new Map<string, Map<number, string>>();
  readonly #order = new Map<string, readonly (readonly [number, string])[]>();
  readonly #publishes = new Map<string, Publish>();
  readonly #cuts: readonly number[];
  readonly #isDense: boolean;
  /** There is room for all, and nothing was taken away on purpose: nobody can have lost anything. */
  readonly losesNothing: boolean;
  readonly #losses: readonly Loss[];
  /** Number of what is stored at the end. */
  readonly #kept = new Map<string, number | null>();
  /** Lost by the engine before its publisher's node was answered, and sent again by that. */
  readonly #reborn = new Set<string>();

  constructor({ publishes, lines, stored, cuts, isDense, losses, keepsAll }: History) {
    this.#losses = losses;
    for (const messages of stored.values()) for (const { key, id } of messages) this.#kept.set(key, id);
    this.#cuts = cuts;
    this.#isDense = isDense;
    this.losesNothing = keepsAll && cuts.length === 0 && losses.length === 0;
    for (const publish of publishes) this.#publishes.set(publish.key, publish);
    for (const { name, events } of lines) {
      // Bytes may be read long after the server that sent them is gone: what counts is when the connection
      // was made.
      let life = 0;
      for (const event of events) {
        if (event.kind === "open") life = this.life(event.at);
        if (event.kind === "message" && event.id !== null)
          this.#learn(name, event.channel, event.key, life, event.id);
      }
      this.#findReborn(events);
    }
    for (const [channel, messages] of stored)
      for (const { key, id } of messages)
        if (id !== null) this.#learn("what is stored at the end", channel, key, cuts.length, id);
  }

  life(at: number): number {
    return this.#cuts.filter((cut) => cut <= at).length;
  }

  /**
   * Whether numbers have no holes: what a cut took from the middle of a channel is a hole of which all were
   * told.
   */
  isDense(life: number): boolean {
    return this.#isDense && life === 0;
  }

  /** Null: nobody was told its number in that life. */
  of(key: string, life: number): Place | null {
    return this.#byKey.get(`${life} ${key}`) ?? null;
  }

  /** Its place in the last life it has one in. */
  lastOf(key: string): Place | null {
    for (let life = this.#cuts.length; life >= 0; life--) {
      const place = this.of(key, life);
      if (place !== null) return place;
    }
    return null;
  }

  /**
   * It is in no history any more, and may be so; one that was sent again is in none with another number than
   * it has now. `id` null: the number is not known, and it is not lost where it may be the one that is there.
   */
  isLost(key: string, id: number | null): boolean {
    if (!this.mayBeLost(key)) return false;
    const kept = this.#kept.get(key);
    return kept === undefined || (kept !== null && id !== null && id !== kept);
  }

  isReborn(key: string): boolean {
    return this.#reborn.has(key);
  }

  published(key: string): Publish | null {
    return this.#publishes.get(key) ?? null;
  }

  /** The greatest number of a channel in a life; 0: none. */
  last(channel: string, life: number): number {
    return this.#sorted(`${channel} ${life}`).at(-1)?.[0] ?? 0;
  }

  /** Keys whose numbers lie between these two, both excluded, in order; without those that were lost. */
  between(channel: string, life: number, low: number, high: number): readonly string[] {
    const sorted = this.#sorted(`${channel} ${life}`);
    const keys: string[] = [];
    for (let at = firstAbove(sorted, low); at < sorted.length; at++) {
      const [id, key] = sorted[at] ?? [high, ""];
      if (id >= high) break;
      if (!this.isLost(key, id) && this.#byKey.get(`${life} ${key}`)?.id === id) keys.push(key);
    }
    return keys;
  }

  /** The engine may have lost it. */
  mayBeLost(key: string): boolean {
    const publish = this.#publishes.get(key);
    return publish !== undefined && mayBeLost(publish, this.#losses);
  }

  /** Where a lane tells no numbers: given before the reader was told of a loss, and given again behind it. */
  #findReborn(events: readonly ReaderEvent[]): void {
    const givenAt = new Map<string, number>();
    const toldAt = new Map<string, number>();
    for (const [index, event] of events.entries()) {
      if (event.kind === "open" && !event.resumes) givenAt.clear();
      if (event.kind === "gap" && event.missed === null) toldAt.set(event.channel, index);
      if (event.kind !== "message") continue;
      const before = givenAt.get(event.key);
      const isBehind = before !== undefined && before < (toldAt.get(event.channel) ?? 0);
      if (event.id === null && isBehind && this.mayBeLost(event.key)) this.#reborn.add(event.key);
      givenAt.set(event.key, index);
    }
  }

  /** Asked only when everything is learnt. */
  #sorted(name: string): readonly (readonly [number, string])[] {
    const known = this.#order.get(name);
    if (known !== undefined) return known;
    const sorted = [...(this.#byPlace.get(name) ?? [])].toSorted(([one], [other]) => one - other);
    this.#order.set(name, sorted);
    return sorted;
  }

  #learn(who: string, channel: string, key: string, life: number, id: number): void {
    const name = `${channel} ${life}`;
    const numbers = this.#byPlace.get(name) ?? new Map<number, string>();
    this.#byPlace.set(name, numbers);
    const other = numbers.get(id);
    if (other !== undefined && other !== key)
      this.violations.push({
        promise: "order",
        sentence: `${channel} has two messages with number ${id}: ${other} and ${key}`,
        story: [`${who}: ${channel} ${id} ${key}`, `another reader: ${channel} ${id} ${other}`],
      });
    const place = this.of(key, life);
    if (place !== null && place.id !== id && this.mayBeLost(key)) {
      this.#reborn.add(key);
      numbers.set(Math.min(id, place.id), key);
      if (place.id > id) return;
    } else if (place !== null && place.id !== id)
      this.violations.push({
        promise: "once",
        sentence: `${key} is in ${channel} twice: as ${place.id} and as ${id}`,
        story: [`${who}: ${channel} ${id} ${key}`],
      });
    numbers.set(id, key);
    this.#byKey.set(`${life} ${key}`, { life, id });
  }
}

/** Index of the first entry whose number is above this one. */
function firstAbove(sorted: readonly (readonly [number, string])[], id: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.[0] ?? 0) > id) high = middle;
    else low = middle + 1;
  }
  return low;
}
