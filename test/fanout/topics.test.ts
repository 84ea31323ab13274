/** Native topics in shards: who stands where, and what happens to the places of those who leave. */
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import type { Format } from "../../src/fanout/format.ts";
import { leaveTopic, SHARD_SIZE, type TopicSubscription, topicGroup } from "../../src/fanout/topics.ts";
import { Channel, newStore, removeTempFolders } from "../store/fixture.ts";
import { BINARY, newSocket, PLAIN, TestWorker } from "./fixture.ts";

afterAll(removeTempFolders);

let worker: TestWorker;
let channel: Channel;
beforeEach(() => {
  worker = new TestWorker(newStore());
  channel = new Channel(worker.store, "c");
});
afterEach(() => worker.stop());

function subscription(format: Format = PLAIN): TopicSubscription {
  const [first] = newSocket(worker, format, [channel]).subscriptions;
  if (first === undefined) throw new Error("no subscription");
  return first;
}

function joined(count: number): TopicSubscription[] {
  const local = worker.fanout.channel(channel);
  return Array.from({ length: count }, () => {
    const one = subscription();
    topicGroup(local, PLAIN).join(one);
    return one;
  });
}

const topicsOf = ({ peer }: TopicSubscription): string[] => {
  if (!("topics" in peer) || !(peer.topics instanceof Set)) throw new Error("not a test socket");
  return [...peer.topics];
};

test("a topic holds 512 sockets, the next one opens another", () => {
  const all = joined(SHARD_SIZE + 1);
  const { shards } = topicGroup(worker.local(channel), PLAIN);
  expect(shards.map(({ sockets }) => sockets.length)).toEqual([SHARD_SIZE, 1]);
  expect(new Set(all.flatMap(topicsOf)).size).toBe(2);
});

test("a place that became free is taken before another topic is opened", () => {
  const all = joined(SHARD_SIZE + 1);
  const local = worker.local(channel);
  const { shards } = topicGroup(local, PLAIN);
  for (const one of all.slice(0, 2)) leaveTopic(one, true);
  for (let i = 0; i < SHARD_SIZE + 1; i++) topicGroup(local, PLAIN).join(subscription());
  expect(shards.map(({ sockets }) => sockets.length)).toEqual([SHARD_SIZE, SHARD_SIZE]);
  topicGroup(local, PLAIN).join(subscription());
  expect(shards.map(({ sockets }) => sockets.length)).toEqual([SHARD_SIZE, SHARD_SIZE, 1]);
});

test.each([0, 1, 2])("whoever leaves at place %i is replaced by the last socket", (place) => {
  const all = joined(3);
  const leaving = all[place];
  if (leaving === undefined) throw new Error("no such socket");
  leaveTopic(leaving, true);
  expect(topicsOf(leaving)).toEqual([]);
  expect([leaving.shard, leaving.place]).toEqual([null, -1]);
  const [shard] = topicGroup(worker.local(channel), PLAIN).shards;
  expect(shard?.sockets.map((one) => one.place)).toEqual([0, 1]);
  expect(new Set(shard?.sockets)).toEqual(new Set(all.filter((one) => one !== leaving)));
});

test("a socket that has closed is not asked to leave its topic", () => {
  const [one] = joined(1);
  if (one === undefined) throw new Error("no such socket");
  leaveTopic(one, false);
  expect(topicsOf(one).length).toBe(1);
});

test("who only wants to join leaves those who do, and nobody else", () => {
  const local = worker.fanout.channel(channel);
  const [first, second] = [subscription(), subscription()];
  local.joining.add(first).add(second);
  leaveTopic(first, true);
  leaveTopic(first, true);
  expect([...local.joining]).toEqual([second]);
});

test("topics of formats, channels and incarnations have names of their own", () => {
  const local = worker.fanout.channel(channel);
  const names = new Set<string>();
  for (const format of [PLAIN, BINARY]) {
    const one = subscription(format);
    topicGroup(local, format).join(one);
    names.add(one.shard?.topic ?? "none");
  }
  worker.store.deleteChannel(Buffer.from("c"), new Uint8Array(0), 0);
  channel = new Channel(worker.store, "c");
  const one = subscription();
  topicGroup(worker.fanout.channel(channel), PLAIN).join(one);
  names.add(one.shard?.topic ?? "none");
  expect(names.size).toBe(3);
});
