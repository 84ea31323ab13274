/**
 * Idempotency-Key on the compiled binary, two workers: the same message with the same key is there once,
 * whoever sends it how often, to which worker, and whoever is killed meanwhile; the module's answers are as
 * without it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Packr } from "msgpackr/pack";
import { RawConnection } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const packr = new Packr({ useRecords: false });
const OWN = "application/vnd.sluice+json";
let server: RunningServer;

beforeAll(async () => {
  server = await startServer({ toml: layout("", { poll: 'message_template = "~text~;"' }) });
});
afterAll(async () => {
  await server.stop();
});

const post = (channel: string, body: string, key: string | null, headers: Record<string, string> = {}) =>
  server.publish(channel, body, { ...headers, ...(key === null ? {} : { "Idempotency-Key": key }) });
const own = async (channel: string, body: string, key: string | null) => {
  const { status, text, headers } = await post(channel, body, key, { Accept: OWN });
  expect([status, headers.get("content-type")]).toEqual([200, OWN]);
  return JSON.parse(text);
};
const stored = async (channel: string): Promise<string> =>
  (await server.request(`/poll/${channel}.b500`)).text;

test("the position of a publish, and the first again with its key, in JSON and MessagePack", async () => {
  const first = await own("a", "1", "k");
  expect(first).toEqual({ position: expect.stringMatching(/^[0-9a-z]+-\d+$/) });
  expect(await own("a", "1", "k")).toEqual({ ...first, duplicate: true });
  expect(await own("a", "1", "l")).not.toEqual(first);
  const several = await own("a/b", "1", "k");
  expect(several).toEqual({ positions: [first.position, expect.any(String)] });
  expect(await own("a/b", "1", "k")).toEqual({ ...several, duplicate: true });
  const answer = await fetch(`${server.url}/pub?id=a`, {
    method: "POST",
    body: "1",
    headers: { Accept: "application/vnd.sluice+msgpack", "Idempotency-Key": "k" },
  });
  expect(packr.unpack(new Uint8Array(await answer.arrayBuffer()))).toEqual({ ...first, duplicate: true });
  expect([await stored("a"), await stored("b")]).toEqual(["1;1;", "1;"]);
});

test("another body, event id or type with the same key is refused, and nothing is published", async () => {
  await post("other", "1", "k", { "Event-Id": "i" });
  for (const [body, headers] of [
    ["2", { "Event-Id": "i" }],
    ["1", { "Event-Id": "j" }],
    ["1", {}],
    ["1", { "Event-Type": "i" }],
    ["1", { "Event-Id": "i", "Event-Type": "" }],
  ] as const) {
    const { status, headers: told } = await post("other", body, "k", headers);
    expect([status, told.get("x-nginx-pushstream-explain")]).toEqual([
      409,
      "The idempotency key came with another message before.",
    ]);
  }
  expect(await stored("other")).toBe("1;");
});

test("the module's answer is the same to the byte with a key, for the first and all others", async () => {
  const answers: string[] = [];
  for (const lines of ["", "Idempotency-Key: k\r\n", "Idempotency-Key: k\r\n"]) {
    const channel = lines === "" ? "plain" : "keyed";
    const connection = await RawConnection.open(server.port);
    connection.send(`POST /pub?id=${channel} HTTP/1.1\r\nHost: x\r\n${lines}Content-Length: 1\r\n\r\nx`);
    const { text, body } = await connection.answer();
    answers.push(
      `${text.replace(/^Date: .*$/m, "")}${body}`.replaceAll(channel, "_").replace(/: ?\d+\r/g, ""),
    );
    connection.close();
  }
  expect(answers[1]).toBe(answers[2] ?? "");
  expect(answers[0]).toBe(answers[1] ?? "");
});

test("a key of any bytes is compared byte by byte, and is of its channel", async () => {
  for (const key of ['"k"', "k", "K", "\u00e9", "x".repeat(256)]) await post("bytes", "x", key);
  await post("bytes", "x", "\u00e9");
  expect(await stored("bytes")).toBe("x;".repeat(5));
});

test("the same key at once on both workers: one message each time", async () => {
  const connections = await Promise.all(Array.from({ length: 16 }, () => RawConnection.open(server.port)));
  const before = await server.metric("sluice_duplicate_messages_total");
  const rounds = 60;
  const told = new Map<string, number>();
  for (let round = 0; round < rounds; round++) {
    const headers = { "Idempotency-Key": `round ${round}`, Accept: OWN };
    for (const connection of connections)
      connection.request("/pub?id=race", { method: "POST", body: `r${round}`, headers });
    const answers = await Promise.all(connections.map((connection) => connection.answer()));
    const bodies = answers.map(({ body }) => JSON.parse(body.toString()));
    expect(bodies.filter(({ duplicate }) => duplicate !== true)).toHaveLength(1);
    for (const { position } of bodies) told.set(position, (told.get(position) ?? 0) + 1);
  }
  for (const connection of connections) connection.close();
  expect([...told.values()]).toEqual(Array.from({ length: rounds }, () => 16));
  expect(await stored("race")).toBe(Array.from({ length: rounds }, (_, at) => `r${at};`).join(""));
  expect((await server.metric("sluice_duplicate_messages_total")) - before).toBe(rounds * 15);
  // It proves nothing if one worker had them all.
  const lines =
    (await server.request("/metrics")).text.match(/^sluice_duplicate_messages_total\{.*$/gm) ?? [];
  expect(lines.filter((line) => !line.endsWith(" 0"))).toHaveLength(2);
});

test("publishers that try again while workers are killed: each message is there once", async () => {
  const messages = Array.from({ length: 300 }, (_, at) => `m${at}`);
  const send = async (message: string): Promise<void> => {
    for (;;) {
      try {
        if ((await post("killed", message, message)).status === 200) return;
      } catch {
        // The worker died with the connection.
      }
      await Bun.sleep(2);
    }
  };
  let isOver = false;
  const killing = (async () => {
    for (let killed = 0; killed < 3 && !isOver; killed++) {
      await until("two workers", async () => {
        const pids = await server.workerPids().catch(() => []);
        if (pids.length < 2) return false;
        process.kill(pids[killed % 2] ?? 0, "SIGKILL");
        return true;
      });
      await Bun.sleep(20);
    }
  })();
  const lanes = Array.from({ length: 10 }, async (_, lane) => {
    for (const message of messages.slice(lane * 30, lane * 30 + 30)) {
      await send(message);
      await send(message);
    }
  });
  await Promise.all(lanes);
  isOver = true;
  await killing;
  const found = (await stored("killed")).split(";").filter((text) => text !== "");
  expect(found.sort()).toEqual(messages.sort());
});

test('sync = "each": positions are told when the disk has the messages, by HTTP and WebSocket', async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-each-"));
  const store = `[store]\npath = "${folder}/store"\nsync = "each"\nsize = "4MiB"`;
  const each = await startServer({
    toml: layout(store, { ws: "websocket_allow_publish = true" }),
    workers: 1,
  });
  const headers = { Accept: OWN, "Idempotency-Key": "k" };
  const posted = await each.publish("disk", "1", headers);
  const again = await each.publish("disk", "1", headers);
  expect(JSON.parse(again.text)).toEqual({ ...JSON.parse(posted.text), duplicate: true });
  const socket = await RawWebSocket.open(each.port, "/ws/disk", {
    "Sec-WebSocket-Protocol": "sluice.json.v1",
  });
  expect(await socket.text()).toContain("hello");
  for (let ref = 1; ref <= 20; ref++)
    socket.sendFrame(Opcode.TEXT, JSON.stringify({ kind: "publish", ref, data: `m${ref}` }));
  const told: number[] = [];
  while (told.length < 20) {
    const { kind, ref } = JSON.parse(await socket.text());
    if (kind === "published") told.push(ref);
  }
  expect(told).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
  socket.close();
  await each.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("keys are remembered over a restart, and after everybody was killed", async () => {
  const first = await own("kept", "1", "k");
  const { folder, port } = server;
  await server.stop(true);
  server = await startServer({ folder, port, toml: layout("", { poll: 'message_template = "~text~;"' }) });
  expect(await own("kept", "1", "k")).toEqual({ ...first, duplicate: true });
  await post("kept", "2", "l");
  for (const pid of [server.process.pid, ...(await server.workerPids())]) process.kill(pid, "SIGKILL");
  await server.process.exited;
  server = await startServer({ folder, port, toml: layout("", { poll: 'message_template = "~text~;"' }) });
  expect(await own("kept", "2", "l")).toMatchObject({ duplicate: true });
  expect(await stored("kept")).toBe("1;2;");
});
