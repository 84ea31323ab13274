/**
 * Channel classes (push-stream spec 3.5, 3.6): normal and wildcard channels are counted and limited apart.
 */
import { afterAll, expect, test } from "bun:test";
import { zoneCounts } from "../../src/store/channel/channel-statistics.ts";
import { openStore } from "../../src/store/opening.ts";
import {
  bytes,
  Channel,
  NOW_MS,
  NOW_SEC,
  newStore,
  POLICY,
  removeTempFolders,
  smallShape,
} from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

const BD = { wildcardPrefix: bytes("bd_") };

test.each([
  ["bd_", true],
  ["bd_1", true],
  ["bd", false],
  ["bd1", false],
  ["Bd_1", false],
  ["abd_1", false],
  ["", false],
])("with the prefix bd_, %p is a wildcard channel: %p", (name, isWildcard) => {
  const store = newStore(BD);
  expect(store.isWildcard(bytes(name))).toBe(isWildcard);
  store.open(bytes(name), NOW_SEC);
  expect(store.totals(NOW_MS)).toMatchObject({
    channels: isWildcard ? 0 : 1,
    wildcardChannels: isWildcard ? 1 : 0,
  });
});

test("without a prefix nothing is a wildcard channel", () => {
  const store = newStore({ maxWildcardChannels: 1 });
  expect([store.isWildcard(bytes("")), store.isWildcard(bytes("bd_"))]).toEqual([false, false]);
  for (const name of ["bd_1", "bd_2"]) expect(store.open(bytes(name), NOW_SEC)).toBeGreaterThanOrEqual(0);
});

test("each class has its own limit; a deleted and a collected channel free their place at once", () => {
  const store = newStore({ ...BD, maxChannels: 2, maxWildcardChannels: 1, channelInactivitySec: 5 });
  const open = (...names: string[]): boolean[] => names.map((name) => store.open(bytes(name), NOW_SEC) >= 0);
  expect(open("a", "bd_1", "b")).toEqual([true, true, true]);
  expect(store.open(bytes("bd_2"), NOW_SEC)).toBe(-1);
  expect(open("c", "bd_1", "a")).toEqual([false, true, true]);
  store.deleteChannel(bytes("bd_1"), bytes(""), NOW_MS);
  expect(open("c", "bd_2", "bd_1")).toEqual([false, true, false]);
  store.deleteChannel(bytes("a"), bytes(""), NOW_MS);
  expect(open("bd_1", "c", "a")).toEqual([false, true, false]);
  store.sweep(NOW_MS + 6000);
  expect(store.totals(NOW_MS)).toMatchObject({ channels: 0, wildcardChannels: 0 });
  expect(open("a", "b", "bd_3", "c", "bd_4")).toEqual([true, true, true, false, false]);
  expect(zoneCounts(store, "h", NOW_MS)).toMatchObject({ channels: 2, wildcardChannels: 1 });
});

test("a channel keeps its class when the prefix becomes another", () => {
  const store = newStore(BD);
  for (const name of ["bd_1", "x_1"]) new Channel(store, name);
  store.setPolicy({ ...POLICY, wildcardPrefix: bytes("x_"), maxWildcardChannels: 2, maxChannels: 1 });
  expect(store.isWildcard(bytes("x_1"))).toBe(true);
  expect(store.totals(NOW_MS)).toMatchObject({ channels: 1, wildcardChannels: 1 });
  expect([store.open(bytes("x_2"), NOW_SEC) >= 0, store.open(bytes("x_3"), NOW_SEC)]).toEqual([true, -1]);
  store.deleteChannel(bytes("x_1"), bytes(""), NOW_MS);
  store.deleteChannel(bytes("bd_1"), bytes(""), NOW_MS);
  expect(store.totals(NOW_MS)).toMatchObject({ channels: 0, wildcardChannels: 1 });
});

test.each([true, false])("classes survive a restart, in order: %p", (inOrder) => {
  const shape = smallShape();
  const { store } = openStore(shape, { ...POLICY, ...BD });
  for (const name of ["bd_1", "a", "bd_2"]) new Channel(store, name);
  if (inOrder) store.upkeep.markClean();
  store.close();
  const again = openStore(shape, POLICY).store;
  expect(again.totals(NOW_MS)).toMatchObject({ channels: 1, wildcardChannels: 2 });
  expect(checkInvariants(again.arena)).toEqual([]);
});
