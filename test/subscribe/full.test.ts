/** A store with no room for another channel: push-stream spec 0.7, 4.1 (6), 4.13.6, 6.5. */
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

test.each(["/sub", "/ev", "/lp", "/poll"])("%s: 500, explained with nothing", async (path) => {
  const answer = await ask(server.port, `${path}/another`);
  expect(answer.status).toBe(500);
  expect(answer.fields.get("x-nginx-pushstream-explain")).toBe("");
  expect(answer.fields.get("content-length")).toBe("0");
  expect(answer.fields.has("content-type")).toBeFalse();
  expectAntiCache(answer);
});

test("websocket: a close frame with 500", async () => {
  const socket = await RawWebSocket.open(server.port, "/ws/another");
  const { bytes } = await socket.frame();
  expect(bytes.subarray(2).toString("latin1")).toBe('\x03\xf0{"http_status": 500, "explain":""}');
  socket.close();
});
