/**
 * A channel's record becomes another channel's while somebody is at work with it: in every gap between
 * finding a channel and using it, another process (a second Store over the same file) collects it and makes a
 * channel of somebody else in its record.
 */
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { Turns } from "../../src/fanout/turns.ts";
import { ingestPatiently, openTarget } from "../../src/publish/ingest.ts";
import { channelCounts, countsByName, LivingChannels } from "../../src/store/channel/channel-statistics.ts";
import { channelWord } from "../../src/store/memory/arena.ts";
import { CH_VERSION } from "../../src/store/memory/layout-channel.ts";
import { attachStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import { Backlog } from "../../src/subscribe/backlog.ts";
import {
  bytes,
  Channel,
  NOW_MS,
  NOW_SEC,
  newStore,
  POLICY,
  pathOf,
  removeTempFolders,
} from "../store/fixture.ts";
import { deletion, joinPoll, joinSocket, joinStream, messages, PLAIN, TestWorker } from "./fixture.ts";
import { turns } from "./test-stream.ts";

afterAll(removeTempFolders);

const OURS = "tenant-1/secret";
const THEIRS = "tenant-2/public";
/** When the other process sweeps: `OURS` has not been used for longer than channel_inactivity_time. */
const LATER_MS = NOW_MS + 40_000;

let store: Store;
let elsewhere: Store;
let ours: Channel;
beforeEach(() => {
  // Two records: the other process gets the one it has just collected.
  store = newStore({}, { channels: 2 });
  elsewhere = attachStore(pathOf(store), POLICY);
  new Channel(store, "busy", NOW_SEC + 1000);
  ours = new Channel(store, OURS);
});
afterEach(() => store.close());

/** The other process's turn, with two messages for whoever reads the record as if it was still ours. */
function recycle(): Channel {
  elsewhere.sweep(LATER_MS);
  elsewhere.sweep(LATER_MS + 1000);
  const theirs = new Channel(elsewhere, THEIRS, LATER_MS / 1000 + 1);
  expect([theirs.index, theirs.incarnation === ours.incarnation]).toEqual([ours.index, false]);
  theirs.append("theirs 1", true, LATER_MS);
  theirs.append("theirs 2", true, LATER_MS);
  return theirs;
}

/** Lets the other process act right after this one has read something. */
function after<Name extends string>(part: Record<Name, (index: number) => number>, name: Name): void {
  const read = part[name].bind(part);
  part[name] = (index: number): number => {
    const value = read(index);
    part[name] = read;
    recycle();
    return value;
  };
}

test("a message for a channel that was collected after it was found lands in no other channel", () => {
  const open = store.open.bind(store);
  let theirs = ours;
  store.open = (...asked) => {
    const index = open(...asked);
    store.open = open;
    theirs = recycle();
    return index;
  };
  const target = openTarget(store, bytes(OURS), NOW_MS);
  if ("status" in target) throw new Error(target.code);
  // There is no record for it now; the one that is not used any more makes place for it.
  elsewhere.deleteChannel(bytes("busy"), bytes("bye"), LATER_MS);
  for (let sec = 2; sec < 6; sec++) elsewhere.sweep(LATER_MS + sec * 1000);
  const draft = { data: bytes("for tenant 1 only"), eventId: null, eventType: null, stored: true };
  expect(
    ingestPatiently(
      { store, slot: 0, published: () => undefined, onDisk: null },
      [target],
      draft,
      LATER_MS,
      draft,
    ),
  ).toBeNull();
  expect(theirs.after(0)).toEqual(["1:theirs 1", "2:theirs 2"]);
  expect(new Channel(store, OURS).after(0)).toEqual(["1:for tenant 1 only"]);
  expect(target.index).not.toBe(theirs.index);
});

test.each(["stream", "socket", "poll"] as const)(
  "a %s that was let in to a channel which is another one by now is told of its end, and gets nothing else",
  async (kind) => {
    const worker = new TestWorker(store);
    const theirs = recycle();
    const neighbour = joinStream(worker, PLAIN, [theirs]);
    await turns();
    const join = { stream: joinStream, socket: joinSocket, poll: null }[kind];
    const late = join?.(worker, PLAIN, [ours], { after: 0 });
    const poll = join === null ? joinPoll(worker, PLAIN, [ours]) : null;
    worker.publish(theirs, "theirs 3");
    await turns();
    const end = kind === "stream" ? [deletion(ours), "footer"] : [deletion(ours)];
    expect(poll?.answers ?? late?.take()).toEqual(end);
    expect(neighbour.take()).toEqual(messages(theirs, 3, "theirs 3"));
    neighbour.closed();
    worker.fanout.leaveStream(neighbour);
    await turns();
    expect([worker.subscribers, theirs.store.subscribers.countOf(theirs.index)]).toEqual([0, 0]);
    expect([...worker.fanout.standing.channels()]).toEqual([]);
    worker.stop();
  },
);

test.each([
  ["base", () => after(store.positions, "base")],
  ["publishedCount", () => after(store, "publishedCount")],
] as const)("the record is given away while fan-out reads its %s", (_, giveAway) => {
  const worker = new TestWorker(store);
  giveAway();
  const local = worker.fanout.channel(ours);
  expect([local.name, local.base, local.delivered]).toEqual([bytes(OURS), 0, 0]);
  expect([...worker.fanout.standing.channels()]).toEqual([]);
  worker.stop();
});

test.each([
  ["publishedTotal", () => after(store.positions, "publishedTotal")],
  ["storedCount", () => after(store, "storedCount")],
  ["subscribers.countOf", () => after(store.subscribers, "countOf")],
] as const)(
  "the record is given away while statistics read its %s: no numbers of another channel under this name",
  (_, giveAway) => {
    const living = LivingChannels.of(store);
    giveAway();
    expect(channelCounts(store, ours)).toBeNull();
    expect(countsByName(store, bytes(OURS))).toBeNull();
    expect(living?.counts(1, bytes(""))).toBeNull();
  },
);

test.each([
  ["from now", 0, {}],
  ["the last two", 2, {}],
  ["since a time", 0, { time: 0 }],
  ["since a position", 0, { token: { life: "0", positions: [0] } }],
])("old messages, %s, of a channel whose record is another's by now: none", (_, backtrack, asked) => {
  const seat = { index: ours.index, incarnation: ours.incarnation, name: ours.name, backtrack };
  const nothing = { time: null, tag: null, eventId: null, token: null };
  recycle();
  const start = new Backlog(store, new Turns()).start(seat, 0, { ...nothing, ...asked }, true);
  expect(start).toMatchObject({ afterId: 0, historyUntil: 0, newest: 0 });
  expect(ours.after(0, true)).toBe("gone");
});

test("a walk that began in an empty channel and ends in the record's next one is seen", () => {
  const version = channelWord(store.arena.layout, ours.index) + CH_VERSION;
  const before = store.arena.u32[version];
  // Not a message was unlinked meanwhile.
  elsewhere.sweep(LATER_MS);
  elsewhere.sweep(LATER_MS + 1000);
  new Channel(elsewhere, THEIRS, LATER_MS / 1000 + 1);
  expect(store.arena.u32[version]).not.toBe(before);
});
