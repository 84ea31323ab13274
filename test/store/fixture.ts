/**
 * Small stores for tests, each in a folder of its own that goes with the test, and short names for what tests
 * do all the time.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FLAG_STORED } from "../../src/message.ts";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import { type Entry, UNSETTLED } from "../../src/store/message/append-all.ts";
import type { KeyMark } from "../../src/store/message/keys.ts";
import { LastSearch } from "../../src/store/message/last-search.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { FOUND } from "../../src/store/message/reader.ts";
import { openStore } from "../../src/store/opening.ts";
import type { Store, StorePolicy, StoreShape } from "../../src/store/store.ts";

/** A second far from 0 and from now, so that a test that mixes clocks fails. */
export const NOW_SEC = 1_700_000_000;
export const NOW_MS = NOW_SEC * 1000;

export const POLICY: StorePolicy = {
  messageTtlSec: 100,
  unstoredTtlSec: 5,
  maxStoredPerChannel: 0,
  maxStoredBytesPerChannel: 0,
  channelInactivitySec: 30,
  keyWindowSec: 300,
  maxChannels: 0,
  maxWildcardChannels: 0,
  wildcardPrefix: new Uint8Array(0),
  eventsChannel: new Uint8Array(0),
};

const folders: string[] = [];

export function tempPath(): string {
  // Who names a folder for temporary files clears it up, too.
  const isFree = process.env["TMPDIR"] === undefined && existsSync("/dev/shm");
  const root = isFree ? "/dev/shm" : tmpdir();
  const folder = mkdtempSync(join(root, "sluice-test-"));
  folders.push(folder);
  return join(folder, "store");
}

export function removeTempFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export const smallShape = (over: Partial<StoreShape> = {}): StoreShape => ({
  path: tempPath(),
  size: 128 * 1024,
  blockSize: 256,
  channels: 64,
  ringSize: 64,
  workerSlots: 4,
  ...over,
});

const paths = new WeakMap<Store, string>();

export function newStore(policy: Partial<StorePolicy> = {}, shape: Partial<StoreShape> = {}): Store {
  const full = smallShape(shape);
  const { store } = openStore(full, { ...POLICY, ...policy });
  paths.set(store, full.path);
  return store;
}

export const pathOf = (store: Store): string => paths.get(store) ?? "";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
export const bytes = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text);
export const text = (data: Uint8Array): string => decoder.decode(data);

/** A channel as a test holds it. */
export class Channel {
  readonly index: number;
  readonly incarnation: number;
  readonly name: Uint8Array;
  readonly store: Store;

  constructor(store: Store, name: string, nowSec = NOW_SEC) {
    this.store = store;
    this.name = bytes(name);
    const ref = new ChannelRef();
    this.index = store.open(this.name, nowSec, ref);
    if (this.index < 0) throw new Error(`channel ${name} was not opened: ${this.index}`);
    this.incarnation = ref.incarnation;
  }

  append(data: string | Uint8Array, stored = true, nowMs = NOW_MS): number {
    const payload = typeof data === "string" ? bytes(data) : data;
    return this.store.append(this.index, this.incarnation, payload, null, null, stored, nowMs);
  }

  /** Ids and data of what a Reader gives, as "id:data". */
  after(afterId: number, includeUnstored = false, limit = 1000): string[] | "gone" {
    if (!this.store.isLive(this.index, this.incarnation)) return "gone";
    const out: string[] = [];
    readOn(this.store, this.index, this.incarnation, afterId, (m) => {
      if (out.length === limit) return false;
      if (includeUnstored || (m.flags & FLAG_STORED) !== 0) out.push(`${m.id}:${dataOf(m)}`);
      return true;
    });
    return out;
  }

  /** The last stored ones, oldest first. */
  last(count: number): string[] | "gone" {
    if (!this.store.isLive(this.index, this.incarnation)) return "gone";
    return this.after(beforeLast(this.store, this.index, this.incarnation, count));
  }
}

/** A message for appendAll; with a key as publish/ makes them, but for the digest. */
export function entryFor(
  channel: Channel,
  data: string,
  { key = null, sent = data, stored = true }: { key?: string | null; sent?: string; stored?: boolean } = {},
): Entry {
  return { ...entryOf(channel, bytes(data), stored), key: key === null ? null : markOf(key, sent) };
}

/** In the middle of other bytes, as a batch has it. */
export const entryOf = (
  { index, incarnation }: { readonly index: number; readonly incarnation: number },
  data: Uint8Array,
  stored: boolean,
): Entry => ({
  index,
  incarnation,
  whole: Uint8Array.from([1, 2, ...data, 3]),
  start: 2,
  length: data.length,
  eventId: null,
  eventType: null,
  stored,
  key: null,
  outcome: UNSETTLED,
  position: 0,
  isDuplicate: false,
});

export function markOf(key: string, sent: string): KeyMark {
  const digest = new Uint32Array(Bun.SHA256.hash(bytes(key)).buffer, 0, 4);
  return { digest, bodyLow: Bun.hash.xxHash32(sent), bodyHigh: sent.length };
}

/** The channel's newest message. */
export function newestOf({ store, index, incarnation }: Channel): Message {
  const message = new Message();
  const outcome = store.history.reader(index, incarnation, store.publishedCount(index) - 1).next(message);
  if (outcome !== FOUND) throw new Error(`no newest message: ${outcome}`);
  return message;
}

/** The id before the last `count` stored messages, as subscribe/ finds it. */
export function beforeLast(store: Store, index: number, incarnation: number, count: number): number {
  const newest = store.publishedCount(index);
  if (count === 0) return newest;
  const known = store.history.beforeLastStored(index, incarnation, count, newest);
  if (known >= 0) return known;
  const search = new LastSearch(store, index, incarnation, count, newest);
  search.run(1e9);
  return search.afterId;
}

/**
 * Gives messages from a Reader to `visit`, until it says false or there is nothing more; the last outcome of
 * the Reader.
 */
export function readOn(
  store: Store,
  index: number,
  incarnation: number,
  afterId: number,
  visit: (m: Message) => boolean,
): number {
  const reader = store.history.reader(index, incarnation, afterId);
  const message = new Message();
  for (;;) {
    const outcome = reader.next(message);
    if (outcome !== FOUND || !visit(message)) return outcome;
    reader.accept(message);
  }
}

export const dataOf = (message: Message): string =>
  text(message.bytes.subarray(message.dataOffset, message.dataOffset + message.dataLength));
