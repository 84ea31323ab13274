/**
 * `traceparent` of a publish on the compiled binary, by both listeners: from wherever it comes it is kept
 * with the message and given to frames, handlers, webhooks' receivers and the access log; what is no
 * traceparent is as if it were not there.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Packr } from "msgpackr/pack";
import { type RunningServer, until } from "../binary/running-server.ts";
import { removeFolders, startHandlers } from "../handlers/handler-server.ts";

const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
const NONE = [
  "",
  "00",
  `${TRACE}-what`,
  TRACE.toUpperCase(),
  TRACE.replace("00-", "ff-"),
  TRACE.replace("-", "_"),
  `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
  `00-4bf92f3577b34da6a3ce929d0e0e4736-${"0".repeat(16)}-01`,
  `${TRACE.slice(0, -1)}g`,
];

const HOOK = `
export const onPublish = ({ text, traceparent }) =>
  text === "ask" ? { data: String(traceparent), eventType: "changed" } : undefined;`;
const RELAY = `
export default async (context) => {
  for await (const { text, traceparent } of context.subscribe("from", { last: 1 })) {
    await context.publish("to", text, { traceparent });
    await context.publish([{ channel: "to", data: "listed " + text, traceparent }]);
    return String(traceparent);
  }
};`;
const TOML = `
log_format = ["traced $request_uri [$http_traceparent]"]
[[location]]
match = "~ ^/(pub|hooked)$"
publisher = "admin"
channels_path = "$arg_id"
store_messages = true
access_log = ["ACCESS_LOG traced"]
[[location]]
match = "= /asked"
publisher = "normal"
channels_path = "$arg_id"
store_messages = true
hooks = "hook.ts"
[[location]]
match = "= /relay"
handler = "relay.ts"
[[location]]
match = "~ ^/(?:ws|asked-ws)/(.*)$"
subscriber = "websocket"
channels_path = "$1"
store_messages = true
websocket_allow_publish = true
[[location]]
match = "~ ^/hooked-ws/(.*)$"
subscriber = "websocket"
channels_path = "$1"
store_messages = true
websocket_allow_publish = true
hooks = "hook.ts"
[[location]]
match = "~ ^/ev/(.*)$"
subscriber = "eventsource"
channels_path = "$1"
[[location]]
match = "~ ^/lp/(.*)$"
subscriber = "long-polling"
channels_path = "$1"
`;

type Frame = Readonly<Record<string, unknown>>;
const packr = new Packr({ useRecords: false });

describe.each(["native", "wire"] as const)("%s listener", (listener) => {
  const accessLog = join(tmpdir(), `sluice-traces-${listener}-${process.pid}.log`);
  let server: RunningServer;
  beforeAll(async () => {
    const files = { "hook.ts": HOOK, "relay.ts": RELAY };
    server = await startHandlers(
      { workers: 2, listener },
      { files, toml: TOML.replace("ACCESS_LOG", accessLog) },
    );
  });
  afterAll(async () => {
    await server.stop();
    removeFolders();
    rmSync(accessLog, { force: true });
  });

  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    server.request(path, { method: "POST", body, headers });
  /** What is stored, as frames of a poll. */
  const stored = async (channel: string): Promise<Frame[]> => {
    const { text } = await server.request(`/lp/${channel}.b50?sluice_positions=`);
    const frames = text.split("\n").filter((line) => line.startsWith("data: "));
    return frames.map((line) => JSON.parse(line.slice(6))).filter(({ kind }) => kind === "message");
  };
  const traces = async (channel: string) =>
    (await stored(channel)).map(({ data, traceparent }) => [data, traceparent]);

  test("of a POST it is in every frame, live and replayed, and nothing else changes", async () => {
    const protocols = ["sluice.json.v1", "sluice.msgpack.v1"];
    const seen = protocols.map(() => [] as Frame[]);
    const sockets = protocols.map((protocol, at) => {
      const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws/a`, protocol);
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) =>
        seen[at]?.push(typeof data === "string" ? JSON.parse(data) : packr.unpack(new Uint8Array(data)));
      return socket;
    });
    await until("the sockets", () => seen.every((frames) => frames[0]?.["kind"] === "hello"));
    const names = { "Event-Id": "i", "Event-Type": "t" };
    await post("/pub?id=a/b", "one", { traceparent: TRACE, ...names });
    await post("/pub?id=a/b", "x".repeat(3000), { Traceparent: OTHER });
    await post("/pub?id=a/b", "three");
    await post("/pub?id=a/b", "four", { traceparent: TRACE, "Idempotency-Key": "k" });
    await until("all frames", () => seen.every((frames) => frames.length === 5));
    for (const frames of seen)
      expect(frames.slice(1).map((frame) => frame["traceparent"])).toEqual([TRACE, OTHER, undefined, TRACE]);
    expect(await stored("b")).toEqual(
      (seen[0] ?? []).slice(1).map((frame) => ({
        ...frame,
        channel: "b",
        position: expect.any(String),
        tag: expect.any(Number),
      })),
    );
    expect(seen[0]?.[1]).toMatchObject({ data: "one", event_id: "i", event_type: "t" });
    for (const socket of sockets) socket.close();
    // An event source of the dialect has no place for it.
    const response = await fetch(`${server.url}/ev/a.b2`);
    const { value } = (await response.body?.getReader().read()) ?? {};
    expect(new TextDecoder().decode(value)).not.toContain(TRACE);
  });

  test("what is none is dropped, and the message taken", async () => {
    for (const none of NONE) {
      const { status } = await post("/pub?id=none", "x", none === "" ? {} : { traceparent: none });
      expect(status).toBe(200);
    }
    expect(await traces("none")).toEqual(NONE.map(() => ["x", undefined]));
  });

  test("a line of a batch has its own, or that of the request", async () => {
    const lines = [
      { channel: "lines", data: "own", traceparent: OTHER },
      { channel: "lines", data: "of all" },
      { channel: "lines", data: "bad", traceparent: "00" },
    ];
    const body = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    const type = { "Content-Type": "application/x-ndjson" };
    for (const path of ["/pub", "/asked"]) await post(path, body, { ...type, traceparent: TRACE });
    await post("/pub", body, type);
    const ofAll = [
      ["own", OTHER],
      ["of all", TRACE],
      ["bad", TRACE],
    ];
    const alone = [
      ["own", OTHER],
      ["of all", undefined],
      ["bad", undefined],
    ];
    expect(await traces("lines")).toEqual([...ofAll, ...ofAll, ...alone]);
  });

  test("a frame of a WebSocket has its own, with a hook and without", async () => {
    for (const path of ["ws", "hooked-ws"]) {
      const socket = new WebSocket(`${server.url.replace("http", "ws")}/${path}/f`, "sluice.json.v1");
      const told: Frame[] = [];
      socket.onmessage = ({ data }) => told.push(JSON.parse(String(data)));
      await until("the socket", () => told.length === 1);
      for (const frame of [
        { data: "ask", traceparent: TRACE },
        { data: "plain" },
        { data: "ask", traceparent: 7 },
      ])
        socket.send(JSON.stringify({ kind: "publish", ref: 1, ...frame }));
      await until("the answers", () => told.filter(({ kind }) => kind === "published").length === 3);
      socket.close();
    }
    expect(await traces("f")).toEqual([
      ["ask", TRACE],
      ["plain", undefined],
      ["ask", undefined],
      [TRACE, TRACE],
      ["plain", undefined],
      ["null", undefined],
    ]);
  });

  test("a hook and a handler that subscribes are given it, and a handler can hand it on", async () => {
    await post("/asked?id=asked", "ask", { traceparent: TRACE });
    expect(await traces("asked")).toEqual([[TRACE, TRACE]]);
    await post("/pub?id=from", "it", { traceparent: OTHER });
    expect((await server.request("/relay")).text).toBe(OTHER);
    expect(await traces("to")).toEqual([
      ["it", OTHER],
      ["listed it", OTHER],
    ]);
  });

  test("the access log has it as $http_traceparent", async () => {
    await post("/pub?id=logged", "x", { traceparent: TRACE });
    await until("the line", () => readFileSync(accessLog, "utf8").includes(`/pub?id=logged [${TRACE}]`));
  });
});
