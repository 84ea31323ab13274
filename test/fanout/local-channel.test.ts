/** A channel as one worker sees it: groups of streams, and whether there is something to deliver. */
import { afterAll, expect, test } from "bun:test";
import { StreamGroup, StreamSubscription } from "../../src/fanout/local-channel.ts";
import { Channel, newStore, removeTempFolders } from "../store/fixture.ts";
import { localOf, PLAIN, TELLING, TestWorker } from "./fixture.ts";
import { TestStream } from "./test-stream.ts";

afterAll(removeTempFolders);

function members(count: number) {
  const store = newStore();
  const worker = new TestWorker(store);
  worker.stop();
  const channel = localOf(new Channel(store, "c"));
  const group = new StreamGroup(PLAIN);
  const all = Array.from({ length: count }, () => {
    const stream = new TestStream(worker.fanout, PLAIN, new Uint8Array(0));
    return new StreamSubscription(channel, stream, 0, 0);
  });
  for (const one of all) group.add(one);
  return { group, all, channel };
}

test.each([0, 1, 2, 3])("whoever leaves at place %i is replaced by the last member", (place) => {
  const { group, all } = members(4);
  const leaving = all[place];
  if (leaving === undefined) throw new Error("no such member");
  group.remove(leaving);
  expect(leaving.place).toBe(-1);
  expect(group.members.length).toBe(3);
  expect(new Set(group.members)).toEqual(new Set(all.filter((one) => one !== leaving)));
  expect(group.members.map((one) => one.place)).toEqual([0, 1, 2]);
});

test("one group a format object, whatever its key", () => {
  const { channel } = members(0);
  expect(channel.streamGroup(PLAIN)).toBe(channel.streamGroup(PLAIN));
  expect(channel.streamGroup(TELLING)).not.toBe(channel.streamGroup(PLAIN));
  expect(channel.streams.length).toBe(2);
});

test("there is more: something came, or an end that was not told", () => {
  const store = newStore();
  const channel = localOf(new Channel(store, "c"), 5);
  expect(channel.hasMore()).toBe(false);
  channel.due = true;
  expect(channel.hasMore()).toBe(true);
  channel.due = false;
  channel.gone = true;
  expect(channel.hasMore()).toBe(true);
  channel.dismissed = true;
  channel.due = true;
  expect(channel.hasMore()).toBe(false);
});
