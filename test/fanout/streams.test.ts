/** One held response: what is written when, and what a full socket does to it. */
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { StreamSubscription } from "../../src/fanout/local-channel.ts";
import type { StreamConnection, StreamKeeper } from "../../src/fanout/streams.ts";
import { bytes, Channel, newStore, removeTempFolders } from "../store/fixture.ts";
import { localOf, PLAIN } from "./fixture.ts";
import { TestStream } from "./test-stream.ts";

afterAll(removeTempFolders);

/** Notes what it is told. */
class Keeper implements StreamKeeper {
  readonly told: string[] = [];
  lagged(): void {
    this.told.push("lagged");
  }
  drained(): void {
    this.told.push("drained");
  }
  flushLater(connection: StreamConnection): void {
    this.told.push("flush later");
    queueMicrotask(() => connection.flush());
  }
}

let keeper: Keeper;
let channels: Channel[];
beforeEach(() => {
  keeper = new Keeper();
  const store = newStore();
  channels = ["a", "b", "c"].map((name) => new Channel(store, name));
});
afterEach(() => {
  for (const { store } of channels) store.close();
});

function streamOf(count: number): TestStream {
  const stream = new TestStream(keeper, PLAIN, bytes("footer\n"));
  stream.subscriptions = channels
    .slice(0, count)
    .map((channel) => new StreamSubscription(localOf(channel), stream, 0, 0));
  stream.attach(stream.sink);
  return stream;
}

test("one channel: a write is a send, without a flush", () => {
  const stream = streamOf(1);
  expect(stream.sink.highWaterMark).toBe(1);
  expect(stream.send(bytes("m\n"))).toBe(true);
  expect([stream.take(), stream.sink.flushes]).toEqual([["m"], 0]);
});

test("several channels: bytes of one turn share one write", async () => {
  const stream = streamOf(2);
  expect(stream.sink.highWaterMark).toBe(1);
  stream.sendShared(bytes("m\n"));
  stream.sendShared(bytes("n\n"));
  expect(keeper.told).toEqual(["flush later"]);
  expect(stream.take()).toEqual([]);
  await Bun.sleep(0);
  expect([stream.take(), stream.sink.writes]).toEqual([["m", "n"], 1]);
});

test("a connection that lost all channels but one still flushes what it writes", () => {
  const stream = streamOf(2);
  const [first] = stream.subscriptions;
  if (first !== undefined) stream.lose(first);
  expect(stream.send(bytes("m\n"))).toBe(true);
  expect(stream.take()).toEqual(["m"]);
});

test("a full socket makes it lag once, and it hears of the drain once", async () => {
  const stream = streamOf(1);
  stream.sink.isFull = true;
  expect(stream.send(bytes("m\n"))).toBe(false);
  expect([stream.isBehind, stream.isStalled, keeper.told]).toEqual([true, true, ["lagged"]]);
  // A deletion is told to full sockets as well; Bun answers with the promise that is waited for.
  expect(stream.send(bytes("D\n"))).toBe(false);
  await stream.sink.drain();
  expect([stream.isStalled, keeper.told]).toEqual([false, ["lagged", "drained"]]);
});

test("a socket that fills up again lags again", async () => {
  const stream = streamOf(1);
  for (let round = 0; round < 2; round++) {
    stream.sink.isFull = true;
    stream.send(bytes("m\n"));
    await stream.sink.drain();
    stream.caughtUp();
  }
  expect([keeper.told, stream.isLive]).toEqual([["lagged", "drained", "lagged", "drained"], true]);
});

test("the end: footer, end of body, told once; nothing is sent afterwards", () => {
  const stream = streamOf(1);
  stream.end(stream.footer);
  stream.end(stream.footer);
  stream.closed();
  expect([stream.take(), stream.sink.isOpen, stream.endings, stream.isEnded]).toEqual([
    ["footer"],
    false,
    1,
    true,
  ]);
  expect([stream.send(bytes("m\n")), stream.flush(), stream.take()]).toEqual([false, false, []]);
  stream.sendShared(bytes("m\n"));
  expect(keeper.told).toEqual([]);
});

test("a flush that was due comes too late for a connection that has ended", async () => {
  const stream = streamOf(2);
  stream.sendShared(bytes("m\n"));
  stream.end(new Uint8Array(0));
  await Bun.sleep(0);
  expect([stream.sink.flushes, stream.take()]).toEqual([0, ["m"]]);
});

test("a drain after the client has left wakes nobody", async () => {
  const stream = streamOf(1);
  stream.sink.isFull = true;
  stream.send(bytes("m\n"));
  stream.closed();
  await stream.sink.drain();
  expect([keeper.told, stream.endings]).toEqual([["lagged"], 1]);
});

test("catching up makes a lagging connection live, but no ended one", () => {
  const stream = streamOf(1);
  stream.startBehind();
  expect([stream.isLive, stream.isBehind]).toEqual([false, true]);
  stream.caughtUp();
  expect(stream.isLive).toBe(true);
  stream.closed();
  stream.caughtUp();
  expect(stream.isEnded).toBe(true);
});

test("positions keep the place of a channel that was deleted", () => {
  const stream = streamOf(3);
  const [, second, third] = stream.subscriptions;
  const before = [...stream.place().positions];
  if (second !== undefined) stream.lose(second);
  expect(stream.subscriptions.length).toBe(2);
  if (third !== undefined) third.sentId = 4;
  expect(stream.place().positions).toEqual([before[0] ?? 0, before[1] ?? 0, (before[2] ?? 0) + 4]);
});
