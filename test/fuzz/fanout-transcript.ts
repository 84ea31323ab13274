/**
 * What one connection was given, checked line by line as it arrives against what was published (promises P1
 * and P2): ids in order, none twice, every hole told with its exact size, no hole over a message that is
 * still there.
 */
import type { Store } from "../../src/store/store.ts";
import { readOn } from "../store/fixture.ts";

export interface Published {
  readonly stored: boolean;
  readonly data: string;
}

/** One incarnation of a channel; `log[id - 1]` is what was published. */
export class Life {
  readonly log: Published[] = [];
  readonly key: string;
  readonly name: string;
  readonly index: number;
  readonly incarnation: number;
  readonly base: number;
  constructor(store: Store, name: string, index: number) {
    this.name = name;
    this.index = index;
    this.incarnation = store.incarnation(index);
    this.base = store.positions.base(index);
    this.key = `${index}.${this.incarnation}`;
  }

  /** Ids above `afterId` that can still be read. */
  idsAfter(store: Store, afterId: number): number {
    if (!store.isLive(this.index, this.incarnation)) return -1;
    let count = 0;
    readOn(store, this.index, this.incarnation, afterId, () => ++count > 0);
    return count;
  }
}

/** Where a connection stands in one channel, as the test knows it. */
export interface Stand {
  readonly life: Life;
  last: number;
  readonly historyUntil: number;
  /** The channel was deleted and the connection was told. */
  ended: boolean;
}

export class Transcript {
  readonly stands: Stand[] = [];
  /** Positions are checked when lines carry them. */
  lines = 0;
  readonly #store: Store;
  readonly #who: string;

  constructor(store: Store, who: string) {
    this.#store = store;
    this.#who = who;
  }

  /**
   * Whole lines: "M key id data", "G key missed upTo", "D key", "H", "P", "F"; with " @1,2" behind where
   * positions are vectors.
   */
  take(text: string): void {
    for (const line of text.split("\n")) if (line !== "") this.#line(line);
  }

  #line(line: string): void {
    this.lines++;
    const [told = "", vector] = line.split(" @");
    const [kind, key = "", first = "", second = ""] = told.split(" ");
    if (kind === "H" && this.lines !== 1) this.#fail(line, "the prelude is not first");
    if (kind === "H" || kind === "P" || kind === "F") return;
    const stand = this.stands.find(({ life, ended }) => !ended && isMeant(life, kind, key));
    if (stand === undefined) this.#fail(line, "does not stand there");
    if (kind === "M") this.#message(stand, line, Number(first), second);
    else if (kind === "G") this.#gap(stand, line, Number(first), Number(second));
    else if (kind === "D") stand.ended = true;
    else this.#fail(line, "what is this");
    if (vector !== undefined) this.#positions(line, vector.split(",").map(Number));
  }

  #message(stand: Stand, line: string, id: number, data: string): void {
    const { life, last, historyUntil } = stand;
    if (id <= last) this.#fail(line, `came after id ${last}`);
    if (id > Math.max(last, historyUntil) + 1)
      this.#fail(line, `ids after ${Math.max(last, historyUntil)} skipped in silence`);
    const published = life.log[id - 1];
    if (published === undefined) this.#fail(line, "was never published");
    if (published.data !== data) this.#fail(line, `other bytes than ${published.data}`);
    if (id <= historyUntil && !published.stored) this.#fail(line, "is unstored history");
    stand.last = id;
  }

  #gap(stand: Stand, line: string, missed: number, upTo: number): void {
    const from = Math.max(stand.last, stand.historyUntil);
    if (upTo > stand.life.log.length) this.#fail(line, `only ${stand.life.log.length} were published`);
    if (missed !== upTo - from || missed <= 0) this.#fail(line, `the last was ${from}`);
    const readable = stand.life.idsAfter(this.#store, from) - stand.life.idsAfter(this.#store, upTo);
    if (readable > 0) this.#fail(line, `${readable} of them can still be read`);
    stand.last = upTo;
  }

  /** Coming back with these positions must neither lose nor repeat anything. */
  #positions(line: string, positions: readonly number[]): void {
    if (positions.length !== this.stands.length)
      this.#fail(line, `${positions.length} positions of ${this.stands.length} channels`);
    for (const [place, { life, last, historyUntil, ended }] of this.stands.entries()) {
      const id = (positions[place] ?? Number.NaN) - life.base;
      // It was deleted before its place was taken, and the end is still to be told: from 0 on there is all of
      // whatever channel has the name by then.
      const isLost = positions[place] === 0 && !this.#store.isLive(life.index, life.incarnation);
      if (ended || isLost) continue;
      if (!(id >= last && id <= Math.max(last, historyUntil)))
        this.#fail(line, `position ${place} is id ${id}, has seen ${last}`);
    }
  }

  /**
   * After everything was delivered: everybody who stands in a living channel has all of it, and nobody stands
   * in a dead one.
   */
  checkComplete(): void {
    for (const { life, last, historyUntil, ended } of this.stands) {
      if (ended) continue;
      if (!this.#store.isLive(life.index, life.incarnation))
        this.#fail(life.key, "was not told of the deletion");
      if (Math.max(last, historyUntil) < life.log.length)
        this.#fail(life.key, `has up to ${last} of ${life.log.length}`);
    }
  }

  /** A poll's one message: the first of its channel that is still there, as no poll is answered by a gap. */
  takeAnswer(text: string): void {
    const [kind, key, id = ""] = text.trimEnd().split(" ");
    const stand = this.stands.find(({ life }) => life.key === key);
    if (kind === "M" && stand !== undefined && Number(id) > stand.last) {
      const { life, last } = stand;
      const readable = life.idsAfter(this.#store, last) - life.idsAfter(this.#store, Number(id) - 1);
      if (readable > 0) this.#fail(text, `${readable} earlier ones can still be read`);
      stand.last = Number(id) - 1;
    }
    this.take(text);
  }

  /** A poll that is still held: nothing came that could be read, and its channels live. */
  checkWaiting(): void {
    for (const { life, last } of this.stands) {
      if (!this.#store.isLive(life.index, life.incarnation))
        this.#fail(life.key, "was not told of the deletion");
      if (life.idsAfter(this.#store, last) > 0)
        this.#fail(life.key, `waits although there is more than ${last}`);
    }
  }

  #fail(line: string, why: string): never {
    throw new Error(`${this.#who}: "${line.slice(0, 80)}": ${why}`);
  }
}

/**
 * The deletion of a channel that died before the worker looked at it is told under the dead record's
 * incarnation.
 */
const isMeant = (life: Life, kind: string | undefined, key: string): boolean =>
  kind === "D" ? key.startsWith(`${life.index}.`) : life.key === key;
