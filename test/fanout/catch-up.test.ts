/**
 * From the backlog to the live set: streams and sockets that are new, slow, refused, or come to a channel
 * that never rests.
 */
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import type { Store } from "../../src/store/store.ts";
import { bytes, Channel, NOW_MS, newStore, removeTempFolders } from "../store/fixture.ts";
import { until } from "../until.ts";
import {
  deletion,
  gap,
  joinSocket,
  joinStream,
  messages,
  newSocket,
  PLAIN,
  TELLING,
  TestWorker,
} from "./fixture.ts";
import { stepUntil, turns } from "./test-stream.ts";

afterAll(removeTempFolders);

const FULL = 256 * 1024 + 1;

let store: Store;
let worker: TestWorker;
let channel: Channel;
beforeEach(() => {
  store = newStore({}, { ringSize: 4096, size: 4 * 1024 * 1024 });
  worker = new TestWorker(store);
  channel = new Channel(store, "c");
});
afterEach(() => {
  worker.stop();
  store.close();
});

const names = (count: number, from = 1) => Array.from({ length: count }, (_, i) => `m${from + i}`);

test("a stream with a backlog reads it and is live in the same turn", async () => {
  for (const data of names(3)) channel.append(data);
  const stream = joinStream(worker, PLAIN, [channel], { after: 1 });
  expect([stream.take(), stream.isLive]).toEqual([messages(channel, 2, "m2", "m3"), true]);
  worker.publish(channel, "m4");
  await turns();
  expect(stream.take()).toEqual(messages(channel, 4, "m4"));
});

test("a long backlog is read over several turns; what is published meanwhile comes after", async () => {
  for (const data of names(600)) channel.append(data);
  const stream = joinStream(worker, PLAIN, [channel], { after: 0 });
  const socket = joinSocket(worker, PLAIN, [channel], { after: 0 });
  expect([stream.isLive, socket.topics.size]).toEqual([false, 0]);
  worker.publish(channel, "m601");
  await until("both are live", () => stream.isLive && socket.topics.size === 1);
  worker.publish(channel, "m602");
  await turns();
  const all = messages(channel, 1, ...names(602));
  expect(stream.take()).toEqual(all);
  expect(socket.take()).toEqual(all);
});

test("a stream that fills up reads on from the store once drained, in order, nothing twice", async () => {
  const stream = joinStream(worker, PLAIN, [channel]);
  stream.sink.isFull = true;
  worker.publish(channel, "m1");
  await turns();
  worker.publish(channel, "m2");
  await turns();
  worker.publish(channel, "m3");
  expect([stream.isStalled, stream.sink.writes]).toEqual([true, 1]);
  await stream.sink.drain();
  await turns();
  worker.publish(channel, "m4");
  await turns();
  expect([stream.take(), stream.isLive]).toEqual([messages(channel, 1, ...names(4)), true]);
});

test("a stream that is full already at its first bytes goes on after them", async () => {
  for (const data of names(70)) channel.append(data);
  const stream = joinStream(worker, PLAIN, [channel], {
    after: 0,
    isFull: true,
    prelude: bytes("prelude\n"),
  });
  expect(stream.take()).toEqual(["prelude", ...messages(channel, 1, ...names(64))]);
  worker.publish(channel, "m71");
  await turns();
  expect(stream.sink.writes).toBe(1);
  await stream.sink.drain();
  await turns();
  expect(stream.take()).toEqual(messages(channel, 65, ...names(7, 65)));
});

test("while it lags in one channel it lags in all, and nothing of the others is lost", async () => {
  const other = new Channel(store, "other");
  const stream = joinStream(worker, PLAIN, [channel, other]);
  stream.sink.isFull = true;
  worker.publish(channel, "m1");
  await turns();
  worker.publish(other, "o1");
  await turns();
  expect(stream.sink.writes).toBe(1);
  await stream.sink.drain();
  await turns();
  expect(stream.take()).toEqual([...messages(channel, 1, "m1"), ...messages(other, 1, "o1")]);
});

test("what was evicted while a stream lagged is told; a stream without words for it is closed", async () => {
  const telling = joinStream(worker, TELLING, [channel]);
  const plain = joinStream(worker, PLAIN, [channel]);
  telling.sink.isFull = true;
  plain.sink.isFull = true;
  worker.publish(channel, "m1");
  await turns();
  channel.append("m2", false);
  channel.append("m3", false);
  channel.append("m4");
  worker.fanout.published();
  await turns();
  store.sweep(NOW_MS + 6000);
  await telling.sink.drain();
  await plain.sink.drain();
  await turns();
  expect(telling.take()).toEqual([
    ...messages(channel, 1, "m1"),
    gap(channel, 2, 3),
    ...messages(channel, 4, "m4"),
  ]);
  expect([plain.take(), plain.isEnded]).toEqual([messages(channel, 1, "m1"), true]);
});

test("a stream that drains when its channel is deleted is told, and gets nothing behind a hole", async () => {
  const others = Array.from({ length: 3 }, () => joinStream(worker, PLAIN, [channel]));
  const stream = joinStream(worker, TELLING, [channel]);
  stream.sink.isFull = true;
  worker.publish(channel, "m1");
  await turns();
  worker.publish(channel, "m2");
  await turns();
  // Two more and the end, none of which this worker has delivered when the stream drains.
  for (const data of ["m3", "m4"]) channel.append(data);
  store.deleteChannel(bytes("c"), bytes("bye"), NOW_MS);
  worker.fanout.published();
  await stream.sink.drain();
  await turns();
  expect(stream.take()).toEqual([...messages(channel, 1, "m1"), deletion(channel), "footer"]);
  for (const one of others) expect(one.take().at(-1)).toBe("footer");
});

test("a stream that a goodbye filled up reads on when it has drained, not at its next turn", async () => {
  const other = new Channel(store, "other");
  for (const data of names(600)) channel.append(data);
  const stream = joinStream(worker, PLAIN, [channel, other], { after: 0 });
  expect(stream.isBehind).toBe(true);
  stream.sink.isFull = true;
  const writes = stream.sink.writes;
  store.deleteChannel(bytes("other"), bytes("bye"), NOW_MS);
  worker.fanout.published();
  await turns(10);
  // The next batch of its backlog, or the goodbye, whichever came first: not both, and nothing after it but
  // the goodbye.
  expect(stream.sink.writes).toBeLessThanOrEqual(writes + 2);
  while (stream.isBehind) {
    await stream.sink.drain();
    await turns();
  }
  expect(stream.take().filter((line) => line.startsWith("M"))).toEqual(messages(channel, 1, ...names(600)));
});

test("a socket with too much unsent waits for its drain", async () => {
  for (const data of names(3)) channel.append(data);
  const socket = newSocket(worker, PLAIN, [channel], { after: 0 });
  socket.onSend = () => {
    socket.buffered = FULL;
  };
  worker.fanout.joinTopics(socket);
  expect(socket.take()).toEqual(messages(channel, 1, "m1"));
  worker.publish(channel, "m4");
  await turns();
  expect(socket.frames).toEqual([]);
  socket.onSend = () => undefined;
  socket.buffered = 0;
  worker.fanout.socketDrained(socket);
  worker.publish(channel, "m5");
  await turns();
  expect(socket.take()).toEqual(messages(channel, 2, "m2", "m3", "m4", "m5"));
});

test("sockets come into a channel in which there is always something to deliver", async () => {
  for (let i = 0; i < 1100; i++) joinSocket(worker, PLAIN, [channel]);
  await turns();
  let published = 0;
  let isFed = true;
  // In every turn there is another message, so no job of several slices ends without another waiting.
  const feed = () => {
    worker.publish(channel, `m${++published}`);
    if (isFed) setImmediate(feed);
  };
  feed();
  await until("the first job", () => worker.local(channel).busy);
  const first = published + 1;
  const late = newSocket(worker, PLAIN, [channel]);
  let moreWhenSeated = false;
  late.subscribe = (topic) => {
    late.topics.add(topic);
    worker.sockets.add(late);
    moreWhenSeated = worker.local(channel).hasMore();
  };
  worker.fanout.joinTopics(late);
  await until("it stands in the topic", () => late.topics.size === 1);
  isFed = false;
  await until("all is delivered", () => !worker.local(channel).hasMore() && !worker.local(channel).busy);
  expect(moreWhenSeated).toBe(true);
  expect(late.take()).toEqual(messages(channel, first, ...names(published - first + 1, first)));
});

test("a socket that comes while its channel is served in slices gets what it is owed, once", async () => {
  const others = Array.from({ length: 1024 }, () => joinSocket(worker, PLAIN, [channel]));
  channel.append("m1");
  channel.append("m2");
  worker.fanout.published();
  await stepUntil("the job has begun", () => worker.local(channel).busy);
  // Owed from the first message on, from the second on, and from now on.
  const late = [0, 1, 2].map((after) => joinSocket(worker, TELLING, [channel], { after }));
  // Into a topic that has had its part of the job: the only one with a free place.
  const leaving = others[0];
  leaving?.close();
  const alike = joinSocket(worker, PLAIN, [channel], { after: 0 });
  worker.publish(channel, "m3");
  await until(
    "all have it",
    () => alike.frames.length === 3 && late.every(({ frames }) => frames.length > 0),
  );
  await turns();
  expect(late.map((socket) => socket.take())).toEqual([
    messages(channel, 1, "m1", "m2", "m3"),
    messages(channel, 2, "m2", "m3"),
    messages(channel, 3, "m3"),
  ]);
  expect(alike.take()).toEqual(messages(channel, 1, "m1", "m2", "m3"));
});

test("unstored messages from before a socket came are not for it, even when still on their way", () => {
  joinSocket(worker, PLAIN, [channel]);
  channel.append("m1");
  channel.append("m2", false);
  const late = joinSocket(worker, PLAIN, [channel], { after: 0, historyUntil: 2 });
  worker.publish(channel, "m3");
  return turns().then(() =>
    expect(late.take()).toEqual([...messages(channel, 1, "m1"), ...messages(channel, 3, "m3")]),
  );
});

test("a socket that closes over its backlog takes no other's place and enters no topic", async () => {
  for (const data of names(3)) channel.append(data);
  joinSocket(worker, PLAIN, [channel]);
  worker.publish(channel, "m4");
  // Waits for the running turn.
  const waiting = joinSocket(worker, PLAIN, [channel]);
  const closing = newSocket(worker, PLAIN, [channel], { after: 0 });
  closing.onSend = () => closing.close();
  worker.fanout.joinTopics(closing);
  worker.publish(channel, "m5");
  await turns();
  expect([closing.frames, closing.topics.size]).toEqual([[], 0]);
  expect(waiting.take()).toEqual(messages(channel, 5, "m5"));
  expect(store.subscribers.countOf(channel.index)).toBe(2);
});

test("a socket that has failed but is not closed yet enters no topic", async () => {
  channel.append("m1");
  const failed = newSocket(worker, PLAIN, [channel], { after: 0 });
  failed.send = () => 0;
  worker.fanout.joinTopics(failed);
  worker.publish(channel, "m2");
  await turns();
  expect([failed.topics.size, store.subscribers.countOf(channel.index)]).toEqual([0, 1]);
  failed.close();
  expect(store.subscribers.countOf(channel.index)).toBe(0);
});

test("of a socket's channels the others are left alone when one of them has an untellable hole", async () => {
  const other = new Channel(store, "other");
  const bystander = joinSocket(worker, PLAIN, [other]);
  channel.append("m1", false);
  other.append("o1");
  store.sweep(NOW_MS + 6000);
  other.append("o2");
  const waiting = joinSocket(worker, PLAIN, [other]);
  const closing = joinSocket(worker, PLAIN, [channel, other], { after: 0 });
  expect([closing.isOpen, closing.take()]).toEqual([false, []]);
  worker.publish(other, "o3");
  await turns();
  expect([bystander.take(), waiting.take()]).toEqual([
    messages(other, 1, "o1", "o2", "o3"),
    messages(other, 3, "o3"),
  ]);
});

test("of a crowd back in one turn most wait, each begins with its first bytes; others live", async () => {
  for (const data of names(200)) channel.append(data);
  // As subscribe/ does it: one buffer for all.
  const prelude = bytes("p000\n");
  const crowd = Array.from({ length: 400 }, (_, i) => {
    prelude.set(bytes(`p${String(i).padStart(3, "0")}\n`));
    return joinStream(worker, PLAIN, [channel], { after: 0, prelude });
  });
  const newcomer = joinStream(worker, PLAIN, [channel]);
  expect([crowd.at(0)?.isLive, crowd.at(-1)?.isLive, newcomer.isLive]).toEqual([true, false, true]);
  worker.publish(channel, "m201");
  await until("all are live", () => crowd.every(({ isLive }) => isLive));
  await until("all have it", () => crowd.every(({ sink }) => sink.lines.length === 202));
  const all = messages(channel, 1, ...names(201));
  for (const [i, stream] of crowd.entries())
    expect(stream.take()).toEqual([`p${String(i).padStart(3, "0")}`, ...all]);
});
