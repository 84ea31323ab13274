/**
 * Which channels a request names: push-stream spec 3.1 to 3.5, seen through publisher, subscriber and
 * statistics.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { channelInfo, expectGroup, expectHeaderOnly, expectJson } from "../binary/answer-checks.ts";
import { ask, type RawAnswer } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

let server: RunningServer;
beforeAll(async () => {
  server = await startServer({ toml: layout('[store]\nmessage_ttl = "1h"') });
});
afterAll(async () => {
  await server.stop();
});

const publish = (id: string, body = "hello"): Promise<RawAnswer> =>
  ask(server.port, `/pub?id=${id}`, { method: "POST", body });
const info = (id: string): Promise<RawAnswer> => ask(server.port, `/pub?id=${id}`);
const poll = async (path: string): Promise<string> =>
  (await ask(server.port, `/poll/${path}`)).body.toString("latin1");

describe("parsing (3.3)", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["ch1", ["ch1"]],
    ["ch2.b3/ch3.b5/ch4", ["ch2", "ch3", "ch4"]],
    ["ch5/", ["ch5"]],
    ["room.b18.beautiful.b3", ["room.b18.beautiful"]],
    ["ch.b", ["ch.b"]],
    ["a.b10x/c", ["a.b10x", "c"]],
    ["a.b5.b6", ["a.b5"]],
    // An empty id beside others is dropped (12.3).
    ["/ch6", ["ch6"]],
    ["a1//b1", ["a1", "b1"]],
    ["x.b99999999999999999999", ["x"]],
    ["all", ["all"]],
    ["ALLx", ["ALLx"]],
    ["~channel~~text~", ["~channel~~text~"]],
    ["y%0a", ["y\\n"]],
  ];
  test.each(cases)("publishing to %s", async (path, names) => {
    const answer = await publish(path);
    const [only, second] = names;
    if (only !== undefined && second === undefined) expectJson(answer, channelInfo(only, 1, 1));
    else
      expectGroup(
        answer,
        names.map((name) => channelInfo(name, 1, 1)),
      );
  });

  test.each(["/", ".b3", "//"])("only empty ids, %s: the channel with the empty name", async (path) => {
    const before = await info("/");
    const published =
      before.status === 404 ? 0 : Number(/"published_messages": (\d+)/.exec(before.body.toString())?.[1]);
    const answer = await publish(path);
    expect(answer.status).toBe(200);
    expect((await info("/")).body.toString()).toContain('"channel": ""');
    expect((await info("/")).body.toString()).not.toContain(`"published_messages": ${published},`);
  });

  test("backtracks are per channel", async () => {
    for (const text of ["1", "2", "3"]) await publish("back1/back2", text);
    expect(await poll("back1.b2/back2.b1")).toBe("233");
    expect(await poll("back1.b9/back2")).toBe("123");
    expect(await poll("back1.b99999999999999999999")).toBe("123");
    expect(await poll("back1.b0")).toBe("");
  });
});

describe("any byte (3.1)", () => {
  // By argument every byte; "/" parts names, "*" is forbidden.
  const bytes = Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => byte !== 0x2f && byte !== 0x2a,
  );
  const escaped = (byte: number): string => `%${byte.toString(16).padStart(2, "0")}`;

  test("255 names that differ in one byte are 255 channels", async () => {
    for (const byte of bytes) {
      const answer = await publish(`byte-${escaped(byte)}`, `of ${byte}`);
      expect(answer.body.toString()).toContain('"published_messages": 1,');
    }
    for (const byte of bytes) {
      const answer = await info(`byte-${escaped(byte).toUpperCase()}`);
      expect(answer.body.toString()).toContain('"published_messages": 1,');
      // A path cannot hold NUL and what the location's match looks at.
      if (byte !== 0) expect(await poll(`byte-${escaped(byte)}.b1`)).toBe(`of ${byte}`);
    }
  });

  test("an answer is valid JSON whatever the name (12.3)", async () => {
    const name = `"\\<&\r\n\t\x01é`;
    const answer = await publish(encodeURIComponent(name));
    expect(JSON.parse(answer.body.toString()).channel).toBe(name);
    const all = await ask(server.port, "/channels-stats?id=ALL");
    expect(JSON.parse(all.body.toString()).infos.length).toBeGreaterThan(255);
  });

  test("plus is no blank, upper and lower case differ", async () => {
    for (const id of ["a+b", "a%20b", "A+b"]) {
      expect((await publish(id)).body.toString()).toContain('"published_messages": 1,');
    }
  });

  test.each(["native", "wire"])(
    "unescaped bytes are taken as they are by the %s listener",
    async (listener) => {
      const other = await startServer({
        toml: layout("", { sub: 'header_template = "-"' }),
        args: ["--listener", listener],
      });
      const { body } = await ask(other.port, "/pub?id=\xc3\xa9", { method: "POST", body: "hello" });
      expect(body.toString()).toContain('"published_messages": 1,');
      expect((await ask(other.port, "/pub?id=%c3%a9")).status).toBe(200);
      expect((await ask(other.port, "/pub?id=%c3%89")).status).toBe(404);
      await other.stop();
    },
  );
});

describe("names whose CRC-32 is the same are distinct channels (3.1)", () => {
  test.each([
    ["plumless", "buckeroo"],
    ["exhibiters", "schlager"],
    ["codding", "gnu"],
  ])("%s and %s", async (left, right) => {
    expect(Bun.hash.crc32(left)).toBe(Bun.hash.crc32(right));
    expectJson(await publish(left, "left"), channelInfo(left, 1, 1));
    expectJson(await publish(right, "right"), channelInfo(right, 1, 1));
    expect(await poll(`${left}.b9`)).toBe("left");
    expect(await poll(`${right}.b9`)).toBe("right");
  });
});

describe("limits (3.5, 3.8)", () => {
  let limited: RunningServer;
  beforeAll(async () => {
    const top =
      "[limits]\nmax_number_of_channels = 3\nmax_subscribers_per_channel = 1\nmax_channels_per_request = 4";
    limited = await startServer({ toml: layout(top, { sub: 'header_template = "HEADER"' }) });
  });
  afterAll(async () => {
    await limited.stop();
  });
  const send = (path: string, method = "GET") =>
    ask(limited.port, path, { method, ...(method === "POST" ? { body: "x" } : {}) });
  const EXCEEDED = { status: 403, explain: "Number of channels were exceeded." };
  const FULL = { status: 403, explain: "Subscribers limit per channel has been exceeded." };

  test("channels: beyond the limit both sides are refused, a deleted one makes room at once", async () => {
    expect((await send("/pub?id=n1/n2", "POST")).status).toBe(200);
    // Walked in order: n3 still fits and exists afterwards.
    expectHeaderOnly(await send("/pub?id=n1/n3/n4", "POST"), EXCEEDED);
    expect((await send("/pub?id=n3")).status).toBe(200);
    for (const path of ["/sub/n4", "/ev/n4", "/lp/n4", "/sub/n1/n4"])
      expectHeaderOnly(await send(path), EXCEEDED);
    const socket = await RawWebSocket.open(limited.port, "/ws/n4");
    const { payload } = await socket.frame();
    expect(payload.subarray(2).toString()).toBe(
      '{"http_status": 403, "explain":"Number of channels were exceeded."}',
    );
    socket.close();
    expect((await send("/pub?id=n1", "POST")).status).toBe(200);
    expect((await send("/pub?id=n1", "DELETE")).status).toBe(200);
    expect((await send("/pub?id=n4", "POST")).status).toBe(200);
    expectHeaderOnly(await send("/pub?id=n1", "POST"), EXCEEDED);
  });

  test("subscribers: the second is refused on every transport, polls included", async () => {
    const first = await RawWebSocket.open(limited.port, "/ws/n2");
    expect((await send("/channels-stats?id=n2")).body.toString()).toContain('"subscribers": 1}');
    for (const path of ["/sub/n2", "/ev/n3/n2", "/lp/n2", "/poll/n2"])
      expectHeaderOnly(await send(path), FULL);
    const socket = await RawWebSocket.open(limited.port, "/ws/n2");
    const { payload } = await socket.frame();
    expect(payload.subarray(2).toString()).toBe(
      '{"http_status": 403, "explain":"Subscribers limit per channel has been exceeded."}',
    );
    socket.close();
    first.sendFrame(8);
    await first.frame();
    // Bun answers a client's close before it tells us, so another worker may count the place for some
    // microseconds more (5.6 holds where the server closes: test/nginx/web-socket.test.ts).
    const isFree = async () =>
      (await send("/channels-stats?id=n2")).body.toString().includes('"subscribers": 0}');
    await until("the place is free", isFree);
    const next = await RawWebSocket.open(limited.port, "/ws/n2");
    expect((await send("/channels-stats?id=n2")).body.toString()).toContain('"subscribers": 1}');
    next.close();
  });
});
