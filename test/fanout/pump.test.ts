/** The worker's pump: turns, sleep and bells, a ring that went round, rests of busy channels. */
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { configureLog } from "../../src/log.ts";
import { Counter } from "../../src/store/counters.ts";
import { attachStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import { bytes, Channel, NOW_MS, newStore, POLICY, pathOf, removeTempFolders } from "../store/fixture.ts";
import { until } from "../until.ts";
import { gap, joinPoll, joinSocket, joinStream, messages, PLAIN, TELLING, TestWorker } from "./fixture.ts";
import { stepUntil, turns } from "./test-stream.ts";

afterAll(removeTempFolders);

let store: Store;
let worker: TestWorker;
let channel: Channel;
beforeEach(() => {
  configureLog("error", "test");
  store = newStore({}, { ringSize: 16, size: 1024 * 1024 });
  worker = new TestWorker(store);
  channel = new Channel(store, "c");
});
afterEach(() => {
  worker.stop();
  store.close();
});

const names = (count: number) => Array.from({ length: count }, (_, i) => `m${i + 1}`);

/** Another process that publishes without fan-out; the slots that it rings. */
function outsider() {
  const other = attachStore(pathOf(store), POLICY);
  const foreign = new Channel(other, "c");
  const rung: number[] = [];
  return { foreign, ring: () => other.workers.ringOthers(-1, (slot) => rung.push(slot)), rung };
}

test("what is published in one turn goes out in one write", async () => {
  const stream = joinStream(worker, PLAIN, [channel]);
  worker.publish(channel, "m1");
  worker.publish(channel, "m2", "m3");
  expect(stream.sink.writes).toBe(0);
  await turns();
  expect([stream.take(), stream.sink.writes]).toEqual([messages(channel, 1, "m1", "m2", "m3"), 1]);
});

test("a worker that sleeps is rung once and reads everything", async () => {
  const stream = joinStream(worker, PLAIN, [channel]);
  await turns();
  const { foreign, ring, rung } = outsider();
  foreign.append("m1");
  ring();
  foreign.append("m2");
  ring();
  expect(rung).toEqual([worker.slot]);
  worker.fanout.rung();
  await turns();
  expect(stream.take()).toEqual(messages(channel, 1, "m1", "m2"));
});

test("a bell that was lost is made up for by the pump's own look", async () => {
  const stream = joinStream(worker, PLAIN, [channel]);
  await turns();
  outsider().foreign.append("m1");
  await until("the look", () => stream.sink.writes > 0);
  expect(stream.take()).toEqual(messages(channel, 1, "m1"));
});

test("nobody rings a worker in which nobody stands; the first who comes misses nothing", async () => {
  const { foreign, ring, rung } = outsider();
  await turns();
  for (const data of names(20)) foreign.append(data);
  ring();
  expect(rung).toEqual([]);
  const stream = joinStream(worker, PLAIN, [channel]);
  foreign.append("m21");
  await turns();
  expect(stream.take()).toEqual(messages(channel, 21, "m21"));
  foreign.append("m22");
  ring();
  expect(rung).toEqual([worker.slot]);
  worker.fanout.rung();
  await turns();
  expect(stream.take()).toEqual(messages(channel, 22, "m22"));
  // The ring went round while nobody stood here: that is no reason to speak of a lap.
  expect(store.counters.get(worker.slot, Counter.LAPPED)).toBe(0);
});

test("a worker that the ring has lapped reads its channels instead", async () => {
  const stream = joinStream(worker, PLAIN, [channel]);
  const poll = joinPoll(worker, PLAIN, [channel]);
  const quiet = new Channel(store, "quiet");
  const other = joinStream(worker, PLAIN, [quiet]);
  await turns();
  const { foreign } = outsider();
  for (const data of names(40)) foreign.append(data);
  worker.fanout.rung();
  await turns();
  expect(stream.take()).toEqual(messages(channel, 1, ...names(40)));
  expect([poll.answers, other.take()]).toEqual([messages(channel, 1, "m1"), []]);
  expect(store.counters.get(worker.slot, Counter.LAPPED)).toBe(1);
});

test("a lapped worker tells what is no longer there, even when nothing is left", async () => {
  const stream = joinStream(worker, TELLING, [channel]);
  await turns();
  const { foreign } = outsider();
  for (const data of names(40)) foreign.append(data, false);
  store.sweep(NOW_MS + 6000);
  worker.fanout.rung();
  await turns();
  expect(stream.take()).toEqual([gap(channel, 40, 40)]);
  worker.publish(channel, "m41");
  await turns();
  expect(stream.take()).toEqual(messages(channel, 41, "m41"));
});

test("a lapped worker finds out that a channel was deleted", async () => {
  const stream = joinStream(worker, PLAIN, [channel]);
  const other = new Channel(store, "other");
  await turns();
  store.deleteChannel(bytes("c"), bytes("bye"), NOW_MS);
  for (let i = 0; i < 40; i++) other.append("x");
  worker.fanout.rung();
  await turns();
  expect([stream.take(), stream.isEnded]).toEqual([
    [`D ${channel.index}.${channel.incarnation}`, "footer"],
    true,
  ]);
});

test("a channel that is being served in slices keeps no other waiting", async () => {
  for (let i = 0; i < 1600; i++) joinSocket(worker, PLAIN, [channel]);
  const other = new Channel(store, "other");
  const stream = joinStream(worker, PLAIN, [other]);
  await turns();
  worker.publish(channel, "m1");
  worker.publish(other, "o1");
  await stepUntil("the other is served", () => stream.sink.lines.length > 0);
  expect(worker.local(channel).busy).toBe(true);
  expect(stream.take()).toEqual(messages(other, 1, "o1"));
  await until("the job is done", () => !worker.local(channel).busy);
  expect([...worker.sockets].every(({ frames }) => frames.length === 1)).toBe(true);
});

test("a channel whose fan-out took long rests; what comes meanwhile shares the next write", async () => {
  const stream = joinStream(worker, PLAIN, [channel]);
  await turns();
  worker.local(channel).restUntilMs = performance.now() + 200;
  for (const data of ["m1", "m2", "m3"]) {
    worker.publish(channel, data);
    // Not turns(), which would wait for the end of the rest where the machine is slow.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(stream.sink.writes).toBe(0);
  await until("the rest is over", () => stream.sink.writes > 0);
  expect([stream.take(), stream.sink.writes]).toEqual([messages(channel, 1, "m1", "m2", "m3"), 1]);
});

test("who comes while a channel rests gets what is published from then on", async () => {
  const first = joinSocket(worker, PLAIN, [channel]);
  await turns();
  worker.local(channel).restUntilMs = performance.now() + 20;
  worker.publish(channel, "m1");
  await turns();
  const socket = joinSocket(worker, PLAIN, [channel]);
  const stream = joinStream(worker, PLAIN, [channel]);
  worker.publish(channel, "m2");
  await until("the rest is over", () => first.frames.length === 2);
  expect([socket.take(), stream.take()]).toEqual([messages(channel, 2, "m2"), messages(channel, 2, "m2")]);
});

test("a channel with subscribers elsewhere rests until those have theirs, if writes are shared", async () => {
  const { other, clock, socket, sent } = await withOthers();
  const restAfter = async (...data: string[]): Promise<number> => {
    clock.ms += 1000;
    worker.publish(channel, ...data);
    await sent();
    return worker.local(channel).restUntilMs - clock.ms;
  };
  // A quarter of what its own took.
  expect(await restAfter("m1")).toBeCloseTo(1.5 / 4, 1);
  expect(socket.take()).toHaveLength(1);
  // And what the two others take, and a quarter of that.
  expect(await restAfter("m2", "m3")).toBeCloseTo(3 / 4 + 6 + 6 / 4, 1);
  other.stop();
});

test("workers that share a channel do not each begin with half of what is published", async () => {
  const { other, clock, socket, sent } = await withOthers();
  worker.publish(channel, "m1", "m2");
  await sent();
  socket.take();
  clock.ms = worker.local(channel).restUntilMs + 0.1;
  worker.publish(channel, "m3");
  // Half as many as before: it waits for the other, for half of what its own part took.
  for (let look = 0; look < 3; look++) await Bun.sleep(2);
  expect(socket.take()).toEqual([]);
  worker.publish(channel, "m4");
  await sent();
  expect(socket.take()).toEqual(messages(channel, 3, "m3", "m4"));
  clock.ms = worker.local(channel).restUntilMs + 1.4;
  worker.publish(channel, "m5");
  for (let look = 0; look < 3; look++) await Bun.sleep(2);
  expect(socket.take()).toEqual([]);
  clock.ms += 0.2;
  await sent();
  expect(socket.take()).toEqual(messages(channel, 5, "m5"));
  other.stop();
});

/** A WebSocket that takes 1.5 ms a message, and two streams on another worker. */
async function withOthers() {
  const other = new TestWorker(store);
  for (let i = 0; i < 2; i++) joinStream(other, PLAIN, [channel]);
  const socket = joinSocket(worker, PLAIN, [channel]);
  await turns();
  const clock = { ms: performance.now() };
  worker.fanout.standing.nowMs = () => clock.ms;
  socket.onSend = () => {
    clock.ms += 1.5;
  };
  const sent = async (): Promise<void> => {
    await until("it is sent", () => socket.frames.length > 0);
    await turns();
  };
  return { other, clock, socket, sent };
}

test("a pump that was stopped does nothing more", async () => {
  const stream = joinStream(worker, PLAIN, [channel]);
  worker.publish(channel, "m1");
  worker.stop();
  await turns();
  worker.publish(channel, "m2");
  await turns();
  expect(stream.take()).toEqual([]);
});
