/**
 * The table of members: who is there, what is told of it, and that list, counts and events say the same
 * whoever dies.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { FLAG_PRESENCE } from "../../src/message.ts";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import { MemberView } from "../../src/store/members/member-reading.ts";
import type { Newcomer } from "../../src/store/members/member-table.ts";
import { digestOf } from "../../src/store/members/members-remote.ts";
import { MH_CHANGING } from "../../src/store/memory/layout-members.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { END, FOUND } from "../../src/store/message/reader.ts";
import { attachStore, openStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import { randomBelow } from "../random.ts";
import { POLICY, removeTempFolders, smallShape } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterEach(removeTempFolders);

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const START_MS = Math.floor(Date.now() / 1000) * 1000;

interface Event {
  readonly event: string;
  readonly sub?: string;
  readonly count?: number;
  readonly number: number;
  readonly info?: unknown;
}

/** A store with room for a few members, and a clock that the test moves. */
class Room {
  readonly store: Store;
  readonly index: number;
  readonly incarnation: number;
  nowMs = START_MS;

  constructor(records = 8, channel = "room", clustered = false) {
    const shape = smallShape({ members: { records, textBytes: 64 }, clustered });
    const { store } = openStore(shape, POLICY);
    this.store = store;
    const ref = new ChannelRef();
    this.index = store.open(bytes(channel), START_MS / 1000, ref);
    this.incarnation = ref.incarnation;
  }

  get members() {
    const { members } = this.store;
    if (members === null) throw new Error("there is no table");
    return members;
  }

  join(name: string, slot = 0, over: Partial<Newcomer> = {}): number {
    const who = {
      name: bytes(name),
      info: bytes(""),
      isAnonymous: false,
      isListed: true,
      lingerSec: 0,
      mostMembers: 1000,
      mostEvents: 0,
      ...over,
    };
    return this.members.join(slot, this.index, this.incarnation, who, this.nowMs);
  }

  leave(record: number, slot = 0): void {
    this.members.leave(slot, this.index, record, this.nowMs);
  }

  later(sec: number): void {
    this.nowMs += sec * 1000;
    while (!this.members.look(this.nowMs));
    this.members.tellCounts(this.members.queued, this.nowMs);
  }

  list(store = this.store, slot = 0): string[] {
    const found: number[] = [];
    store.members?.occupancy(slot, this.index, this.incarnation, true, this.nowMs);
    while (store.members?.readOn(slot, this.index, found) === "more");
    return this.named(found);
  }

  named(found: readonly number[]): string[] {
    const view = new MemberView();
    const names: string[] = [];
    for (let i = 0; i < found.length; i += 2)
      if (this.members.read(this.index, found[i] ?? 0, found[i + 1] ?? 0, view))
        names.push(view.connections === 1 ? view.name : `${view.name} x${view.connections}`);
    return names.sort();
  }

  get count(): number {
    return this.members.occupancy(3, this.index, this.incarnation, false, this.nowMs)?.count ?? -1;
  }

  /** Behind a number, in the order of the channel, with the messages between them. */
  events(after = 0): (Event | string)[] {
    const reader = this.store.history.reader(this.index, this.incarnation, 0, after);
    const m = new Message();
    const told: (Event | string)[] = [];
    while (reader.next(m) === FOUND) {
      reader.accept(m);
      const data = text(m.bytes.subarray(m.dataOffset, m.dataOffset + m.dataLength));
      if ((m.flags & FLAG_PRESENCE) === 0) told.push(data);
      else if (m.number > after) told.push({ ...JSON.parse(data), number: m.number - this.members.base });
    }
    return told;
  }

  get told(): string[] {
    return this.events().map((event) =>
      typeof event === "string" ? event : [event.event, event.sub ?? event.count].join(" "),
    );
  }
}

test("three connections on three workers are one member, who joins once and leaves once", () => {
  const room = new Room();
  const records = [0, 1, 2].map((slot) => room.join("ann", slot));
  expect(new Set(records).size).toBe(1);
  expect([room.list(), room.count]).toEqual([["ann x3"], 1]);
  room.leave(records[0] ?? 0, 0);
  room.leave(records[1] ?? 0, 1);
  expect(room.told).toEqual(["join ann"]);
  room.leave(records[2] ?? 0, 2);
  expect([room.told, room.list(), room.count]).toEqual([["join ann", "leave ann"], [], 0]);
});

test("events stand between the messages, take no ids, and are no hole for who did not ask", () => {
  const room = new Room();
  const say = (data: string) =>
    room.store.append(room.index, room.incarnation, bytes(data), null, null, true, room.nowMs);
  const ann = room.join("ann", 0, { info: bytes('{"color":"red"}') });
  expect(say("one")).toBe(1);
  room.leave(ann);
  room.join("bob");
  expect(say("two")).toBe(2);
  expect(room.told).toEqual(["join ann", "one", "leave ann", "join bob", "two"]);
  expect(room.events()[0]).toMatchObject({ info: { color: "red" }, count: 1 });
  const reader = room.store.history.reader(room.index, room.incarnation, 0);
  const m = new Message();
  const ids: number[] = [];
  while (reader.next(m) === FOUND) {
    reader.accept(m);
    ids.push(m.id);
  }
  expect([ids, reader.next(m)]).toEqual([[1, 2], END]);
  expect(room.store.totals(room.nowMs).published).toBe(2);
  expect(checkInvariants(room.store.arena)).toEqual([]);
});

test("who comes back within the linger has not left, on another worker, too; who does not has", () => {
  const room = new Room();
  const linger = { lingerSec: 3 };
  room.leave(room.join("ann", 0, linger));
  room.leave(room.join("bob", 0, linger));
  room.later(2);
  expect([room.told, room.list()]).toEqual([
    ["join ann", "join bob"],
    ["ann x0", "bob x0"],
  ]);
  room.join("ann", 1, linger);
  room.later(10);
  expect([room.told, room.list()]).toEqual([["join ann", "join bob", "leave bob"], ["ann"]]);
});

test("who has been gone for longer leaves first, should nobody have looked for some seconds", () => {
  const room = new Room();
  room.later(0);
  room.leave(room.join("ann", 0, { lingerSec: 4 }));
  room.leave(room.join("bob", 0, { lingerSec: 2 }));
  room.leave(room.join("cat", 0, { lingerSec: 3 }));
  // The second after the last linger is over: ann leaves in it.
  room.later(5);
  expect(room.told.slice(3)).toEqual(["leave bob", "leave cat", "leave ann"]);
});

test("a clock that is set back keeps nobody for longer than anybody may linger", () => {
  const room = new Room();
  room.leave(room.join("ann", 0, { lingerSec: 3 }));
  room.nowMs -= 3_600_000;
  for (let sec = 0; sec < 1100 && room.count > 0; sec++) room.later(1);
  expect(room.told).toEqual(["join ann", "leave ann"]);
});

test("a worker that is gone takes its connections along, and nobody else's", () => {
  const room = new Room();
  room.join("ann", 0);
  room.join("ann", 1);
  room.join("bob", 0);
  room.join("cat", 0, { lingerSec: 2 });
  for (let from = 0; from <= room.members.records; ) from = room.members.forgetSlot(0, from, room.nowMs);
  expect(room.list()).toEqual(["ann", "bob x0", "cat x0"]);
  room.later(2);
  expect(room.told.slice(3)).toEqual(["leave bob"]);
  room.later(2);
  expect([room.told.slice(4), room.list()]).toEqual([["leave cat"], ["ann"]]);
});

describe("no names are told", () => {
  test("above presence_max_members: their number once a second, and to read the list below it", () => {
    const room = new Room(16);
    const limit = { mostMembers: 2 };
    const records = ["a", "b", "c", "d"].map((name) => room.join(name, 0, limit));
    expect(room.told).toEqual(["join a", "join b"]);
    room.later(1);
    room.later(0);
    expect(room.told.slice(2)).toEqual(["occupancy 4"]);
    room.later(5);
    expect(room.told).toHaveLength(3);
    for (const record of records.slice(1)) room.leave(record);
    room.later(2);
    expect(room.told.slice(3)).toEqual(["reset 1"]);
    room.join("e", 0, limit);
    expect([room.told.slice(4), room.list()]).toEqual([["join e"], ["a", "e"]]);
    expect(room.members.totals()).toMatchObject({ members: 2, joins: 5, leaves: 3, degraded: 1 });
  });

  test("while more come and go in a second than presence_max_events", () => {
    const room = new Room(64);
    for (let i = 0; i < 30; i++) room.join(`m${i}`, 0, { mostEvents: 10 });
    expect(room.told).toHaveLength(10);
    room.later(1);
    expect(room.told.slice(10)).toEqual(["occupancy 30"]);
    room.later(2);
    expect(room.told.slice(11)).toEqual(["reset 30"]);
    expect(room.list()).toHaveLength(30);
  });

  test("where the location only counts", () => {
    const room = new Room();
    const only = { isListed: false };
    const ann = room.join("ann", 0, only);
    room.join("ann", 1, only);
    room.join("bob", 1, only);
    room.later(1);
    expect([room.told, room.list(), room.count]).toEqual([["occupancy 2"], [], 2]);
    room.leave(ann, 0);
    room.later(1);
    expect(room.told).toHaveLength(1);
  });

  test("when the table is full: connections are counted, and it is known", () => {
    const room = new Room(2);
    for (const name of ["a", "b", "c", "d"]) {
      room.store.subscribers.add(0, room.index, room.nowMs / 1000, room.incarnation);
      room.join(name);
    }
    room.later(1);
    expect([room.told, room.list(), room.count]).toEqual([
      ["join a", "join b", "occupancy 4"],
      ["a", "b"],
      4,
    ]);
    expect(room.members.totals()).toMatchObject({ unlisted: 2, degraded: 1 });
  });
});

test("a list that is read while others come and go has everybody who is there all the time, once", () => {
  const room = new Room(6000);
  const staying = Array.from({ length: 2500 }, (_, i) => room.join(`s${i}`, 0, { mostMembers: 1 }));
  const going = Array.from({ length: 2500 }, (_, i) => room.join(`g${i}`, 0, { mostMembers: 1 }));
  expect(new Set([...staying, ...going]).size).toBe(5000);
  const found: number[] = [];
  room.members.occupancy(0, room.index, room.incarnation, true, room.nowMs);
  for (let slice = 0; room.members.readOn(0, room.index, found) === "more"; slice++) {
    for (const record of going.splice(0, 1000)) room.leave(record);
    for (let i = 0; i < 200; i++) room.join(`n${slice}-${i}`);
  }
  const names = room.named(found);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => name.startsWith("s"))).toHaveLength(2500);
});

test("a process that died in the middle of a change leaves a whole table; readers read it again", () => {
  const room = new Room();
  const ann = room.join("ann");
  room.join("bob");
  const { members } = room.store.arena;
  // As a kill -9 between two stores leaves it: the mark is there, and one of the lists is not what it should
  // be.
  if (members === null) throw new Error("no table");
  members.u32[MH_CHANGING] = room.index + 1;
  members.u32.fill(0, members.layout.hashWord, members.layout.recordsWord);
  room.join("cat", 1);
  expect([room.list(), room.count]).toEqual([["ann", "bob", "cat"], 3]);
  room.later(1);
  expect(room.told).toEqual(["join ann", "join bob", "join cat", "reset 3"]);
  room.leave(ann);
  expect(room.join("bob", 2)).toBeGreaterThan(0);
  expect(room.list()).toEqual(["bob x2", "cat"]);
});

test("a channel made again has none of the members of before, and counts on above them", () => {
  const room = new Room();
  const ann = room.join("ann");
  room.join("bob");
  const before = room.members.numberOf(room.index, room.incarnation);
  room.store.deleteChannel(bytes("room"), bytes("gone"), room.nowMs);
  const ref = new ChannelRef();
  const index = room.store.open(bytes("room"), room.nowMs / 1000, ref);
  const again = Object.assign(Object.create(Object.getPrototypeOf(room)) as Room, room, {
    index,
    incarnation: ref.incarnation,
  });
  again.join("cat");
  expect([again.list(), again.count]).toEqual([["cat"], 1]);
  expect(room.members.numberOf(index, ref.incarnation)).toBeGreaterThan(before);
  room.leave(ann);
  expect([again.list(), again.told]).toEqual([["cat"], ["join cat"]]);
});

test("another process sees the same table; a main that starts again begins with an empty one", () => {
  const room = new Room();
  room.join("ann");
  const other = attachStore(room.store.arena.path, POLICY);
  expect(room.list(other, 1)).toEqual(["ann"]);
  const number = room.members.numberOf(room.index, room.incarnation);
  const shape = smallShape({ path: room.store.arena.path, members: { records: 4, textBytes: 16 } });
  room.store.upkeep.markClean();
  room.store.close();
  const { store } = openStore(shape, POLICY);
  expect(store.members?.totals()).toMatchObject({ members: 0, room: 4 });
  expect(store.members?.base).not.toBe(room.members.base);
  const reader = store.history.reader(room.index, room.incarnation, 0, 0);
  expect([reader.next(new Message()), number > 0]).toEqual([END, true]);
});

describe("of a cluster", () => {
  const [node, life, next] = ["other", "life", "next life"].map(digestOf);
  if (node === undefined || life === undefined || next === undefined) throw new Error("no digests");
  const who = (name: string): Newcomer => ({
    name: bytes(name),
    info: bytes(""),
    isAnonymous: false,
    isListed: true,
    lingerSec: 1,
    mostMembers: 100,
    mostEvents: 0,
  });
  const clustered = () => {
    const room = new Room(8, "room", true);
    const said: string[] = [];
    room.members.onSaid = ({ isHere, name }) => said.push(`${isHere ? "in" : "out"} ${text(name)}`);
    const hear = (name: string, isHere: boolean, from: "own" | "other" = "other", now = life) =>
      room.members.nodes.hear(
        from === "own" ? null : [node, now],
        isHere,
        room.index,
        room.incarnation,
        who(name),
        room.nowMs,
      );
    return { room, said, hear };
  };

  test("who is here and elsewhere is one member, and has left when that is heard of both", () => {
    const { room, said, hear } = clustered();
    const ann = room.join("ann", 0, who("ann"));
    expect([hear("ann", true), hear("ann", true), hear("bob", true)]).toEqual([true, true, true]);
    expect([room.told, room.list()]).toEqual([
      ["join ann", "join bob"],
      ["ann x2", "bob"],
    ]);
    hear("bob", false);
    room.leave(ann);
    room.later(3);
    expect(said).toEqual(["in ann", "out ann"]);
    hear("ann", false, "own");
    expect([room.told.at(-1), room.list()]).toEqual(["leave bob", ["ann"]]);
    hear("ann", false);
    expect([room.told.at(-1), room.list()]).toEqual(["leave ann", []]);
  });

  test("what nobody hears is said again; who came back meanwhile says so", () => {
    const { room, said, hear } = clustered();
    room.leave(room.join("ann", 0, who("ann")));
    room.later(3);
    room.later(6);
    expect(said).toEqual(["in ann", "out ann", "out ann"]);
    room.join("ann", 1, who("ann"));
    hear("ann", false, "own");
    expect(said.slice(3)).toEqual(["in ann"]);
    expect([room.told, room.list()]).toEqual([["join ann"], ["ann"]]);
  });

  test("a node that is gone or begins anew takes along what it said; asked, this one repeats all", () => {
    const { room, said, hear } = clustered();
    room.join("ann", 0, who("ann"));
    hear("bob", true);
    hear("ann", true);
    // It speaks of another life before anybody told of it: the old one goes first.
    expect([hear("cat", true, "other", next), hear("cat", true, "other", next)]).toEqual([false, true]);
    expect([room.told.slice(2), room.list()]).toEqual([
      ["leave bob", "join cat"],
      ["ann", "cat"],
    ]);
    expect(room.members.nodes.lostNode(node, room.nowMs)).toBeTrue();
    expect(room.list()).toEqual(["ann"]);
    for (let from = 0; from <= room.members.records; ) from = room.members.nodes.sayAll(from, room.nowMs);
    expect(said).toEqual(["in ann", "in ann"]);
  });

  test("whom a node does not name again after entries that nobody here read has left, in that shard", () => {
    const { room, hear } = clustered();
    const { nodes } = room.members;
    room.join("ann", 0, who("ann"));
    for (const name of ["ann", "bob", "cat"]) hear(name, true);
    const settle = (isOfShard = true) => nodes.settle(0, node, () => isOfShard, room.nowMs);
    expect([settle(), room.list()]).toEqual([true, ["ann x2", "bob", "cat"]]);
    nodes.doubt(0);
    hear("cat", true);
    hear("dan", true);
    nodes.settle(1, node, () => true, room.nowMs);
    nodes.settle(0, digestOf("a third"), () => true, room.nowMs);
    expect(room.list()).toEqual(["ann x2", "bob", "cat", "dan"]);
    expect([settle(), room.list()]).toEqual([true, ["ann", "cat", "dan"]]);
    expect(room.told.slice(-2)).toEqual(["join dan", "leave bob"]);
    // Once: what is said from here on holds.
    hear("bob", true);
    expect([settle(), room.list()]).toEqual([true, ["ann", "bob", "cat", "dan"]]);
    nodes.doubt(0);
    expect([settle(false), room.list()]).toEqual([true, ["ann", "bob", "cat", "dan"]]);
  });
});

/**
 * Against a model: any order of comings, goings, deaths and seconds leaves the table as the model says, and
 * events that tell the same story.
 */
test("list, counts and events agree with a model", () => {
  const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const random = randomBelow(seed);
  const room = new Room(64);
  const linger = { lingerSec: 2, mostMembers: 1000 };
  const held: { name: string; slot: number; record: number }[] = [];
  const names = Array.from({ length: 12 }, (_, i) => `p${i}`);
  const present = new Set<string>();
  let seen = 0;
  for (let step = 0; step < 600; step++) {
    const kind = random(10);
    if (kind < 4) {
      const name = names[random(names.length)] ?? "";
      const slot = random(3);
      held.push({ name, slot, record: room.join(name, slot, linger) });
    } else if (kind < 8 && held.length > 0) {
      const [gone] = held.splice(random(held.length), 1);
      if (gone !== undefined) room.leave(gone.record, gone.slot);
    } else if (kind === 8 && random(10) === 0) {
      const slot = random(3);
      for (let from = 0; from <= room.members.records; )
        from = room.members.forgetSlot(slot, from, room.nowMs);
      held.splice(0, held.length, ...held.filter((each) => each.slot !== slot));
    } else room.later(random(2));
    for (const event of room.events(seen)) {
      if (typeof event === "string") continue;
      const { sub = "" } = event;
      expect(event.event === "join", `${seed}: ${event.event} ${sub} at ${step}`).toBe(!present.has(sub));
      if (event.event === "join") present.add(sub);
      else present.delete(sub);
      seen = event.number + room.members.base;
    }
    expect(
      room.list().map((name) => name.split(" ")[0] ?? ""),
      `${seed} at ${step}`,
    ).toEqual([...present].sort());
  }
  room.later(10);
  expect(room.list().map((name) => name.split(" ")[0])).toEqual(
    [...new Set(held.map(({ name }) => name))].sort(),
  );
  expect(checkInvariants(room.store.arena)).toEqual([]);
});
