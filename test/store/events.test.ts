/** The events channel (push-stream spec 7): what is told, in which order, and what it does not count for. */
import { afterAll, describe, expect, test } from "bun:test";
import { channelWord } from "../../src/store/memory/arena.ts";
import { CH_SUBSCRIBERS } from "../../src/store/memory/layout-channel.ts";
import { HEAD_LOCK, HEAD_LOCK_TENURE } from "../../src/store/memory/layout-header.ts";
import { attachStore, openStore } from "../../src/store/opening.ts";
import type { Store, StorePolicy } from "../../src/store/store.ts";
import { randomBelow } from "../random.ts";
import { impossibleIn, told } from "./events-told.ts";
import {
  bytes,
  Channel,
  NOW_MS,
  NOW_SEC,
  newStore,
  POLICY,
  pathOf,
  removeTempFolders,
  smallShape,
  text,
} from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

/** Above any pid the kernel gives out. */
const ANOTHER_PID = 0x7ffffff0;
const at = (sec: number): number => NOW_MS + sec * 1000;
const withEvents = (policy: Partial<StorePolicy> = {}): Store =>
  newStore({ eventsChannel: bytes("evts"), ...policy }, { size: 512 * 1024 });

describe("the channel itself", () => {
  test("is there from the start, counts as a channel, and is told nothing of", () => {
    const store = withEvents({ channelInactivitySec: 1 });
    expect(store.eventsChannel).toBe(store.find(bytes("evts")));
    expect(store.totals(NOW_MS)).toMatchObject({ channels: 1, wildcardChannels: 0, published: 0, stored: 0 });
    expect(told(store)).toEqual([]);
    expect(checkInvariants(store.arena)).toEqual([]);
  });

  test("is never collected and cannot be deleted", () => {
    const store = withEvents({ channelInactivitySec: 1, messageTtlSec: 1 });
    const channel = store.eventsChannel;
    const soon = Date.now();
    for (let sec = 0; sec < 60; sec++) store.sweep(soon + sec * 1000);
    expect(store.deleteChannel(bytes("evts"), bytes("bye"), NOW_MS)).toBe(0);
    expect([store.find(bytes("evts")), store.totals(NOW_MS).channels]).toEqual([channel, 1]);
  });

  test("takes one place of the normal class, and needs none when it is made", () => {
    const shape = smallShape();
    const policy = { ...POLICY, maxChannels: 2, eventsChannel: bytes("evts") };
    const { store } = openStore(shape, policy);
    expect([store.open(bytes("a"), NOW_SEC), store.open(bytes("b"), NOW_SEC)]).toEqual([1, -1]);
    store.close();
    const again = openStore(shape, { ...policy, maxChannels: 1, eventsChannel: bytes("other") }).store;
    expect(again.totals(NOW_MS).channels).toBe(3);
    expect(again.open(bytes("b"), NOW_SEC)).toBe(-1);
    expect(checkInvariants(again.arena)).toEqual([]);
  });

  test("another id, or none, is for the next start; the old one is a channel like others then", () => {
    const shape = smallShape();
    const policy = { ...POLICY, eventsChannel: bytes("evts") };
    const { store } = openStore(shape, policy);
    store.setPolicy({ ...policy, eventsChannel: bytes("other") });
    store.open(bytes("a"), NOW_SEC);
    expect([told(store), store.find(bytes("other"))]).toEqual([["created a"], -1]);
    new Channel(store, "a").append("x");
    const { published } = store.totals(NOW_MS);
    store.close();
    for (const id of ["other", "", "evts", "a"]) {
      const again = openStore(shape, { ...policy, eventsChannel: bytes(id) }).store;
      expect(text(again.name(Math.max(0, again.eventsChannel)))).toBe(id === "" ? "evts" : id);
      expect(again.totals(NOW_MS).published).toBe(published);
      again.open(bytes(`beside ${id}`), NOW_SEC);
      expect(again.totals(NOW_MS).published).toBe(published);
      again.close();
    }
  });

  test("a name that is a wildcard channel's by its prefix becomes one of the normal class", () => {
    const shape = smallShape();
    const policy = { ...POLICY, wildcardPrefix: bytes("ev") };
    const { store } = openStore(shape, policy);
    store.open(bytes("evts"), NOW_SEC);
    expect(store.totals(NOW_MS)).toMatchObject({ channels: 0, wildcardChannels: 1 });
    store.close();
    const again = openStore(shape, { ...policy, eventsChannel: bytes("evts") }).store;
    expect(again.totals(NOW_MS)).toMatchObject({ channels: 1, wildcardChannels: 0 });
    expect(checkInvariants(again.arena)).toEqual([]);
  });

  test("when no record is free for it, opening fails with a sentence", () => {
    const shape = smallShape({ channels: 4 });
    const { store } = openStore(shape, POLICY);
    for (const name of ["a", "b", "c", "d"]) store.open(bytes(name), NOW_SEC);
    store.close();
    expect(() => openStore(shape, { ...POLICY, eventsChannel: bytes("evts") })).toThrow("events channel");
  });

  test("without one nothing is told", () => {
    const store = newStore();
    const channel = new Channel(store, "a");
    const slot = store.workers.claimSlot(100, NOW_SEC);
    store.subscribers.add(slot, channel.index, NOW_SEC, channel.incarnation);
    store.subscribers.tellOf(channel.index, channel.incarnation, NOW_MS);
    store.subscribers.remove(slot, channel.index, channel.incarnation, NOW_MS);
    store.deleteChannel(bytes("a"), bytes(""), at(0));
    store.sweep(at(2));
    expect([store.eventsChannel, store.totals(at(2)).published, store.head()]).toEqual([-1, 0, 2]);
  });
});

describe("events", () => {
  test("a channel's life: created, somebody came and went, destroyed", () => {
    const store = withEvents();
    const channel = new Channel(store, "a");
    new Channel(store, "a").append("x");
    const slot = store.workers.claimSlot(100, NOW_SEC);
    store.subscribers.add(slot, channel.index, NOW_SEC, channel.incarnation);
    store.subscribers.tellOf(channel.index, channel.incarnation, NOW_MS);
    store.subscribers.remove(slot, channel.index, channel.incarnation, NOW_MS);
    store.deleteChannel(bytes("a"), bytes(""), at(0));
    const before = ["created a", "subscribed a", "unsubscribed a"];
    store.sweep(at(1));
    expect(told(store)).toEqual(before);
    store.sweep(at(2));
    expect(told(store)).toEqual([...before, "destroyed a"]);
    store.sweep(at(20));
    expect(told(store).length).toBe(4);
  });

  test("an idle channel that is collected is destroyed", () => {
    const store = withEvents({ channelInactivitySec: 5 });
    new Channel(store, "a");
    store.sweep(at(5));
    expect(told(store)).toEqual(["created a"]);
    store.sweep(at(6));
    expect(told(store)).toEqual(["created a", "destroyed a"]);
    expect(store.totals(at(6))).toMatchObject({ channels: 1, channelsInTrash: 1, channelsInDelete: 0 });
  });

  test("destroyed waits for the last unsubscribed of every worker", () => {
    const store = withEvents();
    const channel = new Channel(store, "a");
    const workers = [100, 101].map((pid) => {
      const worker = attachStore(pathOf(store), { ...POLICY, eventsChannel: bytes("evts") });
      return { worker, slot: worker.workers.claimSlot(pid, NOW_SEC) };
    });
    for (const { worker, slot } of workers)
      worker.subscribers.add(slot, channel.index, NOW_SEC, channel.incarnation);
    store.deleteChannel(bytes("a"), bytes(""), at(0));
    for (const { worker, slot } of workers) {
      for (let sec = 2; sec < 6; sec++) store.sweep(at(slot * 10 + sec));
      worker.subscribers.remove(slot, channel.index, channel.incarnation, NOW_MS);
    }
    expect(store.totals(at(16))).toMatchObject({ channelsInDelete: 1, channelsInTrash: 0 });
    store.sweep(at(16));
    expect(told(store)).toEqual(["created a", "unsubscribed a", "unsubscribed a", "destroyed a"]);
  });

  test("destroyed does not wait for a worker for ever, and that one has nothing to tell any more", () => {
    const store = withEvents();
    const channel = new Channel(store, "a");
    const other = new Channel(store, "b");
    const slot = store.workers.claimSlot(100, NOW_SEC);
    store.subscribers.add(slot, channel.index, NOW_SEC, channel.incarnation);
    store.deleteChannel(bytes("a"), bytes(""), at(0));
    store.deleteChannel(bytes("b"), bytes(""), at(0));
    store.sweep(at(60));
    expect(told(store).slice(2)).toEqual(["destroyed b"]);
    expect(store.isLive(other.index, other.incarnation)).toBe(false);
    store.sweep(at(61));
    store.subscribers.remove(slot, channel.index, channel.incarnation, NOW_MS);
    expect(told(store).slice(2)).toEqual(["destroyed b", "unsubscribed a", "destroyed a"]);
  });

  test("nobody is left in a channel that is destroyed because a worker stood still for a minute", () => {
    const store = withEvents();
    const channel = new Channel(store, "a");
    const slots = [store.workers.claimSlot(100, NOW_SEC), store.workers.claimSlot(101, NOW_SEC)] as const;
    const standing = [...new Array<number>(40).fill(slots[0]), ...new Array<number>(23).fill(slots[1])];
    for (const slot of standing) {
      store.subscribers.add(slot, channel.index, NOW_SEC, channel.incarnation);
      store.subscribers.tellOf(channel.index, channel.incarnation, NOW_MS);
    }
    store.deleteChannel(bytes("a"), bytes(""), at(0));
    // One of them moves on in the end, and tells of some of its own.
    for (const slot of standing.slice(30, 45))
      store.subscribers.remove(slot, channel.index, channel.incarnation, at(60));
    store.sweep(at(61));
    // All others come too late, when everything was told for them.
    for (const slot of standing) store.subscribers.remove(slot, channel.index, channel.incarnation, at(61));
    store.sweep(at(62));
    expect(told(store)).toEqual([
      "created a",
      ...standing.map(() => "subscribed a"),
      ...standing.map(() => "unsubscribed a"),
      "destroyed a",
    ]);
    expect(checkInvariants(store.arena)).toEqual([]);
  });

  test("a worker that is gone: each of its subscriptions has ended", () => {
    const store = withEvents();
    const [a, b] = [new Channel(store, "a"), new Channel(store, "b")];
    const dead = store.workers.claimSlot(100, NOW_SEC);
    const alive = store.workers.claimSlot(101, NOW_SEC);
    for (const slot of [dead, dead, alive]) store.subscribers.add(slot, a.index, NOW_SEC, a.incarnation);
    store.subscribers.add(dead, b.index, NOW_SEC, b.incarnation);
    store.deleteChannel(bytes("b"), bytes(""), at(0));
    store.workers.releaseSlot(dead, NOW_MS);
    store.workers.releaseSlot(dead, NOW_MS);
    store.sweep(at(3));
    expect(told(store).slice(2)).toEqual([
      "unsubscribed a",
      "unsubscribed a",
      "unsubscribed b",
      "destroyed b",
    ]);
    expect(store.subscribers.countOf(a.index)).toBe(1);
  });

  test("a worker that is gone with thousands of subscribers: told of in turns, each once", () => {
    const store = withEvents();
    const { u32, layout } = store.arena;
    const a = new Channel(store, "a");
    const dead = store.workers.claimSlot(100, NOW_SEC);
    u32[channelWord(layout, a.index) + CH_SUBSCRIBERS + dead] = 10_000;
    const before = store.publishedCount(store.eventsChannel);
    const turns = [1, 2, 3].map(() => store.workers.releaseSlot(dead, NOW_MS));
    expect(turns).toEqual([false, false, true]);
    expect(store.publishedCount(store.eventsChannel) - before).toBe(10_000);
    expect([store.subscribers.countOf(a.index), store.workers.slotPid(dead)]).toEqual([0, 0]);
  });

  test("a worker that is gone while the lock is taken: its subscriptions end later", () => {
    const store = withEvents();
    const a = new Channel(store, "a");
    const dead = store.workers.claimSlot(100, NOW_SEC);
    store.subscribers.add(dead, a.index, NOW_SEC, a.incarnation);
    store.arena.i32[HEAD_LOCK] = ANOTHER_PID;
    expect(store.workers.releaseSlot(dead, NOW_MS)).toBe(false);
    expect(store.workers.slotPid(dead)).toBe(100);
    store.arena.i32[HEAD_LOCK] = 0;
    expect(store.workers.releaseSlot(dead, NOW_MS)).toBe(true);
    expect(told(store)).toEqual(["created a", "unsubscribed a"]);
    expect(store.workers.slotPid(dead)).toBe(0);
  });

  test("after main and its workers were killed together nobody seems to stand there for ever", () => {
    const shape = smallShape();
    // The store is opened by the real clock.
    const policy = { ...POLICY, messageTtlSec: 0, eventsChannel: bytes("evts") };
    const { store } = openStore(shape, policy);
    const slot = store.workers.claimSlot(100, NOW_SEC);
    const channel = new Channel(store, "a");
    for (let count = 0; count < 20; count++) {
      store.subscribers.add(slot, channel.index, NOW_SEC, channel.incarnation);
      store.subscribers.tellOf(channel.index, channel.incarnation, NOW_MS);
    }
    const again = openStore(shape, policy).store;
    const ends = Array.from({ length: 20 }, () => "unsubscribed a");
    expect(told(again).slice(21)).toEqual(ends);
    expect([again.subscribers.countOf(channel.index), again.workers.slotPid(slot)]).toEqual([0, 0]);
    // Another events channel knows nothing of those who came before it.
    again.subscribers.add(again.workers.claimSlot(101, NOW_SEC), channel.index, NOW_SEC, channel.incarnation);
    const other = openStore(shape, { ...policy, eventsChannel: bytes("other") }).store;
    expect([told(other), other.subscribers.countOf(channel.index)]).toEqual([[], 0]);
  });

  test.each([
    ["quotes, backslash, control bytes", Buffer.from('"\\\n\0'), '"\\\n\0'],
    ["UTF-8", Buffer.from("é€\u{1f600}\ufeff"), "é€\u{1f600}\ufeff"],
    ["no UTF-8", Buffer.from([0x61, 0xff, 0xc3]), "a\ufffd\ufffd"],
    ["nothing", Buffer.from(""), ""],
  ])("an id of %s is valid JSON", (_what, name, expected) => {
    const store = withEvents();
    store.open(name, NOW_SEC);
    expect(told(store)).toEqual([`created ${expected}`]);
  });

  test("limit, ttl and the zone's tag counter are those of all messages", () => {
    const store = withEvents({ maxStoredPerChannel: 3, messageTtlSec: 10 });
    const channel = new Channel(store, "a");
    for (const name of ["b", "c", "d"]) store.open(bytes(name), NOW_SEC);
    expect(told(store)).toEqual(["created b", "created c", "created d"]);
    expect([store.publishedCount(store.eventsChannel), store.storedCount(store.eventsChannel)]).toEqual([
      4, 3,
    ]);
    channel.append("x");
    expect([store.lastTag(store.eventsChannel), store.lastTag(channel.index)]).toEqual([4, 5]);
    store.sweep(at(10));
    expect(store.storedCount(store.eventsChannel)).toBe(0);
  });

  test("that find no room, because names took all of it, are counted as evicted", () => {
    const store = newStore(
      { eventsChannel: bytes("evts") },
      // With more records than blocks names may take every block.
      { size: 64 * 1024, channels: 200, blockSize: 256 },
    );
    // Long names, then short ones, until not even an event of one block fits.
    let opened = 0;
    for (const length of [3000, 400, 20]) {
      while (store.open(bytes(`${opened} `.padEnd(length, "n")), NOW_SEC) >= 0) opened++;
    }
    expect(told(store).length).toBeLessThan(opened);
    expect(told(store).length + store.totals(NOW_MS).evicted).toBe(opened);
    expect(checkInvariants(store.arena)).toEqual([]);
  });

  test("is woken for after the lock was given back, once a call", () => {
    const store = withEvents({ channelInactivitySec: 5 });
    let wakes = 0;
    store.onEvent(() => {
      wakes++;
      // Takes the lock, which must be free.
      store.append(
        store.eventsChannel,
        store.incarnation(store.eventsChannel),
        bytes("x"),
        null,
        null,
        false,
        NOW_MS,
      );
    });
    store.open(bytes("a"), NOW_SEC);
    store.open(bytes("b"), NOW_SEC);
    expect(wakes).toBe(2);
    store.open(bytes("b"), NOW_SEC);
    expect(wakes).toBe(2);
    store.sweep(at(10));
    expect(wakes).toBe(3);
  });
});

describe("the zone's totals", () => {
  test("are read under the lock where events are apart, also when their channel is the first record", () => {
    const tenures = (store: Store): number => {
      const before = store.arena.u32[HEAD_LOCK_TENURE]!;
      store.totals(NOW_MS);
      return store.arena.u32[HEAD_LOCK_TENURE]! - before;
    };
    const store = withEvents();
    expect([store.eventsChannel, tenures(store), tenures(newStore())]).toEqual([0, 1, 0]);
  });

  test("leave events out, whatever happens to them (spec 0.4, 5.7)", () => {
    const store = withEvents({ maxStoredPerChannel: 2, messageTtlSec: 10 });
    const channel = new Channel(store, "a");
    for (const name of ["b", "c", "d"]) store.open(bytes(name), NOW_SEC);
    channel.append("x");
    channel.append("u", false);
    expect(store.totals(NOW_MS)).toMatchObject({ channels: 5, published: 2, stored: 1 });
    store.sweep(at(10));
    store.open(bytes("e"), NOW_SEC + 10);
    expect(store.totals(at(10))).toMatchObject({ channels: 6, published: 2, stored: 0 });
  });

  test("also after a death in the middle of an event, and after an unclean stop", () => {
    const shape = smallShape();
    const policy = { ...POLICY, eventsChannel: bytes("evts") };
    let { store } = openStore(shape, policy);
    const channel = new Channel(store, "a");
    channel.append("x");
    const { published, stored } = store.totals(NOW_MS);
    for (const [place, point] of (
      [
        "append-room",
        "append-written",
        "append-stamped",
        "append-linked",
        "append-counted",
        "append-published",
      ] as const
    ).entries()) {
      store.arena.fault = (here) => {
        if (here === point) throw new Error("dies here");
      };
      expect(() => store.open(bytes(`new ${place}`), NOW_SEC)).toThrow("dies here");
      store.arena.fault = null;
      if (place % 2 === 0) expect(store.upkeep.repairAfterDeath(process.pid)).toBe(true);
      else store = openStore(shape, policy).store;
      expect(store.totals(NOW_MS)).toMatchObject({ channels: 3 + place, published, stored });
      expect(checkInvariants(store.arena)).toEqual([]);
    }
    // What was complete when its writer died is told, the rest is lost.
    expect(told(store)).toEqual(["created a", ...[2, 3, 4, 5].map((place) => `created new ${place}`)]);
  });
});

/**
 * One in a thousand operations of a busy day, over two workers: each channel's events are a possible life.
 */
test("random lives: created, then subscribed and unsubscribed in turn, destroyed when nobody is left", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 1;
  const random = randomBelow(seed);
  const store = withEvents({ channelInactivitySec: 3, messageTtlSec: 1000 });
  const slots = [store.workers.claimSlot(100, NOW_SEC), store.workers.claimSlot(101, NOW_SEC)];
  const standing: { slot: number; index: number; incarnation: number }[] = [];
  for (let step = 0, sec = 0; step < 600; step++) {
    const name = `c${random(5)}`;
    const slot = slots[random(2)] ?? 0;
    const what = random(10);
    if (what < 3) {
      const channel = new Channel(store, name, NOW_SEC + sec);
      if (random(4) === 0) store.deleteChannel(bytes(name), bytes(""), at(sec));
      store.subscribers.add(slot, channel.index, NOW_SEC + sec, channel.incarnation);
      store.subscribers.tellOf(channel.index, channel.incarnation, at(sec));
      standing.push({ slot, index: channel.index, incarnation: channel.incarnation });
    } else if (what < 6) {
      const [gone] = standing.splice(random(standing.length), 1);
      if (gone !== undefined) store.subscribers.remove(gone.slot, gone.index, gone.incarnation, at(sec));
    } else if (what === 6) {
      store.deleteChannel(bytes(name), bytes(""), at(sec));
    } else if (what < 9) {
      store.sweep(at(sec++));
    } else if (random(10) === 0) {
      store.workers.releaseSlot(slot, at(sec));
      standing.splice(0, standing.length, ...standing.filter((one) => one.slot !== slot));
      expect(store.workers.claimSlot(100 + step, NOW_SEC)).toBe(slot);
    }
    expect(checkInvariants(store.arena).join("; "), `seed ${seed}, step ${step}`).toBe("");
  }
  expect(impossibleIn(told(store)), `seed ${seed}`).toBeNull();
});
