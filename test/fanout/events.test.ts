/**
 * What a worker tells of its subscribers in the events channel (push-stream spec 7, A.3), and what those who
 * stand in that channel see.
 */
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { attachStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import { told as toldIn } from "../store/events-told.ts";
import { bytes, Channel, newStore, POLICY, pathOf, removeTempFolders } from "../store/fixture.ts";
import { joinPoll, joinSocket, joinStream, newSocket, PLAIN, TELLING, TestWorker } from "./fixture.ts";
import { turns } from "./test-stream.ts";

afterAll(removeTempFolders);

const POLICY_WITH_EVENTS = { ...POLICY, eventsChannel: bytes("X") };
const nowSec = (): number => Math.floor(Date.now() / 1000);

let store: Store;
let worker: TestWorker;
let a: Channel;
let b: Channel;
let x: Channel;
beforeEach(() => {
  store = newStore({ eventsChannel: bytes("X") }, { size: 512 * 1024 });
  worker = new TestWorker(store);
  [a, b, x] = [new Channel(store, "a", nowSec()), new Channel(store, "b", nowSec()), new Channel(store, "X")];
});
afterEach(() => {
  worker.stop();
  store.close();
});

/** "subscribed a": an event's name without its first word, and its channel. */
function shortly(body: string): string {
  const event = /\{"type": "[a-z]+_([a-z]+)", "channel": "(.*)"\}/.exec(body);
  return event === null ? body : `${event[1]} ${event[2]}`;
}

/** What was told after a and b were created. */
const told = (): string[] => toldIn(store, 2);

function remove(channel: Channel): void {
  store.deleteChannel(store.name(channel.index), bytes("bye"), Date.now());
  worker.fanout.published();
}

const CAME = ["subscribed a", "subscribed b"];
const LEFT = ["unsubscribed a", "unsubscribed b"];

describe("each subscription comes and goes, in path order", () => {
  test("a stream", () => {
    const stream = joinStream(worker, PLAIN, [a, b]);
    expect(told()).toEqual(CAME);
    worker.fanout.leaveStream(stream);
    expect(told()).toEqual([...CAME, ...LEFT]);
  });

  test("a WebSocket", () => {
    const socket = joinSocket(worker, PLAIN, [a, b]);
    expect(told()).toEqual(CAME);
    socket.close();
    expect(told()).toEqual([...CAME, ...LEFT]);
  });

  test("a waiting long poll, answered", async () => {
    const poll = joinPoll(worker, PLAIN, [a, b]);
    expect(told()).toEqual(CAME);
    worker.publish(b, "one");
    await turns();
    expect([poll.answers.length, told()]).toEqual([1, [...CAME, ...LEFT]]);
  });

  test("a stream that is too slow, and is closed", async () => {
    const stream = joinStream(worker, PLAIN, [a]);
    stream.sink.isFull = true;
    worker.publish(a, "one");
    await turns();
    worker.fanout.closeStuck(performance.now() + 61_000);
    expect([stream.isEnded, told()]).toEqual([true, ["subscribed a", "unsubscribed a"]]);
  });
});

describe("a deletion", () => {
  test("ends a subscription of every kind, before the channel is destroyed", async () => {
    joinStream(worker, PLAIN, [a]);
    joinSocket(worker, PLAIN, [a]);
    joinPoll(worker, PLAIN, [a]);
    remove(a);
    for (let sec = 2; sec < 6; sec++) store.sweep(Date.now() + sec * 1000);
    expect(told()).toEqual(Array(3).fill("subscribed a"));
    await turns();
    store.sweep(Date.now() + 7000);
    expect(told().slice(3)).toEqual([...Array(3).fill("unsubscribed a"), "destroyed a"]);
  });

  test("of one of two channels leaves the other subscription alone", async () => {
    const stream = joinStream(worker, PLAIN, [a, b]);
    remove(a);
    await turns();
    expect(told()).toEqual([...CAME, "unsubscribed a"]);
    worker.fanout.leaveStream(stream);
    expect(told()).toEqual([...CAME, ...LEFT]);
  });

  test("between admission and seat: whoever comes is told of as come and gone", async () => {
    const socket = newSocket(worker, PLAIN, [a, b]);
    remove(a);
    worker.fanout.joinTopics(socket);
    await turns();
    expect(told()).toEqual([...CAME, "unsubscribed a"]);
    expect(store.subscribers.countOf(a.index)).toBe(0);
  });

  test("that has come as far as the trash before the seat: not told of at all", async () => {
    const socket = newSocket(worker, PLAIN, [a, b]);
    remove(a);
    store.sweep(Date.now() + 3000);
    worker.fanout.joinTopics(socket);
    await turns();
    expect(told()).toEqual(["destroyed a", "subscribed b"]);
  });

  test("in two workers: destroyed when both have told theirs", async () => {
    const other = new TestWorker(attachStore(pathOf(store), POLICY_WITH_EVENTS));
    joinStream(worker, PLAIN, [a]);
    joinStream(other, PLAIN, [a]);
    // The other one sleeps, and its bell is ours to ring.
    await turns();
    remove(a);
    await turns();
    store.sweep(Date.now() + 3000);
    expect(told()).toEqual(["subscribed a", "subscribed a", "unsubscribed a"]);
    other.fanout.rung();
    await turns();
    store.sweep(Date.now() + 4000);
    expect(told().slice(3)).toEqual(["unsubscribed a", "destroyed a"]);
    other.stop();
  });
});

describe("who stands in the events channel", () => {
  test("is not told of itself", () => {
    const stream = joinStream(worker, PLAIN, [x]);
    joinSocket(worker, PLAIN, [x]).close();
    worker.fanout.leaveStream(stream);
    expect(told()).toEqual([]);
  });

  test("in others as well: its first message, after their old ones, is that it came there", async () => {
    a.append("old", true, Date.now());
    const stream = joinStream(worker, PLAIN, [x]);
    const both = newSocket(worker, PLAIN, [x, a], { after: 0 });
    for (const one of both.subscriptions) one.sentId = one.channel.index === x.index ? 2 : 0;
    worker.fanout.joinTopics(both);
    expect(both.frames.map((frame) => String(frame).split(" ")[3]?.trim())).toEqual(["old"]);
    await turns();
    expect(both.take().map((line) => shortly(line.replace(/^M \S+ \d+ /, "")))).toEqual([
      "old",
      "subscribed a",
    ]);
    expect(stream.take().map(shortly)).toEqual(["subscribed a"]);
  });

  test("a stream of both gets it in the same order", async () => {
    a.append("old", true, Date.now());
    const stream = joinStream(worker, PLAIN, [x, a], { after: 0 });
    await turns();
    const seen = stream.take().map((line) => shortly(line.replace(/^M \S+ \d+ /, "")));
    expect(seen).toEqual(["created a", "created b", "old", "subscribed a"]);
  });

  test("a waiting poll gets one event and is gone", async () => {
    const poll = joinPoll(worker, PLAIN, [x]);
    joinStream(worker, PLAIN, [a, b]);
    await turns();
    expect([poll.answers.map(shortly), store.subscribers.countOf(x.index)]).toEqual([["subscribed a"], 0]);
  });

  test("in another worker: is rung for events of creation, and of subscribers", async () => {
    const other = new TestWorker(attachStore(pathOf(store), POLICY_WITH_EVENTS));
    const stream = joinStream(other, PLAIN, [x]);
    await turns();
    for (const act of [() => store.open(bytes("new"), nowSec()), () => joinStream(worker, PLAIN, [a])]) {
      worker.rung.length = 0;
      act();
      expect(worker.rung).toEqual([other.slot]);
      other.fanout.rung();
      await turns();
    }
    expect(stream.take().map((line) => shortly(line.replace(/^M \S+ \d+ /, "")))).toEqual([
      "created new",
      "subscribed a",
    ]);
    other.stop();
  });
});

test("a connection that ends while it gets its old messages has come and gone", () => {
  a.append("old", true, Date.now());
  const socket = newSocket(worker, TELLING, [a, b], { after: 0 });
  socket.onSend = () => socket.close();
  worker.fanout.joinTopics(socket);
  expect(told()).toEqual([...CAME, ...LEFT]);
});
