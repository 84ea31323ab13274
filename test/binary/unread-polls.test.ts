/**
 * Polls of more than fits a socket, on the compiled binary and both listeners: what nobody reads is not
 * rendered, pipelined requests wait, nobody else waits for them, what was lost on the way is told in the
 * head, and a body that cannot be whole has no end.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { keepsLess, ownBytes } from "../process-memory.ts";
import { RawConnection } from "./raw-client.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const MIB = 1024 * 1024;
const FROM_THE_BEGINNING = { "If-Modified-Since": "Thu, 01 Jan 1970 00:00:01 GMT", "If-None-Match": "W/0" };

let server: RunningServer;
let open: { close(): void }[] = [];
afterEach(async () => {
  for (const client of open) client.close();
  open = [];
  await server.stop();
  // A worker that was stopped for a while says so; nothing else is worth a warning.
  expect(server.log).not.toMatch(/ (warn|error) (?!.*fell a whole dispatch ring behind)/);
});

const GZIPPED = `[[location]]
match = "~ ^/gzip/(.*)$"
subscriber = "polling"
channels_path = "$1"
gzip = true
gzip_types = ["*"]
`;

/** Streams that begin with nothing are for the wire listener (running-server.ts). */
async function serve(door: string, store: string, more = "", workers = 1): Promise<void> {
  const sub = door === "native" ? 'header_template = "\\n"' : "";
  server = await startServer({
    toml: layout(`[store]\n${store}`, { sub, ev: 'event_ids = "auto"' }) + more,
    workers,
  });
}

/** A client that sends this and never reads. */
async function unread(bytes: string): Promise<Socket> {
  const socket = connect({ port: server.port, host: "127.0.0.1" });
  socket.pause();
  socket.on("error", () => undefined);
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  socket.write(bytes);
  open.push({ close: () => socket.destroy() });
  return socket;
}

const request = (path: string, headers: Record<string, string> = {}): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\n${Object.entries({ ...FROM_THE_BEGINNING, ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n`;

/** In one request: what they cost is not what is looked at. */
async function publishMany(messages: number): Promise<void> {
  const answer = await server.request("/pub", {
    method: "POST",
    headers: { "Content-Type": "application/x-ndjson" },
    body: '{"channel":"c","data":"m"}\n'.repeat(messages),
  });
  expect(answer.status).toBe(200);
}

async function fill(messages: number, bytes: number): Promise<void> {
  const body = "x".repeat(bytes);
  for (let sent = 0; sent < messages; sent += 16)
    await Promise.all(Array.from({ length: Math.min(16, messages - sent) }, () => server.publish("c", body)));
}

describe.each(["native", "wire"])("on %s", (door) => {
  test("forty polls of 40 MB that nobody reads cost a piece each, pipelined, compressed or not", async () => {
    await serve(door, 'size = "64MiB"', GZIPPED);
    await fill(40, MIB - 100);
    const pids = await server.workerPids();
    const before = ownBytes(pids[0] ?? 0);
    for (let i = 0; i < 20; i++) await unread(request("/poll/c"));
    for (let i = 0; i < 10; i++) await unread(request("/lp/c").repeat(20));
    for (let i = 0; i < 10; i++) await unread(request("/gzip/c", { "Accept-Encoding": "gzip" }));
    // In order: what is answered now was asked for after all of them.
    for (let i = 0; i < 20; i++) await server.statistics("c");
    // A piece and one message each at most; whole bodies were 1.6 GB.
    await keepsLess(pids, before, 40 * 2.5 * MIB);
    expect((await server.publish("other", "y")).status).toBe(200);
  }, 60_000);

  test("a poll of thirty thousand messages is whole, and keeps no publisher waiting", async () => {
    await serve(door, 'size = "64MiB"\nmax_messages_stored_per_channel = 200000', GZIPPED);
    const COUNT = 30_000;
    for (let sent = 0; sent < COUNT; sent += 1000) await publishMany(1000);
    const polls = Array.from({ length: 20 }, async (_, i) => {
      const gzip = i % 2 === 1;
      const connection = await RawConnection.open(server.port);
      open.push(connection);
      connection.send(request(gzip ? "/gzip/c" : "/poll/c", gzip ? { "Accept-Encoding": "gzip" } : {}));
      const { body, status } = await connection.answer();
      expect(status).toBe(200);
      return (gzip ? gunzipSync(body) : body).length;
    });
    let over = 0;
    for (const poll of polls) void poll.then(() => over++);
    // Published while the first are on their way: answered before the last is.
    const published = await server.publish("other", "y");
    expect([published.status, over < polls.length]).toEqual([200, true]);
    expect(await Promise.all(polls)).toEqual(polls.map(() => COUNT));
  }, 60_000);

  test("a position from before what is stored: the head tells what is missing of which channel", async () => {
    await serve(door, "max_messages_stored_per_channel = 2");
    await server.publish("a/ä b", "1");
    const first = await server.request("/poll/a.b1");
    const position = {
      "If-Modified-Since": first.headers.get("last-modified") ?? "",
      "If-None-Match": first.headers.get("etag") ?? "",
    };
    expect(first.headers.get("sluice-gap")).toBeNull();
    for (const data of ["2", "3"]) await server.publish("a", data);
    const whole = await server.request("/poll/a", { headers: position });
    expect([whole.text, whole.headers.get("sluice-gap")]).toEqual(["23", null]);
    await server.publish("a", "4");
    for (const path of ["/poll/a", "/lp/a"]) {
      const lossy = await server.request(path, { headers: position });
      expect([lossy.text, lossy.headers.get("sluice-gap")]).toEqual(["34", "a=unknown"]);
    }
    const both = await server.request("/poll/a/%C3%A4%20b", { headers: position });
    expect(both.headers.get("sluice-gap")).toBe("a=unknown");
  });

  test("an event id that nobody has is told as well, and a token of ours by its exact number", async () => {
    await serve(door, "max_messages_stored_per_channel = 2");
    for (const data of ["1", "2", "3", "4", "5"]) await server.publish("c", data);
    const vain = await server.request("/poll/c", { headers: { "Last-Event-Id": "nobody's" } });
    expect([vain.status, vain.headers.get("sluice-gap")]).toEqual([304, "c=unknown"]);
    const token = await tokenOf("c");
    const lossy = await server.request("/poll/c", { headers: { "Last-Event-Id": token.at(1) } });
    expect([lossy.text, lossy.headers.get("sluice-gap")]).toEqual(["45", "c=2"]);
    const exact = await server.request("/lp/c", { headers: { "Last-Event-Id": token.at(4) } });
    expect([exact.text, exact.headers.get("sluice-gap")]).toEqual(["5", null]);
  });

  test("a waiting poll whose messages were evicted unread is told how many", async () => {
    await serve(door, 'size = "1MiB"\nmax_messages_stored_per_channel = 3', "", 2);
    await server.publish("c", "1");
    const connections = await Promise.all(Array.from({ length: 12 }, () => RawConnection.open(server.port)));
    open.push(...connections);
    const waiting = await RawConnection.open(server.port);
    open.push(waiting);
    waiting.request("/lp/c");
    await until("the poll waits", async () => (await server.statistics("c")).subscribers === 1);
    const summary = await server.summary();
    const pid = Number(summary.by_worker.find(({ subscribers }) => Number(subscribers) === 1)?.pid);
    process.kill(pid, "SIGSTOP");
    try {
      const other = await firstToAnswer(connections);
      const publish = async (channel: string, body: string): Promise<void> => {
        other.request(`/pub?id=${channel}`, { method: "POST", body });
        expect((await other.answer()).status).toBe(200);
      };
      for (const data of ["2", "3", "4"]) await publish("c", data);
      for (let i = 0; i < 1200; i++) await publish("other", "x".repeat(1000));
      await publish("c", "5");
    } finally {
      process.kill(pid, "SIGCONT");
    }
    const answer = await waiting.answer();
    expect([answer.body.toString(), answer.fields.get("sluice-gap")]).toEqual(["5", "c=3"]);
  });

  test("a body whose rest was evicted while its client did not read has no end", async () => {
    await serve(door, 'size = "16MiB"\nmax_messages_stored_per_channel = 10000');
    await fill(12, MIB - 100);
    const token = await tokenOf("c");
    const slow = await unread(request("/poll/c", { "Last-Event-Id": token.at(0) }));
    const ended = new Promise<void>((resolve) => slow.once("close", () => resolve()));
    await server.statistics("c");
    await fill(16, MIB - 100);
    let bytes = 0;
    let tail = "";
    slow.on("data", (data: Buffer) => {
      bytes += data.length;
      tail = (tail + data.toString("latin1")).slice(-7);
    });
    slow.resume();
    await ended;
    expect(bytes).toBeLessThan(12 * MIB);
    expect(tail).not.toEndWith("0\r\n\r\n");
  }, 60_000);
});

/** Of connections to several workers, one whose worker is not stopped. */
async function firstToAnswer(connections: readonly RawConnection[]): Promise<RawConnection> {
  return await Promise.any(
    connections.map(async (connection) => {
      connection.request("/channels-stats");
      await connection.answer();
      return connection;
    }),
  );
}

/** Tokens of a channel, by the id they stand for. */
async function tokenOf(channel: string): Promise<{ at(id: number): string }> {
  const stream = await RawConnection.open(server.port);
  open.push(stream);
  stream.request(`/ev/${channel}`);
  await stream.head();
  let text = "";
  while (!/id: .*\n/.test(text)) text += await stream.chunkedText(1);
  const [, epoch = "", position = "0"] = /id: ([0-9a-z]+)-(\d+)/.exec(text) ?? [];
  const { published_messages: newest } = await server.statistics(channel);
  return { at: (id) => `${epoch}-${Number(position) - newest + id}` };
}
