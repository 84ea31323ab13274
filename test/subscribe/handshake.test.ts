/**
 * What the handshake of a WebSocket has beyond push-stream spec 4.13 (which test/nginx/web-socket.test.ts
 * holds): subprotocols, and refusals as those that chose one are told of them.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { HANDSHAKE, RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";

const config =
  layout("[limits]\nmax_channel_id_length = 12", { ws: 'header_template = "HEADER"' }) +
  `
[[location]]
match = "~ ^/known/(.*)$"
subscriber = "websocket"
channels_path = "$1"
authorized_channels_only = true
`;

let server: RunningServer;
let channels = 0;
const fresh = (): string => `h${++channels}`;

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

test.each([
  ["sluice.json.v1", "sluice.json.v1"],
  ["sluice.msgpack.v1", "sluice.msgpack.v1"],
  ["unknown, sluice.msgpack.v1, sluice.json.v1", "sluice.msgpack.v1"],
  ["sluice.json.v1,sluice.msgpack.v1", "sluice.json.v1"],
  ["unknown", undefined],
  ["SLUICE.JSON.V1", undefined],
  ["sluice.json.v10", undefined],
  ["chat, superchat", undefined],
])("Sec-WebSocket-Protocol: %s", async (offered, chosen) => {
  const socket = await RawWebSocket.open(server.port, `/ws/${fresh()}`, {
    "Sec-WebSocket-Protocol": offered,
  });
  expect(socket.head.fields.get("sec-websocket-protocol")).toBe(chosen);
  socket.close();
});

describe("what is no handshake", () => {
  test.each([
    ["a key that is none", { "Sec-WebSocket-Key": "abc" }, 400],
    ["another upgrade", { Upgrade: "h2c" }, 426],
  ])("%s", async (_name, headers, status) => {
    const answer = await ask(server.port, "/ws/a", { headers: { ...HANDSHAKE, ...headers } });
    expect([answer.status, answer.body.length]).toEqual([status, 0]);
  });
});

describe("refusals come after the 101, in a close frame (4.13.6)", () => {
  const long = "x".repeat(13);
  test.each([
    ["/ws/ALL", 403, "Channel id not authorized for this method."],
    ["/ws/a/b*c", 403, "Channel id not authorized for this method."],
    [`/ws/${long}`, 400, "Channel id is too large."],
    ["/known/nobody", 403, "Subscriber could not create channels."],
  ])("%s", async (path, status, explain) => {
    for (const protocol of [null, "sluice.json.v1", "sluice.msgpack.v1"]) {
      const headers: Record<string, string> = protocol === null ? {} : { "Sec-WebSocket-Protocol": protocol };
      const socket = await RawWebSocket.open(server.port, path, headers);
      const reason = `{"http_status": ${status}, "explain":"${explain}"}`;
      const { bytes } = await socket.frame();
      // No header template, no hello: the first thing said is why not.
      expect(bytes).toEqual(
        Buffer.from(`\x88${String.fromCharCode(reason.length + 2)}\x03\xf0${reason}`, "latin1"),
      );
      expect((await socket.connection.untilEnd()).length).toBe(0);
    }
  });

  test("no channel at all: dropped without a frame; a sluice protocol says why (4.13.3)", async () => {
    const dialect = await RawWebSocket.open(server.port, "/ws/");
    expect((await dialect.connection.untilEnd()).length).toBe(0);
    const ours = await RawWebSocket.open(server.port, "/ws/", { "Sec-WebSocket-Protocol": "sluice.json.v1" });
    expect((await ours.frame()).bytes.subarray(4).toString()).toBe(
      '{"http_status": 400, "explain":"No channel id provided."}',
    );
    ours.close();
  });

  test("the golden frame: 88 49 03 F0 and 71 bytes (A.2)", async () => {
    const socket = await RawWebSocket.open(server.port, "/known/nobody");
    const { bytes } = await socket.frame();
    expect(bytes.subarray(0, 4).toString("hex")).toBe("884903f0");
    expect(bytes.length).toBe(4 + 71);
    socket.close();
  });

  test("a refused socket made no channel and is not counted", async () => {
    const before = (await server.summary()).subscribers;
    const socket = await RawWebSocket.open(server.port, "/ws/notmade/ALL");
    await socket.connection.untilEnd();
    expect((await ask(server.port, "/channels-stats?id=notmade")).status).toBe(404);
    expect((await server.summary()).subscribers).toBe(before);
  });
});

test("authorized_channels_only lets in who names a channel with a stored message", async () => {
  const channel = fresh();
  await server.publish(channel, "stored");
  const socket = await RawWebSocket.open(server.port, `/known/${channel}.b1`);
  expect(await socket.text()).toBe("stored");
  socket.close();
});

test("frames that come with the handshake request are heard", async () => {
  const channel = fresh();
  const connection = await RawConnection.open(server.port);
  const lines = Object.entries({ Host: "x", ...HANDSHAKE }).map(([name, value]) => `${name}: ${value}\r\n`);
  connection.send(`GET /ws/${channel} HTTP/1.1\r\n${lines.join("")}\r\n\x89\x80\x00\x00\x00\x00`);
  expect((await connection.head()).status).toBe(101);
  expect((await connection.read(10)).toString("latin1")).toBe("\x81\x06HEADER\x8a\x00");
  connection.close();
});
