/**
 * The store as a naive program: arrays, filters, no blocks but a count of them. It says what a store may hold
 * after each operation; the fuzz test compares. State is plain data so that a copy can try an operation that
 * the real store may or may not have finished when it died.
 */
import type { Layout } from "../../src/store/memory/layout.ts";
import type { StorePolicy } from "../../src/store/store.ts";

export interface ModelChannel {
  name: Uint8Array;
  index: number;
  lastId: number;
  base: number;
  activeUntil: number;
  nameBlocks: number;
  subscribers: number[];
  isWildcard: boolean;
  /** When it was made, or asked for while records were scarce; deleted; went to trash. */
  since: number;
}

export interface ModelMessage {
  serial: number;
  /** Place in the list of unstored messages: a demoted one goes behind those that were there. */
  age: number;
  /** null for a deletion. */
  channel: ModelChannel | null;
  id: number;
  data: Uint8Array;
  stored: boolean;
  time: number;
  tag: number;
  expires: number;
  blocks: number;
}

export interface ModelState {
  /** In publish order. */
  messages: ModelMessage[];
  /** In creation order. */
  live: ModelChannel[];
  deleted: ModelChannel[];
  trashed: ModelChannel[];
  clockSec: number;
  clockTag: number;
  nextSerial: number;
  nextAge: number;
  published: number;
  evicted: number;
  lastSweep: number;
  /**
   * The last second in which a channel found no room: who looks for one to give up may look no further in it.
   */
  roomlessSec: number;
  /** Cursor of each claimed slot, as distance-comparable serials; null = free. */
  cursors: (number | null)[];
  policy: StorePolicy;
}

const NEVER = 0xffffffff;

/** Is told of each message that is put in, also of one that is gone again at the end of the operation. */
type Seen = (message: ModelMessage) => void;
const NOBODY: Seen = () => undefined;

export class Model {
  state: ModelState;
  readonly layout: Layout;

  constructor(layout: Layout, policy: StorePolicy, state?: ModelState) {
    this.layout = layout;
    this.state = state ?? {
      messages: [],
      live: [],
      deleted: [],
      trashed: [],
      clockSec: 0,
      clockTag: 0,
      nextSerial: 1,
      nextAge: 1,
      published: 0,
      evicted: 0,
      lastSweep: 0,
      roomlessSec: 0,
      cursors: new Array<number | null>(layout.workerSlots).fill(null),
      policy,
    };
  }

  copy(): Model {
    return new Model(this.layout, this.state.policy, structuredClone(this.state));
  }

  find(name: Uint8Array): ModelChannel | undefined {
    return this.state.live.find((channel) => Buffer.compare(channel.name, name) === 0);
  }

  freeBlocks(): number {
    let used = 0;
    for (const message of this.state.messages) used += message.blocks;
    return this.layout.blocks - used - this.#nameBlocks();
  }

  #nameBlocks(): number {
    const { live, deleted, trashed } = this.state;
    let sum = 0;
    for (const channel of [...live, ...deleted, ...trashed]) sum += channel.nameBlocks;
    return sum;
  }

  /** `given`: the channels that the real store has given up for it, whose choice the model does not know. */
  open(name: Uint8Array, nowSec: number, given: ModelChannel[] = []): ModelChannel | -1 | -2 {
    const { state } = this;
    const found = this.find(name);
    if (found !== undefined) {
      const isStale = found.activeUntil < nowSec;
      if (isStale || this.#isScarce()) found.since = nowSec;
      if (isStale) found.activeUntil = this.#activeUntil(nowSec);
      return found;
    }
    for (;;) {
      const made = this.#create(name, nowSec);
      if (made !== -2) return made;
      const spare = state.trashed.length > 0 ? undefined : given.shift();
      if (spare !== undefined) {
        if (!this.isSpare(spare, nowSec)) throw new Error(`channel ${spare.index} was given up`);
        this.collect(spare, nowSec);
      }
      if (state.trashed.shift() === undefined) return -2;
    }
  }

  /** Nothing in it, nobody there, and not just made or asked for. */
  isSpare(channel: ModelChannel, nowSec: number): boolean {
    const isEmpty = this.of(channel).length === 0 && channel.subscribers.every((count) => count === 0);
    return isEmpty && channel.since !== nowSec;
  }

  #isScarce(): boolean {
    const { live, deleted, trashed } = this.state;
    const records = live.length + deleted.length + trashed.length;
    return records === this.layout.channels || this.#nameBlocks() > this.layout.mostNameBlocks / 2;
  }

  #create(name: Uint8Array, nowSec: number): ModelChannel | -1 | -2 {
    const { state, layout } = this;
    const { wildcardPrefix, maxChannels, maxWildcardChannels } = state.policy;
    const isWildcard =
      wildcardPrefix.length > 0 &&
      Buffer.compare(name.subarray(0, wildcardPrefix.length), wildcardPrefix) === 0;
    const limit = isWildcard ? maxWildcardChannels : maxChannels;
    if (limit > 0 && this.living(isWildcard) >= limit) return -1;
    const nameBlocks = Math.ceil(name.length / layout.moreRoomBytes);
    if (this.#nameBlocks() + nameBlocks > layout.mostNameBlocks) return -2;
    if (!this.#makeRoom(nameBlocks, nowSec)) return -2;
    const records = state.live.length + state.deleted.length + state.trashed.length;
    if (records === layout.channels && state.trashed.shift() === undefined) return -2;
    const channel = {
      name,
      index: -1,
      lastId: 0,
      base: state.nextSerial - 1,
      activeUntil: this.#activeUntil(nowSec),
      nameBlocks,
      subscribers: new Array<number>(layout.workerSlots).fill(0),
      isWildcard,
      since: nowSec,
    };
    state.live.push(channel);
    return channel;
  }

  /** How many channels of a class live. */
  living(isWildcard: boolean): number {
    return this.state.live.filter((channel) => channel.isWildcard === isWildcard).length;
  }

  append(
    channel: ModelChannel,
    data: Uint8Array,
    stored: boolean,
    nowSec: number,
    seen: Seen = NOBODY,
  ): number {
    if (!this.#makeRoom(this.#messageBlocks(data.length), nowSec)) return -1;
    this.#push(channel, data, stored, nowSec, seen);
    this.#trim(channel, nowSec);
    this.#dropExpiredFront(2, nowSec);
    return channel.lastId;
  }

  /** Several to one channel at once, as many as there is room for; for the first that is made. Their ids. */
  appendRun(
    channel: ModelChannel,
    run: readonly Uint8Array[],
    stored: boolean,
    nowSec: number,
    seen: Seen = NOBODY,
  ): number[] {
    const fitting: Uint8Array[] = [];
    for (let free = this.freeBlocks(); fitting.length < run.length; ) {
      free -= this.#messageBlocks(run[fitting.length]!.length);
      if (free < 0) break;
      fitting.push(run[fitting.length]!);
    }
    if (fitting.length < 2)
      return run.slice(0, 1).map((data) => this.append(channel, data, stored, nowSec, seen));
    const ids = fitting.map((data) => this.#push(channel, data, stored, nowSec, seen));
    this.#trim(channel, nowSec);
    this.#dropExpiredFront(2 * fitting.length, nowSec);
    return ids;
  }

  #push(channel: ModelChannel, data: Uint8Array, stored: boolean, nowSec: number, seen: Seen): number {
    const { state } = this;
    this.#tick(nowSec);
    const ttl = stored ? state.policy.messageTtlSec : state.policy.unstoredTtlSec;
    const id = ++channel.lastId;
    const message = {
      serial: state.nextSerial++,
      age: state.nextAge++,
      channel,
      id,
      data,
      stored,
      time: state.clockSec,
      tag: state.clockTag,
      expires: ttl === 0 ? NEVER : nowSec + ttl,
      blocks: this.#messageBlocks(data.length),
    };
    state.messages.push(message);
    seen({ ...message });
    state.published++;
    channel.activeUntil = this.#activeUntil(nowSec);
    return id;
  }

  #trim(channel: ModelChannel, nowSec: number): void {
    while (this.#isOverLimit(channel)) {
      const oldest = this.stored(channel)[0]!;
      if (oldest.serial >= this.#slowest()) this.#demote(oldest, nowSec);
      else this.#drop(oldest);
    }
  }

  #isOverLimit(channel: ModelChannel): boolean {
    const { maxStoredPerChannel: most, maxStoredBytesPerChannel: mostBytes } = this.state.policy;
    const stored = this.stored(channel);
    const blocks = stored.reduce((sum, message) => sum + message.blocks, 0);
    const isOver =
      (most > 0 && stored.length > most) || (mostBytes > 0 && blocks * this.layout.blockSize > mostBytes);
    return isOver && stored.length > 1;
  }

  delete(name: Uint8Array, data: Uint8Array, nowSec: number): boolean {
    const { state } = this;
    const channel = this.find(name);
    if (channel === undefined) return false;
    const blocks = this.#messageBlocks(data.length);
    if (!this.#makeRoom(blocks, nowSec)) throw new Error("the driver keeps deletion texts short");
    const ttl = state.policy.unstoredTtlSec;
    state.messages.push({
      serial: state.nextSerial++,
      age: state.nextAge++,
      channel: null,
      id: -2,
      data,
      stored: false,
      time: 0,
      tag: 0,
      expires: ttl === 0 ? NEVER : nowSec + ttl,
      blocks,
    });
    this.retire(channel, nowSec);
    state.deleted.push(channel);
    return true;
  }

  retire(channel: ModelChannel, nowSec: number): void {
    this.state.live = this.state.live.filter((other) => other !== channel);
    channel.since = nowSec;
  }

  /** Everything but inactive channels, whose turn the model does not know. */
  sweep(nowSec: number): void {
    const { state } = this;
    if (state.lastSweep === nowSec) return;
    state.lastSweep = nowSec;
    state.messages = state.messages.filter((message) => message.expires > nowSec);
    for (const channel of [...state.deleted]) {
      const restedSec = Math.abs(nowSec - channel.since);
      if (restedSec <= 1) break;
      state.messages = state.messages.filter((message) => message.channel !== channel);
      // Somebody is still to be told; not for ever.
      if (channel.subscribers.some((count) => count > 0) && restedSec <= 60) continue;
      state.deleted.splice(state.deleted.indexOf(channel), 1);
      channel.since = nowSec;
      state.trashed.push(channel);
    }
    this.emptyTrash(nowSec);
  }

  emptyTrash(nowSec: number): void {
    const { trashed } = this.state;
    while (trashed.length > 0 && Math.abs(nowSec - trashed[0]!.since) > 10) trashed.shift();
  }

  isInactive(channel: ModelChannel, nowSec: number): boolean {
    const idle = this.stored(channel).length === 0 && channel.subscribers.every((count) => count === 0);
    return idle && channel.activeUntil < nowSec;
  }

  /** Moves a channel to the trash that the sweep has found inactive. */
  collect(channel: ModelChannel, nowSec: number): void {
    this.state.messages = this.state.messages.filter((message) => message.channel !== channel);
    this.retire(channel, nowSec);
    this.state.trashed.push(channel);
  }

  /**
   * What a rebuild does besides nothing: frees messages of channels that are gone, and lists resting ones by
   * time.
   */
  rebuilt(): void {
    const { state } = this;
    // Lists are made anew in publish order.
    state.messages.forEach((message, i) => {
      message.age = i + 1;
    });
    state.nextAge = state.messages.length + 1;
    state.messages = state.messages.filter(({ channel }) => channel === null || state.live.includes(channel));
    const byTime = (a: ModelChannel, b: ModelChannel): number => a.since - b.since || b.index - a.index;
    state.deleted.sort(byTime);
    state.trashed.sort(byTime);
  }

  releaseSlot(slot: number): void {
    this.state.cursors[slot] = null;
    for (const channel of [...this.state.live, ...this.state.deleted]) channel.subscribers[slot] = 0;
  }

  stored(channel: ModelChannel): ModelMessage[] {
    return this.state.messages.filter((message) => message.channel === channel && message.stored);
  }

  of(channel: ModelChannel): ModelMessage[] {
    return this.state.messages.filter((message) => message.channel === channel);
  }

  /** The serials of the stored or unstored messages, as they stand in their list. */
  byAge(stored: boolean): string {
    const list = this.state.messages.filter((message) => message.stored === stored);
    list.sort((a, b) => a.age - b.age);
    return list.map(({ serial }) => serial).join();
  }

  #makeRoom(blocks: number, nowSec: number): boolean {
    if (this.freeBlocks() >= blocks) return true;
    if (blocks > this.layout.blocks - this.#nameBlocks()) return false;
    while (this.freeBlocks() < blocks) this.#evictOne(nowSec);
    return true;
  }

  #evictOne(nowSec: number): void {
    const { state } = this;
    const stored = this.#front(true);
    const unstored = this.#front(false);
    const slowest = this.#slowest();
    let victim = stored;
    if (unstored !== undefined && (stored === undefined || stored.expires > nowSec)) {
      if (stored === undefined || unstored.expires <= nowSec || unstored.serial < slowest) victim = unstored;
    }
    if (victim === undefined) throw new Error("the model has nothing left to evict");
    const wanted = victim.expires > nowSec && (victim.stored || victim.serial >= slowest);
    if (wanted) state.evicted++;
    this.#drop(victim);
  }

  #dropExpiredFront(limit: number, nowSec: number): void {
    for (const stored of [true, false]) {
      for (; limit > 0; limit--) {
        const front = this.#front(stored);
        if (front === undefined || front.expires > nowSec) break;
        this.#drop(front);
      }
    }
  }

  /** Below this every worker has dispatched. */
  #slowest(): number {
    const { nextSerial, cursors } = this.state;
    return Math.min(nextSerial, ...cursors.filter((cursor) => cursor !== null));
  }

  #demote(message: ModelMessage, nowSec: number): void {
    const { unstoredTtlSec } = this.state.policy;
    message.stored = false;
    message.age = this.state.nextAge++;
    message.expires = Math.min(message.expires, unstoredTtlSec === 0 ? NEVER : nowSec + unstoredTtlSec);
  }

  /** The front of the list of stored or unstored messages. */
  #front(stored: boolean): ModelMessage | undefined {
    let front: ModelMessage | undefined;
    for (const message of this.state.messages) {
      if (message.stored === stored && (front === undefined || message.age < front.age)) front = message;
    }
    return front;
  }

  #drop(message: ModelMessage): void {
    this.state.messages.splice(this.state.messages.indexOf(message), 1);
  }

  #messageBlocks(bytes: number): number {
    const { firstRoomBytes, moreRoomBytes } = this.layout;
    return bytes <= firstRoomBytes ? 1 : 1 + Math.ceil((bytes - firstRoomBytes) / moreRoomBytes);
  }

  #tick(nowSec: number): void {
    const { state } = this;
    if (nowSec > state.clockSec) {
      state.clockSec = nowSec;
      state.clockTag = 1;
    } else {
      state.clockTag++;
    }
  }

  #activeUntil(nowSec: number): number {
    const { channelInactivitySec } = this.state.policy;
    return channelInactivitySec === 0 ? NEVER : nowSec + channelInactivitySec;
  }
}
