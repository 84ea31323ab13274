/**
 * Runs a store and its model side by side. Bytes are the program: one picks the operation, the next ones are its operands, so
 * that a failing run is a seed and nothing else. Every answer is compared, the whole content from time to time.
 */
import { channelWord, FAULT_POINTS } from "../../src/store/arena.ts";
import { checkInvariants } from "../../src/store/invariants.ts";
import {
  CH_ACTIVE_UNTIL,
  CH_AFTER,
  CH_RESTS_SINCE,
  HEAD_CLOCK_SEC,
  HEAD_CLOCK_TAG,
  HEAD_DELETED,
  HEAD_SWEEP_SECOND,
  HEAD_TRASHED,
  LIST_FIRST,
} from "../../src/store/layout.ts";
import { Message } from "../../src/store/message-view.ts";
import { RefList } from "../../src/store/refs.ts";
import { RingEntry } from "../../src/store/ring.ts";
import { openStore, type Store, type StorePolicy, type StoreShape } from "../../src/store/store.ts";
import { Model, type ModelChannel, type ModelMessage } from "./store-model.ts";

const POLICY: StorePolicy = {
  messageTtlSec: 40,
  unstoredTtlSec: 5,
  maxStoredPerChannel: 0,
  channelInactivitySec: 20,
  maxChannels: 0,
};

/** Short and long, empty, and with bytes that are no text. */
const NAMES: readonly Uint8Array[] = [
  new Uint8Array(0),
  ...["a", "b", "c", "news", "x".repeat(116), "y".repeat(117), "z".repeat(600)].map((name) =>
    Buffer.from(name),
  ),
  new Uint8Array([0]),
  new Uint8Array([0, 255, 0]),
  new Uint8Array([255]),
];

class Died extends Error {}

/** A reference that somebody still holds, living or not. */
interface Held {
  index: number;
  incarnation: number;
  channel: ModelChannel;
}

export class Driver {
  readonly trace: string[] = [];
  readonly #shape: StoreShape;
  readonly #program: Uint8Array;
  #at = 0;
  #store: Store;
  #model: Model;
  #nowSec = 1_000_000;
  #held: Held[] = [];
  #follower = 1;
  /** What the ring must show: by serial. */
  #log = new Map<number, { index: number; id: number }>();

  constructor(shape: StoreShape, program: Uint8Array) {
    this.#shape = shape;
    this.#program = program;
    this.#store = openStore(shape, { ...POLICY }).store;
    this.#model = new Model(this.#store.arena.layout, { ...POLICY });
  }

  /** Throws at the first difference. */
  run(): void {
    const operations = [
      () => this.#open(),
      () => this.#append(this.#pick(), true),
      () => this.#append(this.#pick(), true),
      () => this.#append(this.#pick(), true),
      () => this.#append(this.#pick(), false),
      () => this.#delete(),
      () => this.#collect(),
      () => this.#collectLast(),
      () => this.#subscribe(),
      () => this.#slot(),
      () => this.#passTime(),
      () => this.#sweep(),
      () => this.#crash(),
      () => this.#reopen(),
      () => this.#follow(),
      () => this.#changePolicy(),
    ];
    for (let count = 0; this.#at < this.#program.length; count++) {
      operations[this.#byte() % operations.length]!();
      if (count % 16 === 0) this.#compareAll();
    }
    this.#compareAll();
  }

  #byte(): number {
    return this.#program[this.#at++] ?? 0;
  }

  #say(line: string): void {
    this.trace.push(line);
  }

  #open(): void {
    const name = NAMES[this.#byte() % NAMES.length]!;
    this.#say(`open ${name.length}`);
    const index = this.#store.open(name, this.#nowSec);
    this.#opened(this.#model.open(name, this.#nowSec), index);
  }

  #opened(expected: ModelChannel | number, index: number): void {
    if (typeof expected === "number") {
      same(index, expected, "open");
      return;
    }
    same(index >= 0, true, `open answered ${index}`);
    if (expected.index < 0) expected.index = index;
    same(index, expected.index, "index of an open channel");
    same(this.#store.base(index), expected.base, "base");
    this.#hold(index, expected);
  }

  #hold(index: number, channel: ModelChannel): void {
    this.#held.push({ index, incarnation: this.#store.incarnation(index), channel });
    if (this.#held.length > 24) this.#held.shift();
  }

  #pick(): Held | undefined {
    return this.#held[this.#byte() % Math.max(1, this.#held.length)];
  }

  #isLive(held: Held): boolean {
    return this.#model.state.live.includes(held.channel);
  }

  #payload(): Uint8Array {
    const kind = this.#byte();
    const length = kind < 200 ? kind : kind < 250 ? (kind - 200) * 40 : kind < 254 ? 5000 : 70_000;
    const fill = this.#byte();
    return Uint8Array.from({ length }, (_, at) => (at * 3 + fill) & 255);
  }

  #append(held: Held | undefined, stored: boolean): void {
    if (held === undefined) return;
    const data = this.#payload();
    this.#say(`append ${data.length} stored=${stored} to ${held.index}`);
    const live = this.#isLive(held);
    const expected = live ? this.#model.append(held.channel, data, stored, this.#nowSec) : 0;
    const id = this.#store.append(
      held.index,
      held.incarnation,
      data,
      null,
      null,
      stored,
      this.#nowSec * 1000,
    );
    same(id, expected, "id of append");
    if (id > 0) this.#log.set(this.#model.state.nextSerial - 1, { index: held.index, id });
  }

  #delete(): void {
    const name = NAMES[this.#byte() % NAMES.length]!;
    const data = new Uint8Array(this.#byte()).fill(9);
    this.#say(`delete ${name.length} with ${data.length}`);
    const channel = this.#model.find(name);
    const expected = this.#model.delete(name, data, this.#nowSec);
    same(this.#store.deleteChannel(name, data, this.#nowSec * 1000), expected, "deleteChannel");
    if (channel !== undefined)
      this.#log.set(this.#model.state.nextSerial - 1, { index: channel.index, id: -2 });
  }

  #collect(): void {
    const held = this.#pick();
    if (held === undefined) return;
    const includeUnstored = this.#byte() % 2 === 0;
    const limit = this.#byte() % 12;
    const afterId = Math.max(0, held.channel.lastId - (this.#byte() % 20));
    const refs = new RefList();
    const found = this.#store.collect(held.index, held.incarnation, afterId, includeUnstored, limit, refs);
    if (!this.#isLive(held)) {
      same(found, -1, "collect of a gone channel");
      return;
    }
    const all = includeUnstored ? this.#model.of(held.channel) : this.#model.stored(held.channel);
    this.#compareRefs(refs, all.filter((message) => message.id > afterId).slice(0, limit));
    same(found, refs.length, "count of collect");
  }

  #collectLast(): void {
    const held = this.#pick();
    if (held === undefined) return;
    const count = this.#byte() % 12;
    const refs = new RefList();
    const found = this.#store.collectLast(held.index, held.incarnation, count, refs);
    if (!this.#isLive(held)) {
      same(found, -1, "collectLast of a gone channel");
      return;
    }
    this.#compareRefs(refs, count === 0 ? [] : this.#model.stored(held.channel).slice(-count));
  }

  #subscribe(): void {
    const held = this.#pick();
    const slot = this.#byte() % this.#shape.workerSlots;
    if (held === undefined || this.#model.state.cursors[slot] === null) return;
    const add = this.#byte() % 2 === 0;
    const live = this.#isLive(held);
    if (add) {
      const added = this.#store.addSubscriber(slot, held.index, this.#nowSec, held.incarnation);
      same(added, live, "addSubscriber");
    } else {
      this.#store.removeSubscriber(slot, held.index, held.incarnation);
    }
    if (!live) return;
    const { subscribers } = held.channel;
    subscribers[slot] = Math.max(0, subscribers[slot]! + (add ? 1 : -1));
    if (add) held.channel.activeUntil = activeUntil(this.#model.state.policy, this.#nowSec);
  }

  #slot(): void {
    const slot = this.#byte() % this.#shape.workerSlots;
    const { cursors, nextSerial } = this.#model.state;
    if (this.#byte() % 3 === 0) {
      this.#store.releaseSlot(slot);
      this.#model.releaseSlot(slot);
    } else if (cursors[slot] === null) {
      const free = cursors.indexOf(null);
      same(this.#store.claimSlot(5000 + free, this.#nowSec), free, "claimSlot");
      cursors[free] = nextSerial;
    } else {
      const cursor = Math.max(cursors[slot]!, nextSerial - (this.#byte() % 8));
      cursors[slot] = cursor;
      this.#store.setCursor(slot, cursor);
    }
  }

  #passTime(): void {
    const kind = this.#byte();
    const seconds = kind < 180 ? kind % 4 : kind < 240 ? kind % 16 : kind < 252 ? 45 : -(kind % 4) * 5;
    this.#nowSec += seconds;
    this.#say(`time ${seconds}`);
  }

  /** Two sweeps, in which the store looks at every channel. */
  #sweep(): void {
    this.#say("sweep");
    for (let second = 0; second < 2; second++) {
      if (second > 0) this.#nowSec++;
      this.#store.sweep(this.#nowSec * 1000);
      this.#swept();
    }
  }

  #swept(): void {
    const model = this.#model;
    const swept = model.state.lastSweep !== this.#nowSec;
    model.sweep(this.#nowSec);
    for (const channel of swept ? [...model.state.live] : []) {
      if (this.#store.find(channel.name) === channel.index) continue;
      same(model.isInactive(channel, this.#nowSec), true, `channel ${channel.index} was collected too early`);
      model.collect(channel, this.#nowSec);
    }
  }

  /**
   * One operation that dies at some point of its way, if it gets there. What the store holds then must lie between "not
   * begun" and "done"; the model takes over what it finds.
   */
  #crash(): void {
    const point = FAULT_POINTS[this.#byte() % FAULT_POINTS.length]!;
    const byReopen = this.#byte() % 2 === 0;
    const before = this.#model;
    const done = before.copy();
    this.#say(`crash at ${point}, ${byReopen ? "reopen" : "repair"}`);
    let countdown = this.#byte() % 4;
    this.#store.arena.fault = (here) => {
      if (here === point && countdown-- === 0) throw new Died();
    };
    const work = this.#crashingWork(done);
    let died = false;
    try {
      work();
    } catch (error) {
      if (!(error instanceof Died)) throw error;
      died = true;
    }
    this.#store.arena.fault = null;
    if (byReopen) this.#openAgain("recovered");
    else same(this.#store.repairAfterDeath(process.pid), died, "the lock was held");
    if (died || byReopen) for (const model of [before, done]) model.rebuilt();
    this.#adopt(before, done);
    this.#compareAll();
  }

  /** The operation that will die, as a function for the store; the copy of the model does it at once. */
  #crashingWork(done: Model): () => void {
    const store = this.#store;
    const [nowSec, nowMs] = [this.#nowSec, this.#nowSec * 1000];
    const kind = this.#byte() % 4;
    const name = NAMES[this.#byte() % NAMES.length]!;
    if (kind === 0) {
      done.open(name, nowSec);
      return () => store.open(name, nowSec);
    }
    if (kind === 1) {
      const data = new Uint8Array(this.#byte()).fill(8);
      done.delete(name, data, nowSec);
      return () => store.deleteChannel(name, data, nowMs);
    }
    const held = this.#pick();
    if (kind === 2 || held === undefined || !this.#isLive(held)) {
      done.sweep(nowSec);
      for (const channel of [...done.state.live])
        if (done.isInactive(channel, nowSec)) done.collect(channel, nowSec);
      done.emptyTrash(nowSec);
      return () => store.sweep(nowMs);
    }
    const data = this.#payload();
    const stored = this.#byte() % 4 > 0;
    const copy = done.find(held.channel.name)!;
    done.append(copy, data, stored, nowSec);
    return () => store.append(held.index, held.incarnation, data, null, null, stored, nowMs);
  }

  /** Makes the model what the store is, after checking that the store is something between the two models. */
  #adopt(before: Model, done: Model): void {
    const store = this.#store;
    const state = before.state;
    this.#adoptChannels(before, done);
    const kept = new Map(state.messages.map((message) => [message.serial, message]));
    const wanted = new Set(done.state.messages.map((message) => message.serial));
    const present = this.#serialsInStore();
    const fresh = done.state.messages.find((message) => message.serial === state.nextSerial);
    for (const serial of present) {
      same(kept.has(serial) || serial === fresh?.serial, true, `message ${serial} came from nowhere`);
    }
    for (const serial of kept.keys()) {
      if (wanted.has(serial)) same(present.has(serial), true, `message ${serial} was lost`);
    }
    state.messages = state.messages.filter((message) => present.has(message.serial));
    if (fresh !== undefined && store.head() === fresh.serial + 1) this.#adoptFresh(before, fresh, present);
    same(store.head(), state.nextSerial, "ring head after a crash");
    state.clockSec = store.arena.u32[HEAD_CLOCK_SEC]!;
    state.clockTag = store.arena.u32[HEAD_CLOCK_TAG]!;
    state.lastSweep = store.arena.u32[HEAD_SWEEP_SECOND]!;
    state.evicted = store.totals(0).evicted;
  }

  #adoptFresh(before: Model, fresh: ModelMessage, present: Set<number>): void {
    const { state } = before;
    const channel = fresh.channel === null ? null : before.find(fresh.channel.name)!;
    state.nextSerial++;
    if (present.has(fresh.serial)) state.messages.push({ ...fresh, channel });
    if (channel === null) return;
    state.published++;
    channel.lastId = fresh.id;
    this.#log.set(fresh.serial, { index: channel.index, id: fresh.id });
  }

  #adoptChannels(before: Model, done: Model): void {
    const { u32, layout } = this.#store.arena;
    const { state } = before;
    const known = new Map<number, ModelChannel>();
    for (const channel of [...state.live, ...state.deleted, ...state.trashed])
      known.set(channel.index, channel);
    for (const channel of [...state.live]) {
      const index = this.#store.find(channel.name);
      if (index !== channel.index) {
        same(done.find(channel.name) === undefined, true, "a channel was lost");
        before.retire(channel, this.#nowSec);
      } else {
        channel.activeUntil = u32[channelWord(layout, index) + CH_ACTIVE_UNTIL]!;
      }
    }
    for (const channel of done.state.live) {
      const index = this.#store.find(channel.name);
      if (before.find(channel.name) !== undefined || index < 0) continue;
      const adopted = { ...channel, index };
      state.live.push(adopted);
      this.#hold(index, adopted);
    }
    const deleted = restingIn(this.#store, HEAD_DELETED, known);
    for (const { index } of deleted)
      if (!state.deleted.some((was) => was.index === index)) this.#logDeletion(index);
    state.deleted = deleted;
    state.trashed = restingIn(this.#store, HEAD_TRASHED, known);
  }

  #logDeletion(index: number): void {
    this.#log.set(this.#model.state.nextSerial, { index, id: -2 });
  }

  /** Serials of every message that the store still has, by asking for each one that ever was. */
  #serialsInStore(): Set<number> {
    const { u32, layout } = this.#store.arena;
    const message = new Message();
    const found = new Set<number>();
    for (let block = 1; block <= layout.blocks; block++) {
      const stamp = u32[layout.blocksWord + block * layout.blockWords]!;
      if (this.#store.read(block, stamp, message)) found.add(message.serial);
    }
    return found;
  }

  #reopen(): void {
    const clean = this.#byte() % 2 === 0;
    this.#say(clean ? "reopen clean" : "reopen unclean");
    if (clean) {
      this.#store.markClean();
      this.#store.close();
    }
    this.#openAgain(clean ? "reopened" : "recovered");
    if (!clean) this.#model.rebuilt();
    this.#compareAll();
  }

  #openAgain(kind: string): void {
    const { store, report } = openStore(this.#shape, this.#model.state.policy);
    same(report.kind, kind, "kind of reopening");
    same(report.dropped, 0, "dropped");
    this.#store = store;
    for (let slot = 0; slot < this.#shape.workerSlots; slot++) this.#model.releaseSlot(slot);
  }

  /** A worker that reads the ring from where it was. */
  #follow(): void {
    const entry = new RingEntry();
    const head = this.#store.head();
    for (; this.#follower < head; this.#follower++) {
      const readable = head - this.#follower < this.#store.arena.layout.ringSize;
      same(this.#store.entry(this.#follower, entry), readable, "ring entry readable");
      if (!readable) continue;
      const expected = this.#log.get(this.#follower);
      same(entry.channel, expected?.index, `channel of ring entry ${this.#follower}`);
      const message = this.#model.state.messages.find(({ serial }) => serial === this.#follower);
      const into = new Message();
      same(
        this.#store.read(entry.block, entry.stamp, into),
        message !== undefined,
        "message of a ring entry is there",
      );
      if (message !== undefined) compareMessage(into, message);
    }
  }

  #changePolicy(): void {
    const { policy } = this.#model.state;
    const byte = this.#byte();
    const next = {
      messageTtlSec: [40, 10, 100, 0][byte % 4]!,
      unstoredTtlSec: [5, 1, 20, 5][(byte >> 2) % 4]!,
      maxStoredPerChannel: [0, 0, 3, 10][(byte >> 4) % 4]!,
      channelInactivitySec: [20, 20, 3, 0][(byte >> 6) % 4]!,
      maxChannels: [0, 0, 6, 3][this.#byte() % 4]!,
    };
    Object.assign(policy, next);
    this.#say(`policy ${JSON.stringify(next)}`);
    this.#store.setPolicy({ ...next });
  }

  #compareAll(): void {
    const faults = checkInvariants(this.#store.arena);
    same(faults.length, 0, `invariants: ${faults.join("; ")}`);
    const { state } = this.#model;
    const totals = this.#store.totals(this.#nowSec * 1000);
    same(totals.channels, state.live.length, "channels");
    same(totals.channelsInDelete, state.deleted.length, "channels in delete");
    same(totals.channelsInTrash, state.trashed.length, "channels in trash");
    same(totals.stored, state.messages.filter((message) => message.stored).length, "stored messages");
    same(totals.published, state.published, "published messages");
    same(totals.evicted, state.evicted, "evicted messages");
    same(totals.blocksUsed, totals.blocksTotal - this.#model.freeBlocks(), "blocks used");
    const order: number[] = [];
    this.#store.eachChannel((index) => order.push(index));
    same(order.join(), state.live.map((channel) => channel.index).join(), "creation order");
    for (const channel of state.live) this.#compareChannel(channel);
  }

  #compareChannel(channel: ModelChannel): void {
    const { index } = channel;
    same(this.#store.find(channel.name), index, "find");
    same(Buffer.compare(this.#store.name(index), channel.name), 0, "name");
    same(this.#store.publishedCount(index), channel.lastId, "publishedCount");
    same(this.#store.storedCount(index), this.#model.stored(channel).length, "storedCount");
    const subscribers = channel.subscribers.reduce((sum, count) => sum + count, 0);
    same(this.#store.subscriberCount(index), subscribers, "subscriberCount");
    const refs = new RefList();
    this.#store.collect(index, this.#store.incarnation(index), 0, true, 1e6, refs);
    this.#compareRefs(refs, this.#model.of(channel));
  }

  #compareRefs(refs: RefList, expected: readonly ModelMessage[]): void {
    same(refs.length, expected.length, "number of messages found");
    const message = new Message();
    for (const [at, want] of expected.entries()) {
      same(this.#store.read(refs.block(at), refs.stamp(at), message), true, "a message found can be read");
      compareMessage(message, want);
    }
  }
}

/** The channels of one of the store's lists, in its order: the same objects as before, with the time the store says. */
function restingIn(store: Store, list: number, known: ReadonlyMap<number, ModelChannel>): ModelChannel[] {
  const { u32, layout } = store.arena;
  const resting: ModelChannel[] = [];
  for (let link = u32[list + LIST_FIRST]!; link !== 0; ) {
    const record = channelWord(layout, link - 1);
    const channel = known.get(link - 1);
    if (channel === undefined) throw new Error(`channel ${link - 1} rests, but never lived`);
    channel.since = u32[record + CH_RESTS_SINCE]!;
    resting.push(channel);
    link = u32[record + CH_AFTER]!;
  }
  return resting;
}

function compareMessage(message: Message, want: ModelMessage): void {
  same(message.id, want.id, "id");
  same(message.serial, want.serial, "serial");
  same(message.time, want.time, "time");
  same(message.tag, want.tag, "tag");
  same(message.expires, want.expires, "expires");
  same(message.dataLength, want.data.length, "data length");
  const data = message.bytes.subarray(message.dataOffset, message.dataOffset + message.dataLength);
  same(Buffer.compare(data, want.data), 0, "data");
}

const activeUntil = (policy: StorePolicy, nowSec: number): number =>
  policy.channelInactivitySec === 0 ? 0xffffffff : nowSec + policy.channelInactivitySec;

function same(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${actual} instead of ${expected}`);
}
