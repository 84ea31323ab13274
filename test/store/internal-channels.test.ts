/** Internal channels: in the store like all others, and nowhere that a user looks. */
import { afterAll, expect, test } from "bun:test";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import { LivingChannels } from "../../src/store/channel/channel-statistics.ts";
import { Internal, type InternalBounds } from "../../src/store/channel/internal-channels.ts";
import { HEAD_INTERNAL_CHANNELS, INTERNAL_PLACES } from "../../src/store/memory/layout-header.ts";
import { openStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import {
  bytes,
  Channel,
  dataOf,
  NOW_MS,
  NOW_SEC,
  newStore,
  POLICY,
  readOn,
  removeTempFolders,
  smallShape,
} from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

const WIDE: InternalBounds = { maxMessages: 100, maxBytes: 1 << 20 };

function note(store: Store, data: string, bounds = WIDE): number {
  const message = { data: bytes(data), eventId: null, eventType: null };
  return store.internal.append(Internal.webhooks, message, bounds, NOW_MS);
}

function notes(store: Store, afterId = 0): string[] {
  const ref = new ChannelRef();
  const index = store.internal.open(Internal.webhooks, NOW_MS, ref);
  const out: string[] = [];
  readOn(store, index, ref.incarnation, afterId, (m) => out.push(`${m.id}:${dataOf(m)}`) > 0);
  return out;
}

test("it is read like any channel, and in no count, list or limit of users", () => {
  const store = newStore({ maxChannels: 2, eventsChannel: bytes("events") });
  const totals = () => store.totals(NOW_MS);
  new Channel(store, "user's").append("1");
  const { messagesInTrash, published, stored, channels } = totals();
  for (const data of ["a", "b", "c"]) note(store, data, { ...WIDE, maxMessages: 2 });
  expect(notes(store)).toEqual(["2:b", "3:c"]);
  expect(totals()).toMatchObject({ messagesInTrash, published, stored, channels });
  const listed: string[] = [];
  store.eachChannel((index) => listed.push(new TextDecoder().decode(store.name(index))));
  expect(listed).toEqual(["events", "user's"]);
  expect(LivingChannels.of(store)?.length).toBe(2);
  // The limit of users is what it was.
  expect(store.open(bytes("one too many"), NOW_SEC)).toBe(-1);
  expect(checkInvariants(store.arena)).toEqual([]);
});

test("no name leads a user there", () => {
  const store = newStore({ wildcardPrefix: bytes("*") });
  note(store, "ours");
  const name = bytes("*webhooks");
  expect(store.find(name)).toBe(-1);
  expect(store.open(name, NOW_SEC)).toBe(-1);
  expect(store.deleteChannel(name, bytes("bye"), NOW_MS)).toBe(0);
  expect(notes(store)).toEqual(["1:ours"]);
});

test("tags of users' messages have no holes where sluice published between them", () => {
  const store = newStore();
  const channel = new Channel(store, "a");
  channel.append("1");
  note(store, "between");
  channel.append("2");
  expect(store.lastTag(channel.index)).toBe(2);
});

test("it does not expire, is not collected, and goes last when the store is full", () => {
  const store = newStore({ messageTtlSec: 5, channelInactivitySec: 5 });
  note(store, "old");
  for (let second = 0; second < 60; second++) store.sweep(NOW_MS + second * 1000);
  const channel = new Channel(store, "a", NOW_SEC + 60);
  for (let at = 0; at < 2000; at++) channel.append("x".repeat(150), true, NOW_MS + 60_000);
  expect(store.totals(NOW_MS).evicted).toBeGreaterThan(0);
  expect(notes(store)).toEqual(["1:old"]);
  channel.append("y".repeat(store.maxMessageBytes - 500), true, NOW_MS + 60_000);
  expect(checkInvariants(store.arena)).toEqual([]);
});

test("messages and ids go on over a kill of all, and what was read is given up", () => {
  const shape = smallShape();
  const first = openStore(shape, POLICY).store;
  new Channel(first, "a").append("1");
  for (const data of ["a", "b", "c"]) note(first, data);
  expect(first.internal.forget(Internal.webhooks, 1, NOW_MS)).toBe(1);
  const { store } = openStore(shape, POLICY);
  expect(notes(store)).toEqual(["2:b", "3:c"]);
  expect(note(store, "d")).toBe(4);
  expect(store.totals(NOW_MS)).toMatchObject({ published: 1, stored: 1, channels: 1 });
  expect(note(store, "too large", { ...WIDE, maxBytes: 100 })).toBe(0);
  expect(checkInvariants(store.arena)).toEqual([]);
});

test("a file whose header has forgotten them finds them again by their names, and counts them apart", () => {
  const shape = smallShape();
  const first = openStore(shape, POLICY).store;
  for (const data of ["a", "b"]) note(first, data);
  first.arena.u32.fill(0, HEAD_INTERNAL_CHANNELS, HEAD_INTERNAL_CHANNELS + INTERNAL_PLACES);
  const { store } = openStore(shape, POLICY);
  expect(store.totals(NOW_MS)).toMatchObject({ channels: 0, published: 0, stored: 0 });
  expect(notes(store)).toEqual(["1:a", "2:b"]);
  expect(note(store, "c")).toBe(3);
});
