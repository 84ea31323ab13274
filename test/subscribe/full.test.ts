/**
 * A store with no room for another channel: push-stream spec 4.1 (6), 4.13.6, 6.5, with 503 in place of 500.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { expectAntiCache } from "../binary/answer-checks.ts";
import { ask } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";

let server: RunningServer;

beforeAll(async () => {
  server = await startServer({ toml: layout("[store]\nchannels = 1"), workers: 1 });
  await server.publish("only", "x");
});
afterAll(async () => {
  await server.stop();
});

test.each(["/sub", "/ev", "/lp"])("%s: 503, to be tried again", async (path) => {
  const answer = await ask(server.port, `${path}/another`);
  expect([answer.status, answer.fields.get("retry-after")]).toEqual([503, "1"]);
  expect(answer.fields.get("x-nginx-pushstream-explain")).toBe("No room for another channel.");
  expect(answer.fields.get("content-length")).toBe("0");
  expect(answer.fields.has("content-type")).toBeFalse();
  expectAntiCache(answer);
});

test("a poll needs none: there is nothing", async () => {
  expect((await ask(server.port, "/poll/another")).status).toBe(304);
  expect((await ask(server.port, "/poll/only.b1/another")).body.toString()).toBe("x");
});

test("websocket: a close frame with 503", async () => {
  const socket = await RawWebSocket.open(server.port, "/ws/another");
  const { bytes } = await socket.frame();
  expect(bytes.subarray(2).toString("latin1")).toBe(
    '\x03\xf5{"http_status": 503, "explain":"No room for another channel."}',
  );
  socket.close();
});
