/**
 * Reading on from the store for one subscription: what it is given, told, spared, and when it is to call
 * again.
 */
import { afterAll, beforeEach, expect, test } from "bun:test";
import { LastingSubscription } from "../../src/fanout/local-channel.ts";
import {
  CAUGHT_UP,
  type CatchUpSink,
  GONE,
  MORE,
  readOn as readOnFrom,
  UNTELLABLE,
} from "../../src/fanout/read-on.ts";
import type { Store } from "../../src/store/store.ts";
import { bytes, Channel, dataOf, NOW_MS, newStore, removeTempFolders } from "../store/fixture.ts";
import { localOf } from "./fixture.ts";

afterAll(removeTempFolders);

const ALL = Number.MAX_SAFE_INTEGER;

let store: Store;
let channel: Channel;
beforeEach(() => {
  store = newStore({ unstoredTtlSec: 5 }, { size: 1024 * 1024 });
  channel = new Channel(store, "c");
});

/** Notes what it is given; stops after `room` messages. */
class Sink implements CatchUpSink<LastingSubscription> {
  readonly given: string[] = [];
  room = ALL;
  tells = true;
  message(_: LastingSubscription, m: { id: number } & Parameters<typeof dataOf>[0]): boolean {
    this.given.push(`${m.id}:${dataOf(m)}`);
    return --this.room > 0;
  }
  gap(_: LastingSubscription, missed: number, upTo: number): boolean {
    if (this.tells) this.given.push(`gap ${missed} to ${upTo}`);
    return this.tells;
  }
}

function readOn(sentId: number, historyUntil = 0, upTo = ALL, sink = new Sink()) {
  const subscription = new LastingSubscription(localOf(channel), sentId, historyUntil);
  const outcome = readOnFrom(store, subscription, upTo, sink);
  return { outcome, given: sink.given, sentId: subscription.sentId };
}

/** Ids 1 stored, 2 and 3 evicted, 4 stored. */
function withHole(): void {
  channel.append("one");
  channel.append("two", false);
  channel.append("three", false);
  channel.append("four");
  store.sweep(NOW_MS + 6000);
}

test("everything after the last id, unstored included", () => {
  channel.append("one");
  channel.append("two", false);
  channel.append("three");
  expect(readOn(1)).toEqual({ outcome: CAUGHT_UP, given: ["2:two", "3:three"], sentId: 3 });
});

test("nothing new", () => {
  channel.append("one");
  expect(readOn(1)).toEqual({ outcome: CAUGHT_UP, given: [], sentId: 1 });
});

test("who comes for what is new keeps nothing of the store, and who reads does until he is seated", () => {
  channel.append("one");
  const [newcomer, reader] = [1, 0].map((sentId) => new LastingSubscription(localOf(channel), sentId, 0));
  if (newcomer === undefined || reader === undefined) throw new Error("no subscriptions");
  for (const one of [newcomer, reader]) expect(readOnFrom(store, one, ALL, new Sink())).toBe(CAUGHT_UP);
  expect([newcomer.reading, reader.reading === null]).toEqual([null, false]);
  reader.seated();
  expect(reader.reading).toBeNull();
});

test("a hole is told with its size, before what follows it", () => {
  withHole();
  expect(readOn(0)).toEqual({ outcome: CAUGHT_UP, given: ["1:one", "gap 2 to 3", "4:four"], sentId: 4 });
});

test("a hole at the end is told as well", () => {
  channel.append("one");
  channel.append("two", false);
  store.sweep(NOW_MS + 6000);
  expect(readOn(0)).toEqual({ outcome: CAUGHT_UP, given: ["1:one", "gap 1 to 2"], sentId: 2 });
});

test("a hole that cannot be told ends it", () => {
  withHole();
  const sink = new Sink();
  sink.tells = false;
  expect(readOn(0, 0, ALL, sink)).toEqual({ outcome: UNTELLABLE, given: ["1:one"], sentId: 3 });
});

test("history: holes are no loss, unstored messages are not for newcomers", () => {
  withHole();
  channel.append("five", false);
  channel.append("six");
  expect(readOn(0, 6)).toEqual({ outcome: CAUGHT_UP, given: ["1:one", "4:four", "6:six"], sentId: 6 });
});

test("what comes after the history is owed: of a hole across its end only that part is told", () => {
  withHole();
  expect(readOn(0, 2).given).toEqual(["1:one", "gap 1 to 3", "4:four"]);
});

test("no further than asked, and no hole is told beyond that", () => {
  withHole();
  expect(readOn(0, 0, 1)).toEqual({ outcome: CAUGHT_UP, given: ["1:one"], sentId: 1 });
  expect(readOn(1, 0, 2)).toEqual({ outcome: CAUGHT_UP, given: ["gap 1 to 2"], sentId: 2 });
});

test("a hole up to where it may read is told although a whole batch lies beyond", () => {
  channel.append("one", false);
  for (let i = 0; i < 70; i++) channel.append("x");
  store.sweep(NOW_MS + 6000);
  expect(readOn(0, 0, 1)).toEqual({ outcome: CAUGHT_UP, given: ["gap 1 to 1"], sentId: 1 });
});

test("a batch at a time", () => {
  for (let i = 0; i < 70; i++) channel.append("x");
  const first = readOn(0);
  expect([first.outcome, first.given.length, first.sentId]).toEqual([MORE, 64, 64]);
  expect(readOn(first.sentId).outcome).toBe(CAUGHT_UP);
});

test("stops when the sink is full and goes on behind what it took", () => {
  for (const data of ["one", "two", "three"]) channel.append(data);
  const sink = new Sink();
  sink.room = 2;
  expect(readOn(0, 0, ALL, sink)).toEqual({ outcome: MORE, given: ["1:one", "2:two"], sentId: 2 });
  expect(readOn(2).given).toEqual(["3:three"]);
});

test("a deleted channel has nothing more", () => {
  channel.append("one");
  const local = localOf(channel);
  store.deleteChannel(Buffer.from("c"), new Uint8Array(0), NOW_MS);
  const subscription = new LastingSubscription(local, 0, 0);
  expect(readOnFrom(store, subscription, ALL, new Sink())).toBe(GONE);
  expect(subscription.sentId).toBe(0);
});

test("what is evicted while it is read is told, not skipped", () => {
  for (const data of ["one", "two", "three"]) channel.append(data, false);
  channel.append("four");
  const sink = new Sink();
  const message = sink.message.bind(sink);
  sink.message = (subscription, m) => {
    if (m.id === 1) store.sweep(NOW_MS + 6000);
    return message(subscription, m);
  };
  const subscription = new LastingSubscription(localOf(channel), 0, 0);
  expect(readOnFrom(store, subscription, ALL, sink)).toBe(CAUGHT_UP);
  expect(sink.given).toEqual(["1:one", "gap 2 to 3", "4:four"]);
});

test("presence events are given to who wants them, in their place, and to nobody else", () => {
  const withMembers = newStore({}, { size: 1024 * 1024, members: { records: 8, textBytes: 64 } });
  const room = new Channel(withMembers, "room");
  room.append("one");
  const who = { info: bytes(""), isAnonymous: false, isListed: true, lingerSec: 0, mostMembers: 9 };
  for (const name of ["anna", "bert"])
    withMembers.members?.join(
      0,
      room.index,
      room.incarnation,
      { ...who, name: bytes(name), mostEvents: 10 },
      NOW_MS,
    );
  room.append("two");
  const givenTo = (isWanted: boolean): string[] => {
    const sink = new Sink();
    const presence = {
      isWanted: () => isWanted,
      event: ({ sentNumber }: LastingSubscription): boolean => sink.given.push(`event ${sentNumber}`) > 0,
      lost: (_: LastingSubscription, missed: number): void => void sink.given.push(`lost ${missed}`),
    };
    const subscription = new LastingSubscription(localOf(room), 0, 0);
    readOnFrom(withMembers, subscription, ALL, Object.assign(sink, { presence }));
    return sink.given;
  };
  const numbers = withMembers.positions.presenceNumber(room.index, room.incarnation);
  expect(givenTo(true)).toEqual(["1:one", `event ${numbers - 1}`, `event ${numbers}`, "2:two"]);
  expect(givenTo(false)).toEqual(["1:one", "2:two"]);
});
