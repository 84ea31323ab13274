/**
 * Deaths at every single write of every kind of change under the lock, and with any part of the plain writes
 * between two atomic ones done: each change is then done or not begun, nothing is made anew, and the next
 * publish works.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { Internal } from "../../src/store/channel/internal-channels.ts";
import { hashName } from "../../src/store/channel/names.ts";
import type { Arena } from "../../src/store/memory/arena.ts";
import { channelWord, setWide } from "../../src/store/memory/arena.ts";
import { CH_LAST_ID } from "../../src/store/memory/layout-channel.ts";
import { HEAD_RING_HEAD } from "../../src/store/memory/layout-header.ts";
import { openStore } from "../../src/store/opening.ts";
import { OWED_BEHIND } from "../../src/store/slots.ts";
import { Store, type StorePolicy } from "../../src/store/store.ts";
import { randomFraction } from "../random.ts";
import { digestOf } from "./digest.ts";
import {
  bytes,
  Channel,
  entryFor,
  NOW_MS,
  NOW_SEC,
  POLICY,
  removeTempFolders,
  smallShape,
} from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";
import { Steps } from "./stepping.ts";

afterAll(removeTempFolders);

const LATER_MS = NOW_MS + 20_000;
const LARGE = "large".repeat(300);

interface Case {
  readonly name: string;
  readonly policy?: Partial<StorePolicy>;
  readonly channels?: number;
  readonly prepare: (store: Store) => void;
  readonly work: (store: Store) => void;
}

const a = (store: Store): Channel => new Channel(store, "a");

function fill(store: Store, count: number, data = "x"): void {
  const channel = a(store);
  for (let at = 0; at < count; at++) channel.append(`${data}${at}`);
}

function keyed(store: Store, ...keys: readonly string[]): void {
  const entries = keys.map((key) => entryFor(a(store), key, { key }));
  store.appendAll(entries, 0, NOW_MS);
}

function together(store: Store, count: number, { data = "x", stored = true } = {}): void {
  const entries = Array.from({ length: count }, (_, at) => entryFor(a(store), `${data}${at}`, { stored }));
  expect(store.appendAll(entries, 0, NOW_MS)).toBe(count);
  expect(entries.map(({ outcome }) => outcome)).toEqual(idsFrom(entries[0]?.outcome ?? 0, count));
}

const idsFrom = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, at) => first + at);

/** A worker with somebody who lags, so that nothing is dropped that it may still want. */
function owe(store: Store): void {
  store.workers.setOwed(store.workers.claimSlot(1, NOW_SEC), OWED_BEHIND);
}

/**
 * Names that belong to the last place of the hash table, and some that belong anywhere: taking the first out
 * moves the others up.
 */
function crowded({ arena }: Store): string[] {
  const mask = arena.layout.hashSize - 1;
  const names = Array.from({ length: 2000 }, (_, at) => `channel ${at}`);
  const together = names.filter((name) => (hashName(arena, bytes(name)) & mask) === mask);
  return [...together.slice(0, 5), ...names.slice(0, 40)];
}

const events = { eventsChannel: bytes("events") };

const CASES: readonly Case[] = [
  { name: "a first message", prepare: a, work: (store) => a(store).append("1") },
  { name: "a message among others", prepare: (s) => fill(s, 3), work: (s) => a(s).append("1") },
  { name: "a message of many blocks", prepare: (s) => fill(s, 3), work: (s) => a(s).append(LARGE) },
  { name: "a message with a key", prepare: (s) => fill(s, 3), work: (s) => keyed(s, "k") },
  {
    name: "messages of a batch, of which the second is known",
    prepare: (s) => keyed(s, "b"),
    work: (s) => keyed(s, "a", "b", "c"),
  },
  { name: "an unstored message", prepare: (s) => fill(s, 3), work: (s) => a(s).append("1", false) },
  {
    name: "a message that a search skips to",
    prepare: (s) => {
      fill(s, 1);
      setWide(s.arena.u32, channelWord(s.arena.layout, 0) + CH_LAST_ID, 4095);
    },
    work: (s) => a(s).append("1"),
  },
  {
    name: "a message whose serial and id cross 2^32",
    prepare: (s) => {
      fill(s, 1);
      setWide(s.arena.u32, HEAD_RING_HEAD, 2 ** 32 - 1);
      setWide(s.arena.u32, channelWord(s.arena.layout, 0) + CH_LAST_ID, 2 ** 32 - 1);
    },
    work: (s) => a(s).append("1"),
  },
  {
    name: "a message in a full store",
    prepare: (s) => {
      new Channel(s, "b").append("early");
      fill(s, 100, LARGE);
    },
    work: (s) => new Channel(s, "b").append(LARGE),
  },
  {
    name: "a message beyond the limit",
    policy: { maxStoredPerChannel: 3 },
    prepare: (s) => fill(s, 3),
    work: (s) => a(s).append("1"),
  },
  { name: "messages of one channel at once", prepare: (s) => fill(s, 3), work: (s) => together(s, 4) },
  {
    name: "messages at once that are longer than a block, into an empty channel",
    prepare: a,
    work: (s) => together(s, 3, { data: "long".repeat(100) }),
  },
  {
    name: "messages at once, for whoever is there now alone",
    prepare: (s) => fill(s, 2),
    work: (s) => together(s, 3, { stored: false }),
  },
  {
    name: "messages at once that put others out",
    policy: { maxStoredPerChannel: 4 },
    prepare: (s) => {
      fill(s, 2);
      new Channel(s, "b").append("between");
      fill(s, 2);
    },
    work: (s) => together(s, 3),
  },
  {
    name: "more messages at once than the limit is, behind a long and an unstored one",
    policy: { maxStoredPerChannel: 2 },
    prepare: (s) => {
      a(s).append(LARGE);
      a(s).append("unstored", false);
      a(s).append("1");
    },
    work: (s) => together(s, 5),
  },
  {
    name: "messages at once beyond a limit, of which somebody has not read the last",
    policy: { maxStoredPerChannel: 3 },
    prepare: (s) => {
      const slot = s.workers.claimSlot(1, NOW_SEC);
      fill(s, 3);
      s.workers.setCursor(slot, s.head() - 1);
    },
    work: (s) => together(s, 4),
  },
  {
    name: "messages at once beyond a limit of bytes, of which the newest alone stays",
    policy: { maxStoredBytesPerChannel: 256 },
    prepare: (s) => fill(s, 1),
    work: (s) => together(s, 2),
  },
  {
    name: "messages at once whose serials and ids cross 2^32, and whose searches skip",
    policy: { maxStoredPerChannel: 2 },
    prepare: (s) => {
      fill(s, 2);
      setWide(s.arena.u32, HEAD_RING_HEAD, 2 ** 32 - 3);
      setWide(s.arena.u32, channelWord(s.arena.layout, 0) + CH_LAST_ID, 2 ** 32 - 2);
    },
    work: (s) => together(s, 5),
  },
  {
    name: "messages at once in a store that has room for some of them",
    prepare: (s) => fill(s, 100, LARGE),
    work: (s) => together(s, 4, { data: LARGE }),
  },
  {
    name: "a message beyond a limit that was lowered, while somebody lags",
    policy: { maxStoredPerChannel: 2 },
    prepare: (s) => {
      owe(s);
      s.setPolicy(POLICY);
      fill(s, 5);
      a(s).append("unstored", false);
    },
    work: (s) => a(s).append("1"),
  },
  {
    name: "a message when others have expired",
    policy: { messageTtlSec: 5 },
    prepare: (s) => fill(s, 4),
    work: (s) => a(s).append("1", true, LATER_MS),
  },
  {
    name: "a channel deleted, in a crowded hash table",
    prepare: (s) => {
      for (const name of crowded(s)) new Channel(s, name);
      fill(s, 2);
    },
    work: (s) => {
      const [first, second] = crowded(s);
      for (const name of [first, second, "a"]) s.deleteChannel(bytes(name ?? ""), bytes(LARGE), NOW_MS);
    },
  },
  {
    name: "a channel with a long name, and a wildcard channel",
    policy: { wildcardPrefix: bytes("w") },
    prepare: (s) => fill(s, 2),
    work: (s) => {
      s.open(bytes("long".repeat(200)), NOW_SEC);
      s.open(bytes("w1"), NOW_SEC);
      s.open(bytes(""), NOW_SEC);
    },
  },
  {
    name: "a channel in the place of an idle one",
    channels: 4,
    policy: { wildcardPrefix: bytes("w") },
    prepare: (s) => {
      for (const name of ["w1", "b", "c"]) new Channel(s, name, NOW_SEC - 5);
      fill(s, 1);
    },
    work: (s) => {
      s.open(bytes("new".repeat(100)), NOW_SEC);
      s.open(bytes("w2"), NOW_SEC);
    },
  },
  {
    name: "the sweep of all that there can be",
    policy: { messageTtlSec: 5, channelInactivitySec: 5, ...events },
    prepare: (s) => {
      for (const name of ["idle", "gone", "gone too"]) new Channel(s, name).append(name, name !== "idle");
      s.deleteChannel(bytes("gone"), bytes("bye"), NOW_MS);
      s.subscribers.add(s.workers.claimSlot(1, NOW_SEC), new Channel(s, "gone too").index, NOW_SEC);
      s.deleteChannel(bytes("gone too"), bytes("bye"), NOW_MS);
      fill(s, 2);
    },
    work: (s) => {
      for (let second = 0; second < 4; second++) s.sweep(LATER_MS + 1000 * second);
      for (let second = 0; second < 4; second++) s.sweep(LATER_MS + 80_000 + 30_000 * second);
    },
  },
  {
    name: "the sweep of a list that is not in order of expiry",
    policy: { messageTtlSec: 5 },
    prepare: (s) => {
      s.setPolicy(POLICY);
      fill(s, 2);
      s.setPolicy({ ...POLICY, messageTtlSec: 5 });
      fill(s, 2);
    },
    work: (s) => s.sweep(LATER_MS),
  },
  {
    name: "subscribers who come and go, with events",
    policy: events,
    prepare: (s) => {
      fill(s, 1);
      for (const pid of [1, 2]) s.workers.claimSlot(pid, NOW_SEC);
      for (let each = 0; each < 3; each++) s.subscribers.add(1, a(s).index, NOW_SEC);
    },
    work: (s) => {
      const { index, incarnation } = new Channel(s, "new");
      s.subscribers.add(0, index, NOW_SEC, incarnation);
      s.subscribers.tellOf(index, incarnation, NOW_MS);
      s.subscribers.remove(0, index, incarnation, NOW_MS);
      s.workers.releaseSlot(1, NOW_MS);
    },
  },
  {
    name: "a first subscriber and a deleted channel's last, told to webhooks",
    policy: { webhooks: { backlogBytes: 8192, isWatched: () => true } },
    prepare: (s) => {
      s.workers.claimSlot(1, NOW_SEC);
      s.webhooks.takeLease(0, NOW_MS);
      s.webhooks.settle(["a"], true, NOW_MS);
    },
    work: (s) => {
      const { index, incarnation } = a(s);
      s.subscribers.add(0, index, NOW_SEC, incarnation);
      s.webhooks.tell(0, [{ kind: "published", channel: bytes("a"), members: bytes("") }], 9, NOW_MS);
      s.subscribers.remove(0, index, incarnation, NOW_MS);
      s.deleteChannel(bytes("a"), bytes("bye"), NOW_MS);
      for (let second = 0; second < 4; second++) s.sweep(LATER_MS + 1000 * second);
    },
  },
  {
    name: "an internal channel's first message, and one beyond its bounds in a full store",
    prepare: (s) => {
      fill(s, 100, LARGE);
      note(s, "early");
    },
    work: (s) => {
      for (const data of ["second", LARGE]) note(s, data);
      s.internal.append(Internal.console, { data: bytes("first"), ...NO_TEXT }, BOUNDS, NOW_MS);
      s.internal.forget(Internal.webhooks, 3, NOW_MS);
    },
  },
];

const NO_TEXT = { eventId: null, eventType: null };
const BOUNDS = { maxMessages: 2, maxBytes: 8192 };

function note(store: Store, data: string): void {
  store.internal.append(Internal.webhooks, { data: bytes(data), ...NO_TEXT }, BOUNDS, NOW_MS);
}

describe.each(CASES)("$name", ({ policy: over, channels = 64, prepare, work }) => {
  const policy = { ...POLICY, ...over };
  const { store } = openStore(smallShape({ size: 48 * 1024, channels, ringSize: 16, keys: 40 }), policy);
  const { arena } = store;
  store.setPolicy(policy);
  prepare(store);
  const before = arena.u8.slice();
  const stages = new Map<string, number>();
  const note = (): unknown => stages.has(digestOf(arena)) || stages.set(digestOf(arena), stages.size);
  note();
  const whole = new Steps(arena, Number.POSITIVE_INFINITY, note);
  whole.run(() => work(new Store(whole.arena, policy, true)));
  const last = stages.get(digestOf(arena))!;

  test("killed before any of its writes: each change is done, or not begun", () => {
    expect(stages.size).toBeGreaterThan(1);
    let reached = 0;
    for (let step = 0; step <= whole.writes.length; step++) {
      arena.u8.set(before);
      const steps = new Steps(arena, step);
      const died = steps.run(() => work(new Store(steps.arena, policy, true)));
      expect(died).toBe(step < whole.writes.length);
      const stage = repairedStage(arena, policy, stages);
      expect(stage).toBeGreaterThanOrEqual(reached);
      expect(stage).toBeLessThanOrEqual(reached + 1);
      reached = stage;
      publishAtOnce(arena, policy);
    }
    expect(reached).toBe(last);
  }, 30_000);

  test("killed, and whoever repairs it killed as well", () => {
    // The same in each run: a death that is found is found again.
    const random = randomFraction(before.length);
    for (let step = 0; step < whole.writes.length; step++) {
      arena.u8.set(before);
      const steps = new Steps(arena, step);
      steps.run(() => work(new Store(steps.arena, policy, true)));
      for (let death = 0; death < 2; death++) diesRepairing(arena, policy, Math.floor(random() * 30));
      repairedStage(arena, policy, stages);
    }
  }, 30_000);

  test("killed with any part of the plain writes between two atomic ones done", () => {
    // The same in each run: a death that is found is found again.
    const random = randomFraction(before.length);
    for (let from = 0; from < whole.writes.length; ) {
      const atomic = whole.writes.findIndex((write, at) => at >= from && write.isAtomic);
      const to = atomic < 0 ? whole.writes.length : atomic;
      for (let draw = 0; draw < Math.min(16, to - from); draw++) {
        arena.u8.set(before);
        for (const [at, { bytes: written, byteOffset }] of whole.writes.slice(0, to).entries())
          if (at < from || random() < 0.5) arena.u8.set(written, byteOffset);
        repairedStage(arena, policy, stages);
        publishAtOnce(arena, policy);
      }
      from = to + 1;
    }
  }, 30_000);
});

/** The same repair by somebody who dies of it at some step; how it ends is up to the next. */
function diesRepairing(arena: Arena, policy: StorePolicy, steps: number): void {
  const dying = new Steps(arena, steps);
  dying.run(() => new Store(dying.arena, policy, true).upkeep.repairAfterDeath(process.pid));
}

/** Which of the stages the store is in after the repair; none is refused. */
function repairedStage(arena: Arena, policy: StorePolicy, stages: ReadonlyMap<string, number>): number {
  const store = new Store(arena, policy, true);
  store.upkeep.repairAfterDeath(process.pid);
  expect(store.upkeep.timesMended).toBe(0);
  expect(checkInvariants(arena)).toEqual([]);
  const digest = digestOf(arena);
  if (!stages.has(digest)) expect(digest).toBe([...stages.keys()].join("\n--\n"));
  return stages.get(digest)!;
}

function publishAtOnce(arena: Arena, policy: StorePolicy): void {
  const store = new Store(arena, policy, true);
  const index = store.open(bytes("a"), NOW_SEC);
  if (index < 0) return;
  const id = store.append(index, store.incarnation(index), bytes(LARGE), null, null, true, LATER_MS);
  expect(id).toBe(store.publishedCount(index));
  expect(checkInvariants(arena)).toEqual([]);
}
