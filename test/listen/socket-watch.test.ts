/**
 * Deadlines of WebSockets, at times that are said: who takes nothing, who says nothing. With real clients:
 * binary/stalled-connections.
 */
import { expect, test } from "bun:test";
import { SocketLife } from "../../src/http/socket-life.ts";
import type { NativePeer, NativeSocket } from "../../src/listen/socket-handlers.ts";
import { SocketWatch } from "../../src/listen/socket-watch.ts";

/** What the watch needs of a socket, and what it did to it. */
function newSocket(mayBeSilent = false) {
  const told: string[] = [];
  const peer: NativePeer = Object.assign(new SocketLife(), {
    mayBeSilent,
    opened: () => undefined,
    message: () => undefined,
    drained: () => undefined,
    closed: () => undefined,
    heard: () => undefined,
    stuck: () => told.push("stuck"),
  });
  const socket = {
    data: peer,
    unsent: 0,
    getBufferedAmount: () => socket.unsent,
    ping: () => told.push("ping"),
    terminate: () => told.push("end"),
  };
  // The other methods of Bun's are not called.
  return { socket: socket as typeof socket & NativeSocket, told };
}

const SILENCE_MS = 100_000;
const begin = (): { watch: SocketWatch; startMs: number } => ({
  watch: new SocketWatch(SILENCE_MS, 60_000),
  // Whole, or a minute later is a little less than a minute.
  startMs: Math.ceil(performance.now()) + 10,
});

test("who takes nothing for a minute is cut off, whoever takes something is not", () => {
  const { watch, startMs } = begin();
  const [stuck, slow, quick] = [newSocket(true), newSocket(true), newSocket(true)];
  for (const { socket } of [stuck, slow, quick]) watch.opened(socket);
  stuck.socket.unsent = 10;
  slow.socket.unsent = 10;
  for (let seconds = 0; seconds < 59; seconds++) watch.look(startMs + seconds * 1000);
  watch.drained(slow.socket);
  expect(stuck.told).toEqual([]);
  watch.look(startMs + 60_000);
  expect(stuck.told).toEqual(["stuck", "end"]);
  watch.closed(stuck.socket);
  for (let seconds = 60; seconds < 119; seconds++) watch.look(startMs + seconds * 1000);
  expect(slow.told).toEqual([]);
  expect(quick.told).toEqual([]);
});

test("who says nothing is pinged once, and cut off if that does not help", () => {
  const { watch, startMs } = begin();
  const [silent, polite, free] = [newSocket(), newSocket(), newSocket(true)];
  for (const { socket } of [silent, polite, free]) watch.opened(socket);
  for (let seconds = 0; seconds < 99; seconds++) {
    watch.look(startMs + seconds * 1000);
    if (polite.told.length > 0) watch.heard(polite.socket);
  }
  expect([silent.told, polite.told, free.told]).toEqual([["ping"], ["ping"], []]);
  watch.look(startMs + 101_000);
  expect([silent.told, polite.told, free.told]).toEqual([["ping", "end"], ["ping"], []]);
});

test("0 is for ever", () => {
  const watch = new SocketWatch(0, 60_000);
  const { socket, told } = newSocket();
  watch.opened(socket);
  watch.look(performance.now() + 1e9);
  expect(told).toEqual([]);
});

test("of many that come and go in any order, each that stays is watched, and none that went", () => {
  const { watch } = begin();
  const all = Array.from({ length: 50 }, () => newSocket());
  for (const { socket } of all) watch.opened(socket);
  const gone = all.filter((_, i) => (i * 7) % 3 === 0 || i > 45);
  for (const { socket } of gone) watch.closed(socket);
  // Bun says it once; a second time changes nothing.
  for (const { socket } of gone) watch.closed(socket);
  const back = gone.slice(0, 5);
  for (const { socket } of back) watch.opened(socket);
  watch.look(performance.now() + SILENCE_MS);
  for (const each of all) {
    const isHere = !gone.includes(each) || back.includes(each);
    expect(each.told).toEqual(isHere ? ["end"] : []);
  }
});
