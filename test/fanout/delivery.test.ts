/** One job by itself: who is given what, encoded how often, and where it may be interrupted. */
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { Job } from "../../src/fanout/delivery.ts";
import { frameOf } from "../../src/fanout/frame.ts";
import type { LocalChannel } from "../../src/fanout/local-channel.ts";
import type { Standing } from "../../src/fanout/standing.ts";
import type { TopicPublish } from "../../src/fanout/topic-carrier.ts";
import { topicGroup } from "../../src/fanout/topics.ts";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { Channel, NOW_MS, newStore, removeTempFolders } from "../store/fixture.ts";
import {
  BINARY,
  gap,
  joinPoll,
  joinStream,
  messages,
  newSocket,
  PLAIN,
  POSITIONED,
  TELLING,
  type TestSocket,
  TestWorker,
} from "./fixture.ts";
import { LineFormat } from "./line-format.ts";

afterAll(removeTempFolders);

let worker: TestWorker;
let channel: Channel;
let counted: { delivered: number; gaps: number };
beforeEach(() => {
  worker = new TestWorker(newStore({}, { size: 1024 * 1024, ringSize: 1024 }));
  // The jobs of this file are run by hand.
  worker.stop();
  channel = new Channel(worker.store, "c");
  counted = { delivered: 0, gaps: 0 };
});
afterEach(() => worker.store.close());

const here = (): LocalChannel => worker.fanout.channel(channel);

const publish: TopicPublish = (topic, payload) => {
  let outcome = 0;
  for (const socket of [...worker.sockets]) if (socket.topics.has(topic)) outcome = socket.send(payload);
  return outcome;
};

/**
 * The worker's registry, which counts for the test, and whose clock passes the deadline after so many
 * `looks`.
 */
function standingOf(looks = Number.POSITIVE_INFINITY): Standing {
  const { standing } = worker.fanout;
  standing.nowMs = () => (looks-- > 0 ? 0 : 2);
  standing.delivered = (count) => {
    counted.delivered += count;
  };
  standing.gapTold = (times) => {
    counted.gaps += times;
  };
  return standing;
}

/** A job over what is in the store and was not delivered. */
function started(standing = standingOf()): Job {
  const job = new Job(standing, publish, here());
  expect(job.start(worker.store, here())).toBe(true);
  return job;
}

function sockets(count: number, format = PLAIN): TestSocket[] {
  return Array.from({ length: count }, () => {
    const socket = newSocket(worker, format, [channel]);
    for (const subscription of socket.subscriptions) topicGroup(here(), format).join(subscription);
    return socket;
  });
}

const lines = (...texts: string[]) => messages(channel, 1, ...texts);

test("streams of one format get one encoding and one write each", () => {
  let encoded = 0;
  const format = new LineFormat("counted", false, false, false);
  const encode = format.message.bind(format);
  format.message = (...parts) => {
    encoded++;
    encode(...parts);
  };
  const streams = [1, 2, 3].map(() => joinStream(worker, format, [channel]));
  for (const data of ["one", "two"]) channel.append(data);
  expect(started().run(1)).toBe(true);
  for (const stream of streams) expect([stream.take(), stream.sink.writes]).toEqual([lines("one", "two"), 1]);
  expect([encoded, counted.delivered, here().delivered]).toEqual([2, 6, 2]);
});

test("who joined in the middle of a batch gets the rest of it, who has it all nothing", () => {
  const [early, middle, late] = [1, 2, 3].map(() => joinStream(worker, PLAIN, [channel]));
  for (const data of ["one", "two", "three"]) channel.append(data);
  for (const [stream, id] of [[middle, 2] as const, [late, 3] as const]) {
    for (const subscription of stream?.subscriptions ?? []) subscription.sentId = id;
  }
  started().run(1);
  expect([early, middle, late].map((stream) => stream?.take())).toEqual([
    lines("one", "two", "three"),
    messages(channel, 3, "three"),
    [],
  ]);
});

test("a walk over streams stops at its deadline and goes on where it stopped, whoever comes and goes", () => {
  const streams = Array.from({ length: 200 }, () => joinStream(worker, PLAIN, [channel]));
  channel.append("one");
  const job = started(standingOf(0));
  expect(job.run(1)).toBe(false);
  const served = streams.filter(({ sink }) => sink.writes > 0);
  expect(served.length).toBeLessThan(200);
  const [leaving, staying] = [streams[0], streams[199]];
  if (leaving !== undefined) worker.fanout.leaveStream(leaving);
  if (staying !== undefined) worker.fanout.leaveStream(staying);
  const late = joinStream(worker, PLAIN, [channel], { after: 0 });
  let slices = 1;
  while (!job.run(1)) expect(++slices).toBeLessThan(10);
  for (const stream of streams.slice(1, 199)) expect(stream.take()).toEqual(lines("one"));
  expect(leaving?.take()).toEqual([]);
  expect(late.take()).toEqual(lines("one"));
});

test("512 sockets a slice, each gets every frame once", () => {
  const all = sockets(1100);
  for (const data of ["one", "two"]) channel.append(data);
  const job = started();
  const reached: number[] = [];
  for (let done = false; !done; ) {
    done = job.run(1);
    reached.push(all.filter(({ frames }) => frames.length === 2).length);
  }
  expect(reached).toEqual([512, 1024, 1100]);
  for (const socket of all) expect(socket.take()).toEqual(lines("one", "two"));
});

test("polls get the first message they have not seen, once, shared by format", () => {
  const [first, second] = [joinPoll(worker, PLAIN, [channel]), joinPoll(worker, TELLING, [channel])];
  for (const data of ["one", "two"]) channel.append(data);
  const third = joinPoll(worker, PLAIN, [channel]);
  channel.append("three");
  started().run(1);
  expect([first.answers, second.answers, third.answers]).toEqual([
    lines("one"),
    lines("one"),
    messages(channel, 3, "three"),
  ]);
  expect(here().waiting).toEqual([]);
});

test("many polls are answered in slices, each once", () => {
  const polls = Array.from({ length: 200 }, () => joinPoll(worker, PLAIN, [channel]));
  channel.append("one");
  const job = started(standingOf(0));
  let slices = 1;
  while (!job.run(1)) expect(++slices).toBeLessThan(10);
  expect(slices).toBeGreaterThan(2);
  for (const poll of polls) expect(poll.answers).toEqual(lines("one"));
});

test("with several channels behind one id, each message carries the positions after it", () => {
  const other = new Channel(worker.store, "other");
  const stream = joinStream(worker, POSITIONED, [other, channel]);
  const base = [worker.store.positions.base(other.index), worker.store.positions.base(channel.index)].map(
    Number,
  );
  for (const data of ["one", "two"]) channel.append(data);
  started().run(1);
  stream.flush();
  expect(stream.take()).toEqual(
    lines("one", "two").map((line, i) => `${line} @${base[0]},${(base[1] ?? 0) + i + 1}`),
  );
});

/** Ids 1 and 2 were evicted before this worker read them. */
function lose(): void {
  channel.append("one", false);
  channel.append("two", false);
  worker.store.sweep(NOW_MS + 6000);
}

test("a gap is told in words, and whoever has none is closed", () => {
  const telling = joinStream(worker, TELLING, [channel]);
  const plain = joinStream(worker, PLAIN, [channel]);
  const [tellingSocket] = sockets(1, BINARY);
  const [plainSocket] = sockets(1, PLAIN);
  const poll = joinPoll(worker, PLAIN, [channel]);
  lose();
  started().run(1);
  expect(telling.take()).toEqual([gap(channel, 2, 2)]);
  expect([plain.take(), plain.isEnded, plain.sink.isOpen]).toEqual([[], true, false]);
  expect(tellingSocket?.take()).toEqual([gap(channel, 2, 2)]);
  expect([plainSocket?.take(), plainSocket?.isOpen]).toEqual([[], false]);
  expect([poll.answers, counted.gaps, here().delivered]).toEqual([[], 2, 2]);
});

test("closing those who cannot be told of a gap disturbs no walk", () => {
  const streams = Array.from({ length: 10 }, () => joinStream(worker, PLAIN, [channel]));
  const all = sockets(10);
  lose();
  started().run(1);
  expect(streams.every(({ isEnded }) => isEnded)).toBe(true);
  expect(all.some(({ isOpen }) => isOpen)).toBe(false);
  expect(here().streams.map(({ members }) => members.length)).toEqual([0]);
});

test("who joined behind half of a gap is told of the other half", () => {
  const stream = joinStream(worker, TELLING, [channel]);
  lose();
  for (const subscription of stream.subscriptions) subscription.sentId = 1;
  started().run(1);
  stream.flush();
  expect(stream.take()).toEqual([gap(channel, 1, 2)]);
});

test("a socket that closes in the middle of a batch leaves the others their places", () => {
  const [first, second, third] = sockets(3);
  if (second !== undefined) {
    second.onSend = () => {
      second.isOpen = false;
      second.topics.clear();
      worker.sockets.delete(second);
      worker.fanout.leaveTopics(second, false);
    };
  }
  for (const data of ["one", "two"]) channel.append(data);
  started().run(1);
  expect([first, second, third].map((socket) => socket?.take())).toEqual([
    lines("one", "two"),
    [],
    lines("one", "two"),
  ]);
});

test("frames: text when the bytes are UTF-8 and the format is no binary one", () => {
  const writer = new ByteWriter();
  writer.pushUtf8("grüße");
  expect(frameOf(PLAIN, writer)).toBe("grüße");
  expect(frameOf(BINARY, writer)).toEqual(new Uint8Array(Buffer.from("grüße")));
  writer.pushByte(0xff);
  expect(frameOf(PLAIN, writer)).toEqual(new Uint8Array([...Buffer.from("grüße"), 0xff]));
});
