/**
 * Where a subscription starts: the selection table of push-stream spec 4.7, against a real store, and
 * sluice's own tokens.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Turns } from "../../src/fanout/turns.ts";
import type { Store } from "../../src/store/store.ts";
import { type Asked, readAsked } from "../../src/subscribe/asked.ts";
import { Backlog } from "../../src/subscribe/backlog.ts";
import { formatPosition, lifeOf } from "../../src/wire/position.ts";
import { bytes, Channel, NOW_SEC, newStore, removeTempFolders } from "../store/fixture.ts";

afterAll(removeTempFolders);

const NOTHING: Asked = { time: null, tag: null, eventId: null, token: null };

let store: Store;
let backlog: Backlog;
let channel: Channel;

/**
 *   id    1        2        3        4 unstored  5        6
 *   time  T        T        T+1      T+1         T+1      T+3
 *   tag   1        2        1        2           4        1      (tag 3 of T+1 went to another channel)
 *   event e1                e2                   e1
 */
const T = NOW_SEC;
beforeAll(() => {
  store = newStore();
  backlog = new Backlog(store, new Turns());
  channel = new Channel(store, "c");
  const other = new Channel(store, "other");
  const add = (sec: number, event: string | null, stored = true, to = channel) =>
    store.append(
      to.index,
      to.incarnation,
      bytes("x"),
      event === null ? null : bytes(event),
      null,
      stored,
      (T + sec) * 1000,
    );
  add(0, "e1");
  add(0, null);
  add(1, "e2");
  add(1, null, false);
  add(1, null, true, other);
  add(1, "e1");
  add(3, null);
});

const seat = ({ index, incarnation, name }: Channel, backtrack = 0) => ({
  index,
  incarnation,
  name,
  backtrack,
});

/** As a request is served: what has to be searched for first, then the place. */
async function startIn(
  channel: Channel,
  asked: Partial<Asked>,
  backtrack = 0,
  from = backlog,
  exact = false,
) {
  const seated = seat(channel, backtrack);
  const found = await from.find([seated], { ...NOTHING, ...asked }, exact);
  return from.start(seated, 0, found, exact);
}

describe("history", () => {
  test.each<[string, Partial<Asked>, number, number]>([
    ["nothing asked: from now on", {}, 0, 6],
    ["the last one", {}, 1, 5],
    ["the last two", {}, 2, 4],
    ["the last three: the unstored one is none of them", {}, 3, 2],
    ["more than there are", {}, 99, 0],
    ["backtrack beats everything else", { time: T - 100, tag: 0, eventId: bytes("e1") }, 1, 5],
    ["after the first message with the event id", { eventId: bytes("e1") }, 0, 1],
    ["after another event id", { eventId: bytes("e2") }, 0, 3],
    ["an event id that nobody has", { eventId: bytes("none") }, 0, 6],
    ["an event id is compared whole", { eventId: bytes("e") }, 0, 6],
    ["a time: strictly later", { time: T }, 0, 2],
    ["a time before all", { time: T - 1 }, 0, 0],
    ["a time between seconds that have messages", { time: T + 2 }, 0, 5],
    ["a time after all", { time: T + 3 }, 0, 6],
    ["time and tag of a message: it is skipped", { time: T, tag: 1 }, 0, 1],
    ["time and the last tag of its second", { time: T, tag: 2 }, 0, 2],
    ["time and tag 0: all of that second", { time: T, tag: 0 }, 0, 0],
    ["time and tag 0 of a later second", { time: T + 1, tag: 0 }, 0, 2],
    ["a tag between two messages", { time: T + 1, tag: 3 }, 0, 4],
    ["a tag past its second", { time: T + 1, tag: 9 }, 0, 5],
    ["a tag without a time is nothing", { tag: 1 }, 0, 6],
    ["event id and time: the event id is met first", { eventId: bytes("e1"), time: T + 1 }, 0, 1],
    ["event id and time: the time is met first", { eventId: bytes("e2"), time: T - 1 }, 0, 0],
  ])("%s", async (_, asked, backtrack, afterId) => {
    const unknown = asked.eventId !== undefined && asked.time === undefined && afterId === 6;
    expect(await startIn(channel, asked, backtrack)).toEqual({
      afterId,
      historyUntil: 6,
      newest: 6,
      unknown,
    });
  });

  test("what was stored after a time and is no longer is told, whether the tag is named or not", async () => {
    const short = newStore({ maxStoredPerChannel: 2 });
    const lossy = new Channel(short, "lossy");
    for (let i = 0; i < 4; i++) lossy.append("x", true, (T + i) * 1000);
    const from = new Backlog(short, new Turns());
    const unknown = async (asked: Partial<Asked>) => (await startIn(lossy, asked, 0, from)).unknown;
    // Seconds T and T + 1 went.
    expect(await unknown({ time: T - 1, tag: 0 })).toBe(true);
    expect(await unknown({ time: T })).toBe(true);
    expect(await unknown({ time: T + 1, tag: 0 })).toBe(true);
    expect(await unknown({ time: T + 1, tag: 1 })).toBe(false);
    expect(await unknown({ time: T + 1 })).toBe(false);
    expect(await unknown({ time: T + 2, tag: 1 })).toBe(false);
  });

  test("what rests for readers that are owed it, unstored, is lost to whoever comes back", async () => {
    const short = newStore({ maxStoredPerChannel: 2 });
    // A worker that has not dispatched anything: what is published rests for it.
    expect(short.workers.claimSlot(4711, NOW_SEC)).toBe(0);
    const lossy = new Channel(short, "lossy");
    for (let i = 0; i < 4; i++) lossy.append("x", true, (T + i) * 1000);
    expect(lossy.after(0, true)).toHaveLength(4);
    const from = new Backlog(short, new Turns());
    expect((await startIn(lossy, { time: T, tag: 1 }, 0, from)).unknown).toBe(true);
    expect((await startIn(lossy, { time: T + 1, tag: 1 }, 0, from)).unknown).toBe(false);
  });

  test("an empty channel has none, and nobody knows an event id", async () => {
    const empty = new Channel(store, "empty");
    for (const [asked, backtrack] of [
      [{}, 5],
      [{ time: 0 }, 0],
      [{ eventId: bytes("e1") }, 0],
    ] as const) {
      const unknown = "eventId" in asked;
      expect(await startIn(empty, asked, backtrack)).toEqual({
        afterId: 0,
        historyUntil: 0,
        newest: 0,
        unknown,
      });
    }
  });

  test("nothing but unstored messages: none as well", async () => {
    const unstored = new Channel(store, "unstored");
    unstored.append("x", false);
    for (const [asked, backtrack] of [[{ time: 0 }, 0] as const, [{}, 3] as const]) {
      expect((await startIn(unstored, asked, backtrack)).afterId).toBe(1);
    }
  });

  test("far more messages than are looked at in one go, with holes", async () => {
    const roomy = newStore({ messageTtlSec: 0 }, { size: 4 * 1024 * 1024, ringSize: 4096 });
    const long = new Channel(roomy, "long");
    for (let i = 1; i <= 9000; i++) {
      if (i % 10 === 0) long.append("x", false, (T + i) * 1000);
      else if (i === 8001)
        roomy.append(long.index, long.incarnation, bytes("x"), bytes("e"), null, true, (T + i) * 1000);
      else long.append("x", true, (T + i) * 1000);
    }
    const from = new Backlog(roomy, new Turns());
    expect(from.find([seat(long)], { ...NOTHING, eventId: bytes("e") }, false)).toBeInstanceOf(Promise);
    expect((await startIn(long, { eventId: bytes("e") }, 0, from)).afterId).toBe(8001);
    expect((await startIn(long, {}, 3600, from)).afterId).toBe(5000);
    expect((await startIn(long, { time: T + 4321 }, 0, from)).afterId).toBe(4321);
  });
});

describe("tokens", () => {
  const lifeOfOne = (name: string, epoch = store.epoch) => lifeOf(epoch, [bytes(name)]);
  const token = (id: number, life = lifeOfOne("c")) => ({
    life,
    positions: [store.positions.base(channel.index) + id],
  });

  test.each([0, 1, 4, 6])("the position of id %i is owed everything after it", async (id) => {
    for (const exact of [true, false]) {
      expect(
        await startIn(channel, { token: token(id), eventId: bytes("e1") }, 0, backlog, exact),
      ).toMatchObject({
        afterId: id,
        historyUntil: 0,
        unknown: false,
      });
    }
  });

  test("who understands positions is served by them before backtrack, others after it", async () => {
    const asked = { token: token(1) };
    expect((await startIn(channel, asked, 1, backlog, true)).afterId).toBe(1);
    expect((await startIn(channel, asked, 1)).afterId).toBe(5);
  });

  test.each([
    ["another epoch", () => token(1, lifeOfOne("c", store.epoch + 1))],
    ["another channel", () => token(1, lifeOfOne("d"))],
    ["more channels", () => ({ life: lifeOfOne("c"), positions: [1, 2] })],
    ["a position from before this channel", () => token(-1)],
    ["a position that was never published", () => token(7)],
  ])("%s: all that is stored, and what was missed cannot be known", async (_, made) => {
    expect(await startIn(channel, { token: made() }, 0, backlog, true)).toMatchObject({
      afterId: 0,
      historyUntil: 6,
      unknown: true,
    });
  });

  test("of another epoch it is an event id to those who do not understand positions", async () => {
    const asked = { token: token(1, lifeOfOne("c", store.epoch + 1)), eventId: bytes("e2") };
    expect((await startIn(channel, asked)).afterId).toBe(3);
  });

  test("of the channel before it was deleted: all of the new one; what was missed is unknown", async () => {
    const first = new Channel(store, "again");
    for (let i = 0; i < 3; i++) first.append("x");
    const position = store.positions.base(first.index) + 3;
    store.deleteChannel(bytes("again"), bytes("bye"), T * 1000);
    const second = new Channel(store, "again");
    for (let i = 0; i < 5; i++) second.append("x");
    const asked = { token: { life: lifeOfOne("again"), positions: [position] } };
    expect(await startIn(second, asked, 0, backlog, true)).toMatchObject({
      afterId: 0,
      historyUntil: 5,
      unknown: true,
    });
  });
});

describe("what a request says", () => {
  test("empty values are absent", () => {
    expect(readAsked("", "", "", 5)).toEqual(NOTHING);
  });

  test("values that cannot be read are absent, but any event id is one", () => {
    expect(readAsked("null", '"1"', "x", 5)).toMatchObject({ ...NOTHING, eventId: bytes("x") });
  });

  test("all of them", () => {
    const text = formatPosition({ life: "25", positions: [1, 2] });
    expect(readAsked("Thu, 01 Jan 1970 00:00:10 GMT", "W/3", text, 5)).toMatchObject({
      time: 10,
      tag: 3,
      eventId: bytes(text),
      token: { life: "25", positions: [1, 2] },
    });
  });

  test("a token with more positions than a request may have channels is only an event id", () => {
    expect(readAsked("", "", formatPosition({ life: "25", positions: [1, 2, 3] }), 2).token).toBeNull();
  });
});
