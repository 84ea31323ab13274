/** What is kept for connections in several channels until the pump has gone through all that is new. */
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { HeldWrites, type Holder } from "../../src/fanout/held-writes.ts";
import { TopicSubscription } from "../../src/fanout/topics.ts";
import type { DirectSocket } from "../../src/http/peer-socket.ts";
import type { Store } from "../../src/store/store.ts";
import { Channel, newStore, removeTempFolders } from "../store/fixture.ts";
import { joinSocket, joinStream, messages, PLAIN, POSITIONED, TestSocket, TestWorker } from "./fixture.ts";
import { stepUntil, turns } from "./test-stream.ts";

afterAll(removeTempFolders);

const MIB = 1024 * 1024;
let store: Store;
let worker: TestWorker;
let channels: Channel[];
beforeEach(() => {
  store = newStore({}, { size: MIB });
  worker = new TestWorker(store);
  channels = ["a", "b", "c", "d"].map((name) => new Channel(store, name));
});
afterEach(() => {
  worker.stop();
  store.close();
});

/** Not turns(), which are more where the machine is slow. */
const oneTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const several = (count: number): Holder[] =>
  Array.from({ length: count }, () => ({ uncork: () => undefined }));

test("what was sent to its end is forgotten, also where the time was up with the last of it", () => {
  const held = new HeldWrites();
  for (const holder of several(16)) held.add(holder);
  held.grow(17 * MIB);
  expect(held.isFull).toBe(true);
  held.send({ nowMs: () => 1 }, 0);
  expect([held.isEmpty, held.isFull]).toEqual([true, false]);
});

test("what was too large to keep stops nothing: megabytes to streams in several channels go on", () => {
  const held = new HeldWrites();
  for (let i = 0; i < 20; i++) held.grow(MIB);
  expect(held.isFull).toBe(false);
});

test("more than a slice is sent in several, each holder once and in order", () => {
  const held = new HeldWrites();
  const sent: number[] = [];
  for (let i = 0; i < 150; i++) held.add({ uncork: () => sent.push(i) });
  let slices = 0;
  for (; !held.isEmpty; slices++) held.send({ nowMs: () => 1 }, 0);
  expect(slices).toBe(3);
  expect(sent).toEqual(Array.from({ length: 150 }, (_, i) => i));
});

test("streams in several channels get what all have in one write, each with its own position", async () => {
  // A slow machine cuts a turn in two.
  worker.fanout.standing.nowMs = () => 0;
  for (const format of [PLAIN, POSITIONED]) {
    const stream = joinStream(worker, format, channels);
    const { writes } = stream.sink;
    for (const channel of channels) channel.append("m");
    worker.fanout.published();
    await stepUntil("it was written to", () => stream.sink.writes > writes);
    expect([stream.take().length, stream.sink.writes - writes]).toEqual([4, 1]);
    stream.end(new Uint8Array(0));
    worker.fanout.leaveStream(stream);
  }
});

/** One of our own sockets, as fan-out sees it: corked it takes everything. */
class OwnSocket extends TestSocket {
  readonly direct: DirectSocket = this.#direct();
  isStalled = false;
  writes = 0;
  corked = 0;

  #direct(): DirectSocket {
    const own = this;
    return {
      get isStalled() {
        return own.isStalled;
      },
      takesDeflated: false,
      get isCorked() {
        return own.corked > 0;
      },
      cork: () => {
        own.corked = 1;
      },
      uncork: () => {
        own.corked = 0;
        own.writes++;
      },
      // One short frame each: two bytes of head (RFC 6455 5.2).
      sendFrames: (bytes, length) => own.send(bytes.slice(2, length)) + 2,
      readAhead: () => 0,
    };
  }
}

function joinOwn(): OwnSocket {
  const socket = new OwnSocket(worker, PLAIN);
  socket.subscriptions = channels.map(
    (channel) =>
      new TopicSubscription(worker.fanout.channel(channel), socket, store.publishedCount(channel.index), 0),
  );
  worker.fanout.joinTopics(socket);
  return socket;
}

test("a socket of ours in several channels gets one write for all of them", async () => {
  worker.fanout.standing.nowMs = () => 0;
  const socket = joinOwn();
  await turns();
  const { writes } = socket;
  for (const channel of channels) channel.append("m");
  worker.fanout.published();
  await stepUntil("it was written to", () => socket.writes > writes);
  expect(socket.writes - writes).toBe(1);
});

test("Bun's sockets in several channels get what all of these have in a turn in one write each", async () => {
  worker.fanout.standing.nowMs = () => 0;
  const sockets = Array.from({ length: 300 }, () => joinSocket(worker, PLAIN, channels));
  await turns();
  for (const channel of channels) channel.append("m");
  worker.fanout.published();
  await oneTurn();
  expect(sockets.every(({ frames }) => frames.length === 4)).toBe(true);
});

test("what Bun has to send to sockets in several channels when a turn ends is bounded", async () => {
  worker.fanout.standing.nowMs = () => 0;
  const more = Array.from({ length: 16 }, (_, i) => new Channel(store, `c${i}`));
  const sockets = more.flatMap((channel, i) =>
    Array.from({ length: 500 }, () => joinSocket(worker, PLAIN, [channel, more[(i + 1) % 16] ?? channel])),
  );
  await turns();
  for (const channel of more) channel.append("m");
  worker.fanout.published();
  await oneTurn();
  const first = sockets.reduce((sum, { frames }) => sum + frames.length, 0);
  // Some 8 ms of 4 us each; as they stand in two channels, Bun has fewer to write to than there are frames.
  expect(first).toBeWithin(2000, 8000);
  await stepUntil("all have theirs", () => sockets.every(({ frames }) => frames.length === 2));
});

test("a socket of Bun's in several channels gets no more in a turn than it may have unsent", async () => {
  worker.fanout.standing.nowMs = () => 0;
  const socket = joinSocket(worker, PLAIN, channels);
  await turns();
  for (const channel of channels) channel.append("m".repeat(120 * 1024));
  worker.fanout.published();
  await oneTurn();
  expect(socket.frames).toHaveLength(2);
  await stepUntil("it has all", () => socket.frames.length === 4);
});

test("a slow socket in several channels steps aside and reads on, not filled until cut off", async () => {
  const [channel] = channels;
  if (channel === undefined) throw new Error("no channel");
  const socket = joinOwn();
  await turns();
  socket.isStalled = true;
  worker.publish(channel, "m1");
  await stepUntil("it stands aside", () => socket.subscriptions.every(({ shard }) => shard === null));
  worker.publish(channel, "m2");
  await stepUntil("the others have it", () => worker.local(channel).delivered === 2);
  socket.isStalled = false;
  worker.fanout.socketDrained(socket);
  await stepUntil("it is back", () => socket.subscriptions.every(({ shard }) => shard !== null));
  expect(socket.take()).toEqual(messages(channel, 1, "m1", "m2"));
});

test("whoever leaves while something is held for it disturbs nobody", async () => {
  const [leaving, staying] = [joinStream(worker, PLAIN, channels), joinStream(worker, PLAIN, channels)];
  worker.fanout.standing.held.add({ uncork: () => worker.fanout.leaveStream(leaving) });
  worker.publish(channels[1] ?? new Channel(store, "none"), "m");
  await turns();
  expect(staying.take()).toHaveLength(1);
});
