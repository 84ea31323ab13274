/**
 * Statistics locations: push-stream spec 5.1 to 5.6, over raw sockets on the compiled binary. The bytes of
 * each format: test/wire.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hostname } from "node:os";
import {
  channelInfo,
  expectAntiCache,
  expectGroup,
  expectHeaderOnly,
  expectJson,
} from "../binary/answer-checks.ts";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";

const config =
  layout("[limits]\nmax_channel_id_length = 20\n[store]\nmax_messages_stored_per_channel = 3") +
  '\n[[location]]\nmatch = "= /live"\npublisher = "normal"\nchannels_path = "$arg_id"\n';

let server: RunningServer;
let channels = 0;
const fresh = (): string => `t${++channels}`;
const stats = (query = "", headers: Record<string, string> = {}) =>
  ask(server.port, `/channels-stats${query}`, { headers });

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

describe("requests (5.1)", () => {
  test.each(["HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"])("%s: 405", async (method) => {
    const answer = await ask(server.port, "/channels-stats?id=ALL", { method });
    expectHeaderOnly(answer, { status: 405, allow: "GET" });
    expectAntiCache(answer);
    expect(answer.fields.has("x-nginx-pushstream-tag")).toBeFalse();
    expect(answer.fields.has("x-nginx-pushstream-commit")).toBeFalse();
  });

  test("every answer to GET says which server it is", async () => {
    for (const query of ["", "?id=ALL", "?id=nobody", `?id=${"x".repeat(21)}`]) {
      const { fields } = await stats(query);
      expect(fields.get("x-nginx-pushstream-tag")).toMatch(/^\d+\.\d+\.\d+/);
      expect(fields.get("x-nginx-pushstream-commit")).toMatch(/^\w+$/);
    }
    expect((await ask(server.port, "/pub?id=nobody")).fields.has("x-nginx-pushstream-tag")).toBeFalse();
  });

  test("nobody there: 404, header-only", async () => {
    const answer = await stats("?id=nobody/b.b3");
    expectHeaderOnly(answer, { status: 404 });
    expectAntiCache(answer);
  });

  test.each([`?id=${"x".repeat(21)}`, `?id=a/${"x".repeat(21)}.b1`])("%s: 400", async (query) => {
    const answer = await stats(query);
    expectHeaderOnly(answer, { status: 400, explain: "Channel id is too large." });
    expectAntiCache(answer);
  });

  test("one, several in request order, missing ones skipped, backtracks ignored", async () => {
    const [first, second] = [fresh(), fresh()];
    await server.publish(`${first}/${second}`, "x");
    await server.publish(second, "x");
    expectJson(await stats(`?id=${second}.b7`), channelInfo(second, 2, 2));
    expectJson(await stats(`?id=nobody/${first}`), channelInfo(first, 1, 1));
    expectGroup(await stats(`?id=${second}/nobody/${first}`), [
      channelInfo(second, 2, 2),
      channelInfo(first, 1, 1),
    ]);
  });

  test("ALL and * list by creation, whatever else the path names", async () => {
    const names = [`z-${fresh()}`, `a-${fresh()}`, `z-${fresh()}`];
    for (const name of names) await server.publish(name, "x");
    const [z1 = "", a1 = "", z2 = ""] = names;
    const items = [z1, z2].map((name) => channelInfo(name, 1, 1));
    for (const query of ["?id=z-*", "?id=z-*ignored", "?id=nobody/z-*", `?id=${a1}/z-*/ALL`, "?id=%7a-%2A"])
      expectGroup(await stats(query), items);
    for (const query of ["?id=ALL", "?id=*", `?id=${a1}/ALL`, "?id=ALL/z-*", "?id=ALL.b3"]) {
      const infos = JSON.parse((await stats(query)).body.toString()).infos as { channel: string }[];
      expect(infos.map(({ channel }) => channel).slice(-3)).toEqual([z1, a1, z2]);
    }
    expectGroup(await stats(`?id=${z1}*`), [channelInfo(z1, 1, 1)]);
    // A group of nothing is a group.
    expectGroup(await stats("?id=nothing-like-it*"), []);
  });

  test("the first ALL or * decides before a later id is looked at, an earlier one counts", async () => {
    const tooLong = "x".repeat(21);
    expectGroup(await stats(`?id=nothing-like-it*/${tooLong}`), []);
    expectGroup(await stats(`?id=nothing-like-${tooLong}*`), []);
    expectHeaderOnly(await stats(`?id=${tooLong}/ALL`), { status: 400, explain: "Channel id is too large." });
    // Only the whole word, and only in capitals.
    for (const id of ["all", "ALLX", "AL"]) expectHeaderOnly(await stats(`?id=${id}`), { status: 404 });
  });

  test("more channels than one request may name: 400", async () => {
    const ids = (count: number): string => Array.from({ length: count }, (_, i) => `n${i}`).join("/");
    expectHeaderOnly(await stats(`?id=${ids(100)}`), { status: 404 });
    const answer = await stats(`?id=${ids(101)}`);
    expectHeaderOnly(answer, { status: 400, explain: "Too many channels in one request." });
    expectAntiCache(answer);
    expect(answer.fields.has("x-nginx-pushstream-tag")).toBeTrue();
  });
});

describe("formats (5.2)", () => {
  const single = (id: string) => ({
    plain: `channel: ${id}\r\npublished_messages: 1\r\nstored_messages: 1\r\nactive_subscribers: 0\r\n`,
    json: channelInfo(id, 1, 1),
    yaml: `  channel: ${id}\r\n  published_messages: 1\r\n  stored_messages: 1\r\n  subscribers: 0\r\n`,
    xml:
      `<?xml version="1.0" encoding="UTF-8" ?>\r\n<channel>\r\n  <name>${id}</name>\r\n` +
      "  <published_messages>1</published_messages>\r\n  <stored_messages>1</stored_messages>\r\n" +
      "  <subscribers>0</subscribers>\r\n</channel>\r\n\r\n",
  });

  test.each([
    ["text/plain", "text/plain", "plain"],
    ["application/json", "application/json", "json"],
    ["application/yaml", "application/yaml", "yaml"],
    ["application/xml", "application/xml", "xml"],
    ["text/x-json", "text/x-json", "json"],
    ["text/x-yaml", "text/x-yaml", "yaml"],
    ["text/html", "application/json", "json"],
    ["*/*", "application/json", "json"],
    ["", "application/json", "json"],
    ["json", "application/json", "json"],
    ["text/html,application/xhtml+xml,application/xml;q=0.9", "application/xml", "xml"],
  ] as const)("Accept: %s", async (accept, type, format) => {
    const id = fresh();
    const headers = { Accept: accept };
    await server.publish(id, "x");
    // Publishers answer in the same formats (spec 5.1).
    for (const path of ["/channels-stats", "/pub"]) {
      const { fields, body } = await ask(server.port, `${path}?id=${id}`, { headers });
      expect(fields.get("content-type")).toBe(type);
      expect(fields.get("content-length")).toBe(String(body.length));
      expect(body.toString()).toBe(single(id)[format]);
    }
    const item = single(id)
      [format].replace(/^<\?xml.*\r\n/, "")
      .trimEnd();
    for (const query of ["?id=ALL", `?id=${id}*`, `?id=${id}/${id}`]) {
      const answer = await stats(query, headers);
      expectAntiCache(answer);
      expect(answer.fields.get("content-type")).toBe(type);
      expect(answer.body.toString()).toContain(item);
    }
    const summary = await stats("", headers);
    expect(summary.fields.get("content-type")).toBe(type);
    expect(summary.body.toString().match(/pid(?=\W)(?!>\r)/g)).toHaveLength(2);
  });

  test("several Accept lines count as one", async () => {
    const answer = await ask(server.port, "/channels-stats", {
      headers: { Accept: "text/html", accept: "text/plain" },
    });
    expect(answer.fields.get("content-type")).toBe("text/plain");
  });
});

describe("summary (5.5)", () => {
  test("its bytes", async () => {
    const answer = await stats();
    expectAntiCache(answer);
    expect(answer.fields.get("content-type")).toBe("application/json");
    const worker = String.raw`\{"pid": "\d+", "subscribers": \d+, "uptime": \d+\}`;
    const zone =
      String.raw`\{"hostname": "[^"]+", "time": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", ` +
      String.raw`"channels": \d+, "wildcard_channels": 0, `;
    const numbers = [
      "published_messages",
      "stored_messages",
      "messages_in_trash",
      "channels_in_delete",
      "channels_in_trash",
      "subscribers",
      "uptime",
    ];
    const fields = numbers.map((name) => `"${name}": \\d+, `).join("");
    expect(answer.body.toString()).toMatch(
      new RegExp(`^${zone}${fields}"by_worker": \\[\r\n${worker},\r\n${worker}\r\n\\]\\}\r\n$`),
    );
    const summary = JSON.parse(answer.body.toString());
    expect(summary.hostname).toBe(hostname().toLowerCase());
    expect(Math.abs(Date.parse(`${summary.time}Z`) - Date.now())).toBeLessThan(30_000);
  });

  test("uptime counts seconds, of the server and of each worker", async () => {
    const summary = async () => JSON.parse((await stats()).body.toString());
    const before = await summary();
    await Bun.sleep(1100);
    const after = await summary();
    expect(after.uptime).toBeGreaterThan(before.uptime);
    expect(after.uptime).toBeLessThan(300);
    for (const worker of after.by_worker) expect(worker.uptime).toBeWithin(0, after.uptime + 2);
    expect(new Set(after.by_worker.map((worker: { pid: string }) => worker.pid)).size).toBe(2);
  });

  test("counts what is published, kept, dropped and unstored", async () => {
    const summary = async () => JSON.parse((await stats()).body.toString());
    const before = await summary();
    const channel = fresh();
    for (let count = 0; count < 5; count++) await server.publish(channel, "x");
    await ask(server.port, `/live?id=${channel}`, { method: "POST", body: "x" });
    const after = await summary();
    expect(after.channels).toBe(before.channels + 1);
    expect(after.published_messages).toBe(before.published_messages + 6);
    expect(after.stored_messages).toBe(before.stored_messages + 3);
    expect(after.messages_in_trash).toBe(before.messages_in_trash + 3);
    expectJson(await stats(`?id=${channel}`), channelInfo(channel, 6, 3));
  });
});

describe("what was answered is visible everywhere (5.6)", () => {
  test("a POST that was answered, on any connection", async () => {
    const channel = fresh();
    const readers = await Promise.all(Array.from({ length: 6 }, () => RawConnection.open(server.port)));
    for (let count = 1; count <= 20; count++) {
      await server.publish(channel, "x");
      for (const reader of readers) {
        reader.request(`/channels-stats?id=${channel}`);
        expectJson(await reader.answer(), channelInfo(channel, count, Math.min(count, 3)));
      }
    }
    for (const reader of readers) reader.close();
  });

  test("a WebSocket that got its first byte, and one that the server closed", async () => {
    const channel = fresh();
    await server.publish(channel, "x");
    const sockets: RawWebSocket[] = [];
    for (let count = 1; count <= 8; count++) {
      const socket = await RawWebSocket.open(server.port, `/ws/${channel}.b1`);
      expect(await socket.text()).toBe("x");
      expectJson(await stats(`?id=${channel}`), channelInfo(channel, 1, 1, count));
      sockets.push(socket);
    }
    for (const [i, socket] of sockets.entries()) {
      socket.sendFrame(2, "binary is refused");
      await socket.frame();
      expectJson(await stats(`?id=${channel}`), channelInfo(channel, 1, 1, 7 - i));
    }
  });
});

test("subscribers: connections in the summary, subscriptions in the channels", async () => {
  const [first, second] = [fresh(), fresh()];
  const before = (await server.summary()).subscribers;
  const stream = await RawConnection.open(server.port);
  stream.request(`/ev/${first}/${second}`);
  await stream.head();
  const poll = await RawConnection.open(server.port);
  poll.request(`/lp/${second}`);
  await standing(server.port, second, 2);
  expect((await server.summary()).subscribers).toBe(before + 2);
  expectGroup(await stats(`?id=${first}/${second}`), [
    channelInfo(first, 0, 0, 1),
    channelInfo(second, 0, 0, 2),
  ]);
  for (const connection of [stream, poll]) connection.close();
  await standing(server.port, second, 0);
});

test("20,000 channels in one answer, while others are served", async () => {
  const large = await startServer({ toml: layout('[store]\nsize = "64MiB"'), workers: 1 });
  try {
    const names = Array.from({ length: 20_000 }, (_, i) => `many-${i}`);
    const connection = await RawConnection.open(large.port);
    const other = await RawConnection.open(large.port);
    for (let at = 0; at < names.length; at += 100) {
      connection.request(`/pub?id=${names.slice(at, at + 100).join("/")}`, { method: "POST", body: "x" });
      expect((await connection.answer()).status).toBe(200);
    }
    // Asked for before anything is read, so that several are under way; one asker hangs up.
    const leaver = await RawConnection.open(large.port);
    leaver.request("/channels-stats?id=ALL");
    leaver.close();
    connection.request("/channels-stats?id=many-*");
    other.request("/channels-stats?id=ALL", { headers: { Accept: "text/plain" } });
    expectJson(await ask(large.port, "/channels-stats?id=many-7"), channelInfo("many-7", 1, 1));
    const answer = await connection.answer();
    expectAntiCache(answer);
    expect(answer.fields.get("content-length")).toBe(String(answer.body.length));
    expect(answer.fields.has("x-nginx-pushstream-tag")).toBeTrue();
    const { infos, channels: count } = JSON.parse(answer.body.toString());
    expect(count).toBe(names.length);
    expect(infos.map(({ channel }: { channel: string }) => channel)).toEqual(names);
    const lines = (await other.answer()).body.toString().split("\r\n");
    expect(lines.filter((line) => line.startsWith("channel: many-"))).toHaveLength(names.length);
    expect(large.log).not.toContain("failed");
    connection.close();
    other.close();
  } finally {
    await large.stop();
  }
}, 20_000);
