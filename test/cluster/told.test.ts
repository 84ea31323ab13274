/**
 * A lost tail as each kind of subscriber hears of it: the engine is emptied, and everybody who had a message
 * is told, once, before the next.
 */
import { describe, expect, test } from "bun:test";
import { until } from "../binary/running-server.ts";
import { hasRedis } from "./engine.ts";
import { Reader } from "./reader.ts";
import { World } from "./world.ts";

describe.if(hasRedis)("a lost tail", () => {
  test("is told to streams, sockets and polls, on both nodes, and to those who come back", async () => {
    const world = await World.start(2);
    const [first, second] = [world.node(0), world.node(1)];
    const streams = [await new Reader("room", first).start(), await new Reader("room/other", second).start()];
    const gone = await new Reader("room", first).start();
    const framed = framesOf(`ws://127.0.0.1:${second.port}/ws/room`, "sluice.json.v1");
    const plain = framesOf(`ws://127.0.0.1:${first.port}/ws/room`);
    await until("the sockets", () =>
      [framed, plain].every(({ socket }) => socket.readyState === WebSocket.OPEN),
    );
    for (const text of ["m1", "m2", "m3"]) await first.publish("room", text);
    await until("all to have them", () => [...streams, gone].every(({ texts }) => texts.length === 3));
    await until("the sockets to have them", () => framed.frames.length === 3 && plain.frames.length === 3);
    await gone.stop();
    const polled = await second.request("/poll/room.b3");
    const headers = {
      "If-Modified-Since": polled.headers.get("last-modified") ?? "",
      "If-None-Match": polled.headers.get("etag") ?? "",
    };
    const held = second.request("/lp/room", { headers });
    await until("the poll to wait", async () => (await second.statistics("room")).subscribers === 5);

    await world.engine.call("FLUSHALL");
    await world.works();
    await until("the streams to be told, though nothing came", () => streams.every(({ gaps }) => gaps === 1));
    await first.publish("room", "m4");
    await until("the next", () => streams.every(({ texts }) => texts.at(-1) === "m4"));
    for (const { seen, gaps } of streams) {
      expect(gaps).toBe(1);
      expect(seen.map((one) => (one.kind === "gap" ? one.missed : one.text))).toEqual([
        "m1",
        "m2",
        "m3",
        null,
        "m4",
      ]);
    }
    await until("the frame", () => framed.frames.length === 5);
    const kinds = framed.frames.map((frame) => JSON.parse(frame));
    expect(kinds.map(({ kind, missed, data }) => (kind === "gap" ? missed : data))).toEqual([
      "m1",
      "m2",
      "m3",
      null,
      "m4",
    ]);
    await until("the end of the plain one", () => plain.closed !== 0);
    expect(plain.closed).toBe(1013);
    const answer = await held;
    expect([answer.text, answer.headers.get("sluice-gap")]).toEqual(["m4", "room=unknown"]);
    const late = await second.request("/poll/room", { headers });
    expect([late.text, late.headers.get("sluice-gap")]).toEqual(["m4", "room=unknown"]);
    await gone.move(second);
    await until("who was away to be told", () => gone.texts.at(-1) === "m4");
    expect(gone.seen.map((one) => (one.kind === "gap" ? one.missed : one.text))).toEqual([
      "m1",
      "m2",
      "m3",
      null,
      "m4",
    ]);
    for (const reader of [...streams, gone]) await reader.stop();
    framed.socket.close();
    await world.stop();
  }, 30_000);
});

function framesOf(url: string, protocol?: string) {
  const socket = new WebSocket(url, protocol === undefined ? [] : [protocol]);
  const one = { socket, frames: [] as string[], closed: 0 };
  socket.onmessage = ({ data }) => {
    // Not what the subprotocol says of itself when it begins.
    if (protocol === undefined || /^\{"kind":"(message|gap)"/.test(String(data)))
      one.frames.push(String(data));
  };
  socket.onclose = ({ code }) => {
    one.closed = code;
  };
  return one;
}
