/**
 * Opens damaged store files, one seed after the other, and uses each of them for everything; exits with 1 and
 * the seed at the first fault. A process of its own (corruption.test.ts starts it), because a link that is
 * followed for ever can be ended in no other way.
 *
 *   flips   a file that was closed in order, a few bits of it changed: mostly in words that lead somewhere
 *   live    the same while the file is in use: not everything can be right then, but every call ends, and
 *           none throws
 *   torn    a file that was not closed, as the disk has it after a power cut: each page as old as chance will
 *           have it
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { blockWord } from "../../src/store/memory/arena.ts";
import type { Layout } from "../../src/store/memory/layout.ts";
import { HEAD_BOOT, HEAD_ON_DISK, HEADER_BYTES } from "../../src/store/memory/layout-header.ts";
import { MSG_WORDS } from "../../src/store/memory/layout-message.ts";
import { openStore } from "../../src/store/opening.ts";
import type { OpenReport, Store, StoreShape } from "../../src/store/store.ts";
import { randomBelow } from "../random.ts";
import {
  bytes,
  Channel,
  NOW_MS,
  NOW_SEC,
  POLICY,
  removeTempFolders,
  smallShape,
  text,
} from "../store/fixture.ts";
import { checkInvariants } from "../store/invariants.ts";

const PAGE_BYTES = 4096;
const NAMES = ["a", "b", "", "news", "x".repeat(300), "q", "r", "s"];
const POLICY_USED = { ...POLICY, maxStoredPerChannel: 20, eventsChannel: bytes("events") };
const SLOWEST_MS = 3000;

/** What message `number` of a channel says; nothing else may ever be read. */
const dataOf = (name: string, number: number): string =>
  `${name}|${number}|${String.fromCharCode(97 + (number % 26)).repeat((number * 97) % 700)}`;

/** Goes on where the channel stands: publishes, deletes and sweeps, a few of each. */
function live(store: Store, from: number, to: number): void {
  for (let number = from; number < to; number++) {
    const name = NAMES[number % NAMES.length]!;
    const nowMs = NOW_MS + number * 40;
    const channel = new Channel(store, name, Math.floor(nowMs / 1000));
    channel.append(dataOf(name, number), number % 5 !== 0, nowMs);
    if (number % 41 === 40) store.deleteChannel(bytes(NAMES[5]!), bytes("gone"), nowMs);
    if (number % 53 === 52) store.sweep(nowMs);
  }
}

/** The file at three times of its life, the last one after an orderly stop. */
function makeSnapshots(shape: StoreShape): Uint8Array[] {
  const { store } = openStore(shape, POLICY_USED);
  store.arena.u32[HEAD_ON_DISK] = 1;
  const snapshots: Uint8Array[] = [];
  for (const [from, to] of [
    [0, 150],
    [150, 400],
    [400, 650],
  ] as const) {
    live(store, from, to);
    snapshots.push(new Uint8Array(readFileSync(shape.path)));
  }
  // The disk is only pretended: a flush would look for the file by its name, which is right, and find it.
  store.upkeep.markClean();
  store.close();
  snapshots.push(new Uint8Array(readFileSync(shape.path)));
  return snapshots;
}

function flipBits(file: Uint8Array, layout: Layout, pick: (below: number) => number): void {
  const most = pick(10) === 0 ? 500 : 6;
  for (let left = 1 + pick(most); left > 0; left--) {
    const at = wordToSpoil(layout, pick) * 4 + pick(4);
    file[at] = file[at]! ^ (1 << pick(8));
  }
}

/** Half of the damage hits headers of blocks; the rest the header page, tables and records, or anything. */
function wordToSpoil(layout: Layout, pick: (below: number) => number): number {
  const kind = pick(8);
  if (kind < 4) return blockWord(layout, 1 + pick(layout.blocks)) + pick(MSG_WORDS);
  if (kind < 5) return pick(HEADER_BYTES / 4);
  if (kind < 7) return layout.hashWord + pick(layout.blocksWord - layout.hashWord);
  return pick(layout.size / 4);
}

function tear(snapshots: readonly Uint8Array[], pick: (below: number) => number): Uint8Array {
  const torn = new Uint8Array(snapshots[2]!.length);
  for (let at = 0; at < torn.length; at += PAGE_BYTES) {
    torn.set(snapshots[pick(3)]!.subarray(at, at + PAGE_BYTES), at);
  }
  new Uint32Array(torn.buffer)[HEAD_BOOT]! ^= 1;
  return torn;
}

/** Every operation there is, on every channel that is left and on new ones. */
function useAll(store: Store): void {
  expectNothing(checkInvariants(store.arena), "after the opening");
  const indices: number[] = [];
  store.eachChannel((index) => indices.push(index));
  for (const index of indices) {
    const name = text(store.name(index));
    if (store.find(bytes(name)) !== index) throw new Error(`channel ${name} is not found by its name`);
    readChannel(store, name);
  }
  live(store, 650, 800);
  for (const name of NAMES) {
    const channel = new Channel(store, name);
    const slot = store.workers.claimSlot(4242, NOW_SEC);
    store.subscribers.add(slot, channel.index, NOW_SEC, channel.incarnation);
    store.subscribers.remove(slot, channel.index, channel.incarnation, NOW_MS);
    store.workers.releaseSlot(slot, NOW_MS);
    const before = store.publishedCount(channel.index);
    if (channel.append("next") !== before + 1) throw new Error(`the id after ${before} is another`);
    readChannel(store, name);
  }
  for (const sec of [30, 31, 32, 60, 200, 201, 202, 300]) store.sweep(NOW_MS + sec * 1000);
  store.totals(NOW_MS);
  expectNothing(checkInvariants(store.arena), "at the end");
}

/** The same where a few words are noise: a channel that cannot be opened is a refusal, which is an answer. */
function useDamaged(store: Store): void {
  const refusing = (use: () => void): void => {
    try {
      use();
    } catch (error) {
      if (!(error instanceof Error && /was not opened: -[23]$|larger than the store$/.test(error.message)))
        throw error;
    }
  };
  store.eachChannel((index) => store.name(index));
  refusing(() => live(store, 650, 800));
  const slot = store.workers.claimSlot(4242, NOW_SEC);
  for (const name of NAMES) {
    refusing(() => {
      const channel = new Channel(store, name);
      if (slot >= 0) store.subscribers.add(slot, channel.index, NOW_SEC, channel.incarnation);
      channel.append("next");
      channel.after(0, true);
      channel.last(10);
      if (slot >= 0) store.subscribers.remove(slot, channel.index, channel.incarnation, NOW_MS);
      store.deleteChannel(bytes(name), bytes("gone"), NOW_MS);
    });
  }
  for (const sec of [30, 31, 32, 60, 200, 201, 202, 300]) store.sweep(NOW_MS + sec * 1000);
  store.totals(NOW_MS);
}

/** Ids grow, and every message is one that was published. */
function readChannel(store: Store, name: string): void {
  const found = new Channel(store, name).after(0, true);
  let last = 0;
  for (const line of found === "gone" ? [] : found) {
    const id = Number(line.slice(0, line.indexOf(":")));
    if (!(id > last)) throw new Error(`channel ${name}: id ${id} after ${last}`);
    last = id;
    const data = line.slice(line.indexOf(":") + 1);
    const number = Number(data.split("|")[1]);
    const isTrue = data === "next" || data === dataOf(name, number) || name === "events";
    if (!isTrue) throw new Error(`channel ${name}: message ${id} was never published: ${data.slice(0, 40)}`);
  }
}

function expectNothing(faults: readonly string[], when: string): void {
  if (faults.length > 0) throw new Error(`${when}: ${faults.join("; ")}`);
}

/** Damage that is in none of the words that count may pass; all other begins a new life. */
function expectReport(kind: string, report: OpenReport): void {
  if (report.isSameLife && report.kind !== "reopened")
    throw new Error(`${kind}: positions of before still count`);
}

const [kind = "", first = "1", rounds = "1"] = process.argv.slice(2);
const shape = smallShape({ size: 192 * 1024 });
const snapshots = makeSnapshots(shape);
const { layout } = openStore(shape, POLICY_USED).store.arena;
let recovered = 0;
let kept = 0;
for (let seed = Number(first); seed < Number(first) + Number(rounds); seed++) {
  const pick = randomBelow(seed * 0x9e3779b1);
  for (let warm = 0; warm < 5; warm++) pick(2);
  const file = kind === "torn" ? tear(snapshots, pick) : snapshots[3]!.slice();
  if (kind === "flips") flipBits(file, layout, pick);
  // In place: the inode stays, as it does when the damage is the disk's.
  writeFileSync(shape.path, file);
  const startMs = performance.now();
  try {
    const { store, report } = openStore(shape, POLICY_USED);
    if (report.kind === "recovered") recovered++;
    kept += report.messages;
    if (kind === "live") {
      flipBits(store.arena.u8, layout, pick);
      useDamaged(store);
    } else {
      expectReport(kind, report);
      useAll(store);
    }
    store.close();
    if (report.setAside !== null) rmSync(report.setAside);
    const tookMs = performance.now() - startMs;
    if (tookMs > SLOWEST_MS) throw new Error(`took ${tookMs} ms`);
  } catch (error) {
    console.error(`${kind}, seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    removeTempFolders();
    process.exit(1);
  }
}
removeTempFolders();
console.log(JSON.stringify({ recovered, kept }));
