/** Positions that are nobody's: a failover of a cluster's engine leaves them. */
import { afterAll, expect, test } from "bun:test";
import { missedBetween, placeAfter, pushJump } from "../../src/store/jumps.ts";
import { channelWord } from "../../src/store/memory/arena.ts";
import { LastSearch } from "../../src/store/message/last-search.ts";
import { Channel, NOW_MS, newStore, removeTempFolders } from "./fixture.ts";

afterAll(removeTempFolders);

test("who stands in a jump goes on behind it and is told that nobody knows; at its ends all is known", () => {
  const store = newStore({}, { clustered: true });
  const { index } = new Channel(store, "a");
  const { arena } = store;
  pushJump(arena, channelWord(arena.layout, index), 5, 9);
  const places = [4, 5, 6, 8, 9, 10].map((position) => placeAfter(arena, index, position));
  expect(places.map(({ afterId }) => afterId)).toEqual([4, 5, 9, 9, 9, 10]);
  expect(places.map(({ isUnknown }) => isUnknown)).toEqual([false, false, true, true, false, false]);
  expect([missedBetween(arena, index, 4, 11), missedBetween(arena, index, 9, 11)]).toEqual([3, 2]);
});

test("a search for more messages than are stored ends", () => {
  const store = newStore({ unstoredTtlSec: 5 });
  const channel = new Channel(store, "a");
  for (const isStored of [true, false, true]) channel.append("x", isStored);
  store.sweep(NOW_MS + 6000);
  const search = new LastSearch(store, channel.index, channel.incarnation, 10, 3);
  expect([search.run(100), search.afterId]).toEqual([true, 0]);
});
