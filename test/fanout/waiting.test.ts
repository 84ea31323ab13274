/** The list of polls that wait in a channel. */
import { afterAll, expect, test } from "bun:test";
import { addWaiting, removeWaiting, WaitingSubscription } from "../../src/fanout/waiting.ts";
import { Channel, newStore, removeTempFolders } from "../store/fixture.ts";
import { localOf, PLAIN, TestPoll } from "./fixture.ts";

afterAll(removeTempFolders);

test.each([0, 1, 2])("whoever leaves at place %i is replaced by the last one", (place) => {
  const channel = localOf(new Channel(newStore(), "c"));
  const all = Array.from({ length: 3 }, () => new WaitingSubscription(channel, new TestPoll(PLAIN), 0));
  for (const one of all) addWaiting(one);
  const leaving = all[place];
  if (leaving === undefined) throw new Error("no such poll");
  removeWaiting(leaving);
  expect(leaving.place).toBe(-1);
  expect(channel.waiting.map((one) => one.place)).toEqual([0, 1]);
  expect(new Set(channel.waiting)).toEqual(new Set(all.filter((one) => one !== leaving)));
});
