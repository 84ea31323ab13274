/**
 * A deletion: everybody is told in his own format and ends with his last channel (push-stream spec 2.7 (4)).
 */
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { lostDeletion } from "../../src/fanout/dismiss.ts";
import { CHANNEL_DELETED_ID } from "../../src/message.ts";
import { bytes, Channel, dataOf, NOW_MS, newStore, removeTempFolders } from "../store/fixture.ts";
import {
  BINARY,
  deletion,
  joinPoll,
  joinSocket,
  joinStream,
  localOf,
  messages,
  newSocket,
  PLAIN,
  POSITIONED,
  TELLING,
  TestWorker,
} from "./fixture.ts";
import { turns } from "./test-stream.ts";

afterAll(removeTempFolders);

let worker: TestWorker;
let channel: Channel;
let other: Channel;
beforeEach(() => {
  worker = new TestWorker(newStore());
  [channel, other] = [new Channel(worker.store, "c"), new Channel(worker.store, "other")];
});
afterEach(() => {
  worker.stop();
  worker.store.close();
});

async function remove(one = channel): Promise<void> {
  worker.store.deleteChannel(worker.store.name(one.index), bytes("bye"), NOW_MS);
  worker.fanout.published();
  await turns();
}

test("whoever stands nowhere else is told and ends", async () => {
  const stream = joinStream(worker, PLAIN, [channel]);
  const socket = joinSocket(worker, BINARY, [channel]);
  const poll = joinPoll(worker, PLAIN, [channel]);
  await remove();
  expect([stream.take(), stream.isEnded, stream.sink.isOpen]).toEqual([
    [deletion(channel), "footer"],
    true,
    false,
  ]);
  expect([socket.frames.map((frame) => typeof frame), socket.isOpen]).toEqual([["object"], false]);
  expect([socket.take(), poll.answers]).toEqual([[deletion(channel)], [deletion(channel)]]);
  expect([worker.subscribers, [...worker.fanout.standing.channels()].length]).toEqual([0, 0]);
});

test("whoever stands elsewhere goes on there", async () => {
  const stream = joinStream(worker, PLAIN, [channel, other]);
  const socket = joinSocket(worker, PLAIN, [channel, other]);
  await remove();
  worker.publish(other, "one");
  await turns();
  const told = [deletion(channel), ...messages(other, 1, "one")];
  expect([stream.take(), stream.isLive]).toEqual([told, true]);
  expect([socket.take(), socket.isOpen, socket.topics.size]).toEqual([told, true, 1]);
  expect([worker.subscribers, worker.store.subscribers.countOf(other.index)]).toEqual([2, 2]);
});

test("the event id keeps the place of the channel that is gone", async () => {
  const third = new Channel(worker.store, "third");
  const stream = joinStream(worker, POSITIONED, [channel, other, third]);
  const bases = [channel, other, third].map(({ index }) => worker.store.positions.base(index));
  await remove(other);
  worker.publish(third, "one");
  await turns();
  expect(stream.take().at(-1)).toBe(
    `${messages(third, 1, "one")[0]} @${bases[0]},${bases[1]},${(bases[2] ?? 0) + 1}`,
  );
});

test("a stream that lags is told behind what its socket holds; what it had not read is gone", async () => {
  const stream = joinStream(worker, PLAIN, [channel]);
  stream.sink.isFull = true;
  worker.publish(channel, "one");
  await turns();
  worker.publish(channel, "two");
  await turns();
  await remove();
  expect([stream.take(), stream.isEnded]).toEqual([
    [...messages(channel, 1, "one"), deletion(channel), "footer"],
    true,
  ]);
});

test("a stream that lags in the channel that stays goes on when it has drained", async () => {
  const stream = joinStream(worker, PLAIN, [channel, other]);
  stream.sink.isFull = true;
  worker.publish(other, "one");
  await turns();
  worker.publish(other, "two");
  await remove();
  await stream.sink.drain();
  await turns();
  worker.publish(other, "three");
  await turns();
  expect(stream.take()).toEqual([
    ...messages(other, 1, "one"),
    deletion(channel),
    ...messages(other, 2, "two", "three"),
  ]);
});

test("a stream that the goodbye fills up lags in the channels that stay", async () => {
  const stream = joinStream(worker, PLAIN, [channel, other]);
  stream.sink.isFull = true;
  await remove();
  expect(stream.isBehind).toBe(true);
  worker.publish(other, "one");
  await turns();
  expect(stream.sink.writes).toBe(1);
  await stream.sink.drain();
  await turns();
  expect(stream.take()).toEqual([deletion(channel), ...messages(other, 1, "one")]);
});

test("a socket that still waits to enter the topic is told as well", async () => {
  const socket = newSocket(worker, PLAIN, [channel]);
  socket.buffered = 1e9;
  worker.fanout.joinTopics(socket);
  expect(worker.local(channel).joining.size).toBe(1);
  await remove();
  expect([socket.take(), socket.isOpen]).toEqual([[deletion(channel)], false]);
});

test("a socket that closes over the goodbye is counted out once", async () => {
  const socket = joinSocket(worker, PLAIN, [channel, other]);
  const staying = joinSocket(worker, PLAIN, [other]);
  socket.onSend = () => socket.close();
  const local = worker.local(channel);
  await remove();
  expect([local.standing, worker.subscribers, worker.store.subscribers.countOf(other.index)]).toEqual([
    0, 1, 1,
  ]);
  worker.publish(other, "one");
  await turns();
  expect(staying.take()).toEqual(messages(other, 1, "one"));
});

test("messages published right before the deletion come before it", async () => {
  const stream = joinStream(worker, TELLING, [channel]);
  channel.append("one");
  await remove();
  expect(stream.take()).toEqual([...messages(channel, 1, "one"), deletion(channel), "footer"]);
});

test("the deletion that stands in for an evicted one", () => {
  const m = lostDeletion(localOf(channel), bytes("gone"));
  expect([m.id, m.time, m.tag, dataOf(m)]).toEqual([CHANNEL_DELETED_ID, 0, 0, "gone"]);
  expect([m.eventIdLength, m.eventTypeLength]).toEqual([-1, -1]);
});
