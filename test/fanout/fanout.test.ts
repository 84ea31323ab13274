/**
 * Who stands where: counts, channels that come and go under their subscribers, and readers that take nothing.
 */
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { StreamSubscription } from "../../src/fanout/local-channel.ts";
import { Counter } from "../../src/store/counters.ts";
import type { Store } from "../../src/store/store.ts";
import { bytes, Channel, NOW_MS, newStore, removeTempFolders } from "../store/fixture.ts";
import { until } from "../until.ts";
import {
  deletion,
  joinPoll,
  joinSocket,
  joinStream,
  messages,
  newSocket,
  PLAIN,
  TELLING,
  TestWorker,
} from "./fixture.ts";
import { TestStream, turns } from "./test-stream.ts";

afterAll(removeTempFolders);

let store: Store;
let worker: TestWorker;
let channel: Channel;
beforeEach(() => {
  store = newStore({}, { channels: 2 });
  worker = new TestWorker(store);
  channel = new Channel(store, "c");
});
afterEach(() => {
  worker.stop();
  store.close();
});

const counts = () => [
  worker.subscribers,
  store.subscribers.countOf(channel.index),
  [...worker.fanout.standing.channels()].length,
];
const remove = () => store.deleteChannel(bytes("c"), bytes("bye"), NOW_MS);

test("connections and subscriptions are counted in and out, each once", async () => {
  const other = new Channel(store, "other");
  const stream = joinStream(worker, PLAIN, [channel, other]);
  const socket = joinSocket(worker, PLAIN, [channel]);
  const poll = joinPoll(worker, PLAIN, [channel, other]);
  expect([...counts(), store.subscribers.countOf(other.index)]).toEqual([3, 3, 2, 2]);
  for (let again = 0; again < 2; again++) {
    stream.closed();
    worker.fanout.leaveStream(stream);
    socket.close();
    const [first] = poll.subscriptions;
    if (first !== undefined) worker.fanout.leavePoll(first);
  }
  await turns();
  expect([...counts(), store.subscribers.countOf(other.index)]).toEqual([0, 0, 0, 0]);
});

test("a channel that was looked at and whose last subscriber left is forgotten after the turn", async () => {
  const looked = worker.fanout.channel(channel);
  expect(worker.fanout.channel(channel)).toBe(looked);
  await turns();
  expect(worker.fanout.standing.channel(channel.index)).toBeUndefined();
  const stream = joinStream(worker, PLAIN, [channel]);
  const local = worker.local(channel);
  worker.fanout.leaveStream(stream);
  // Whoever comes in the same turn stands where the pump looks.
  const next = joinStream(worker, PLAIN, [channel]);
  await turns();
  expect(worker.local(channel)).toBe(local);
  worker.publish(channel, "one");
  await turns();
  expect(next.take()).toEqual(messages(channel, 1, "one"));
});

test("a poll that comes back before the turn in which the last one is answered", async () => {
  const first = joinPoll(worker, PLAIN, [channel]);
  channel.append("one");
  const second = joinPoll(worker, PLAIN, [channel]);
  worker.publish(channel, "two");
  await turns();
  expect([first.answers, second.answers]).toEqual([messages(channel, 1, "one"), messages(channel, 2, "two")]);
});

test("a poll in several channels is answered once, although all of them have something", async () => {
  const other = new Channel(store, "other");
  const poll = joinPoll(worker, PLAIN, [channel, other]);
  const reverse = joinPoll(worker, PLAIN, [other, channel]);
  channel.append("one");
  other.append("two");
  worker.fanout.published();
  await turns();
  expect([poll.answers.length, reverse.answers.length, ...counts()]).toEqual([1, 1, 0, 0, 0]);
});

test("deleted by another worker before it was looked at: whoever comes is told", async () => {
  remove();
  const stream = joinStream(worker, PLAIN, [channel]);
  const poll = joinPoll(worker, PLAIN, [channel]);
  await turns();
  const dead = deletion(channel);
  expect([stream.take(), poll.answers, counts()]).toEqual([[dead, "footer"], [dead], [0, 0, 0]]);
});

test("deleted by another worker between the look and the seat", async () => {
  const stream = new TestStream(worker.fanout, PLAIN, bytes("footer\n"));
  stream.subscriptions = [new StreamSubscription(worker.fanout.channel(channel), stream, 0, 0)];
  remove();
  stream.attach(stream.sink);
  worker.fanout.joinStream(stream);
  await turns();
  expect([stream.take(), counts()]).toEqual([
    [deletion(channel), "footer"],
    [0, 0, 0],
  ]);
});

test("somebody comes at the moment of the deletion: those who stood there are told as well", async () => {
  const standing = joinStream(worker, PLAIN, [channel]);
  await turns();
  channel.append("one");
  remove();
  // The record is dead, its end is in the ring and this worker has not looked.
  const late = joinStream(worker, PLAIN, [channel]);
  await turns();
  expect(standing.take()).toEqual([...messages(channel, 1, "one"), deletion(channel), "footer"]);
  expect([late.take().length, worker.subscribers, [...worker.fanout.standing.channels()].length]).toEqual([
    2, 0, 0,
  ]);
});

test("a record that was deleted, swept and is another channel now serves both kinds", async () => {
  const standing = joinStream(worker, PLAIN, [channel]);
  const socket = joinSocket(worker, PLAIN, [channel]);
  await turns();
  remove();
  // The store waits a minute for those who are counted in it.
  for (let sec = 1; sec < 80; sec++) store.sweep(NOW_MS + sec * 1000);
  const next = new Channel(store, "filler");
  const again = next.index === channel.index ? next : new Channel(store, "again");
  expect([again.index, again.incarnation === channel.incarnation]).toEqual([channel.index, false]);
  const stream = joinStream(worker, PLAIN, [again]);
  const newSocket = joinSocket(worker, PLAIN, [again]);
  worker.publish(again, "one");
  await turns();
  expect(standing.take()).toEqual([deletion(channel), "footer"]);
  expect(socket.take()).toEqual([deletion(channel)]);
  worker.publish(again, "two");
  await turns();
  const all = messages(again, 1, "one", "two");
  expect([stream.take(), newSocket.take(), counts()]).toEqual([all, all, [2, 2, 1]]);
});

test("a deletion that is still resting leaves the channel that took its record alone", async () => {
  const standing = joinStream(worker, PLAIN, [channel]);
  await turns();
  worker.local(channel).restUntilMs = performance.now() + 30;
  remove();
  worker.fanout.published();
  await turns();
  // The store waits a minute for those who are counted in it.
  for (let sec = 1; sec < 80; sec++) store.sweep(NOW_MS + sec * 1000);
  const next = new Channel(store, "filler");
  const again = next.index === channel.index ? next : new Channel(store, "again");
  const stream = joinStream(worker, PLAIN, [again]);
  const told: string[] = [];
  await until("those who stood there are told", () => {
    told.push(...standing.take());
    return told.length >= 2;
  });
  expect(told).toEqual([deletion(channel), "footer"]);
  worker.publish(again, "one");
  await turns();
  expect(stream.take()).toEqual(messages(again, 1, "one"));
});

test("a WebSocket that never takes its backlog is closed after a minute, another is not", async () => {
  worker.publish(channel, "one");
  const [stuck, slow] = [
    newSocket(worker, TELLING, [channel], { after: 0 }),
    newSocket(worker, TELLING, [channel], { after: 0 }),
  ];
  for (const socket of [stuck, slow]) {
    socket.buffered = 1024 * 1024;
    worker.fanout.joinTopics(socket);
  }
  const nowMs = performance.now();
  worker.fanout.closeStuck(nowMs + 59_000);
  expect([stuck.isOpen, slow.isOpen]).toEqual([true, true]);
  slow.buffered = 0;
  worker.fanout.socketDrained(slow);
  worker.fanout.closeStuck(nowMs + 61_000);
  expect([stuck.isOpen, slow.isOpen]).toEqual([false, true]);
});

test("a reader that takes nothing for a minute is closed, one that takes something is not", async () => {
  const [stuck, slow, live] = [1, 2, 3].map(() => joinStream(worker, PLAIN, [channel]));
  for (const stream of [stuck, slow]) if (stream !== undefined) stream.sink.isFull = true;
  worker.publish(channel, "one");
  await turns();
  const nowMs = performance.now();
  worker.fanout.closeStuck(nowMs + 59_000);
  expect(store.counters.get(worker.slot, Counter.LAGGING)).toBe(2);
  if (slow !== undefined) {
    worker.fanout.standing.lagging.set(slow, nowMs + 30_000);
    worker.fanout.closeStuck(nowMs + 61_000);
  }
  expect([stuck?.isEnded, slow?.isEnded, live?.isEnded]).toEqual([true, false, false]);
  expect([counts(), store.counters.get(worker.slot, Counter.CLOSED_SLOW)]).toEqual([[2, 2, 1], 1]);
  worker.fanout.closeStuck(nowMs + 61_000);
  expect(store.counters.get(worker.slot, Counter.LAGGING)).toBe(1);
});

test("several channels of one turn share one write", async () => {
  const other = new Channel(store, "other");
  const stream = joinStream(worker, PLAIN, [channel, other]);
  // A slow machine cuts a turn in two.
  worker.fanout.standing.nowMs = () => 0;
  const { writes } = stream.sink;
  channel.append("one");
  other.append("two");
  worker.fanout.published();
  await turns();
  expect([stream.take().length, stream.sink.writes - writes]).toEqual([2, 1]);
});
