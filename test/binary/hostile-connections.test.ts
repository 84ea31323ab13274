/**
 * Clients that mean no good, at both doors of the compiled binary: more requests at once than anybody sends,
 * heads and chunks without end, connections reset in the middle of everything. Each costs little, is answered
 * or cut off, and leaves the worker serving.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepsLess, ownBytes } from "../process-memory.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const HANDLERS = `
[[location]]
match = "= /count"
handler = "count.ts"
[[location]]
match = "~ ^/late/(.*)$"
subscriber = "websocket"
channels_path = "$1"
authorize = "late.ts"
`;
const DOORS = [
  ["native", 'header_template = "."'],
  ["wire", ""],
] as const;
const MIB = 1024 * 1024;

const PIPELINED = 100_000;
const POLL = "GET /pub?id=nobody HTTP/1.1\r\nHost: x\r\n\r\n";
/** So many of them fit into a socket's first window. */
const AHEAD = 1200;
const CROWD = 2600;
/** Under the limit of a body. */
const CRUMBS = 900_000;
const HANDSHAKE =
  "GET /ws/reset HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const FRAME = Buffer.from([0x81, 0x85, 1, 2, 3, 4, 0x69, 0x67, 0x6f, 0x68, 0x6e]).toString("latin1");

/** What clients say in one connection; it is cut at some byte. */
const SESSIONS: readonly string[] = [
  "POST /pub?id=reset HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
  "POST /pub?id=reset HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  `${POLL}${POLL}GET /sub/reset HTTP/1.1\r\nHost: x\r\n\r\n`,
  "GET /ev/reset HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  "GET /lp/reset HTTP/1.1\r\nHost: x\r\n\r\n",
  `${HANDSHAKE}${FRAME}${FRAME}`,
];

const ENDLESS: readonly (readonly [name: string, head: string, piece: string])[] = [
  ["a request line", "GET /", "a".repeat(1024)],
  ["a field", "GET / HTTP/1.1\r\nHost: x\r\nA: ", "a".repeat(1024)],
  ["fields", "GET / HTTP/1.1\r\nHost: x\r\n", "A: b\r\n".repeat(200)],
  [
    "a chunk's extension",
    "POST /pub?id=endless HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    "a".repeat(1024),
  ],
  [
    "trailers",
    "POST /pub?id=endless HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
    "A: b\r\n".repeat(200),
  ],
];
/** Well over all bounds. */
const ENDLESS_BYTES = 2 * MIB;

const drained = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.once("drain", () => resolve()));

/** Of all connections of a port, in the kernel. */
function unreadBytes(port: number): number {
  let bytes = 0;
  for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n")) {
    const [, local = "", , , queues = ""] = line.trim().split(/\s+/);
    if (local.endsWith(`:${port.toString(16).toUpperCase().padStart(4, "0")}`))
      bytes += Number.parseInt(queues.split(":")[1] ?? "", 16);
  }
  return bytes;
}

describe.each(DOORS)("%s door", (door, sub) => {
  let server: RunningServer;
  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
    writeFileSync(
      join(folder, "count.ts"),
      "let n = 0;\nexport default async () => new Response('#' + ++n);\n",
    );
    writeFileSync(
      join(folder, "late.ts"),
      "export async function authorize(c) { await c.sleep(0.2); return true; }\n",
    );
    server = await startServer({ toml: layout("", { sub }) + HANDLERS, workers: 1, folder });
  });
  afterAll(async () => {
    expect(server.log).not.toMatch(/ (error|warn) /);
    await server.stop();
  });

  async function open(): Promise<Socket> {
    const socket = connect({ port: server.port, host: "127.0.0.1" });
    socket.on("error", () => undefined);
    await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
    return socket;
  }
  const worker = async (): Promise<number> => (await server.workerPids())[0] ?? 0;

  test("a hundred thousand requests in one piece are answered in order, or told of the end", async () => {
    const socket = await open();
    let answers = 0;
    let rest = "";
    let isLast = false;
    socket.on("data", (data) => {
      const text = rest + data.toString("latin1");
      const heads = text.split("\r\n\r\n");
      rest = heads.pop() ?? "";
      for (const head of heads) {
        expect(head).toStartWith("HTTP/1.1 404");
        expect(isLast).toBeFalse();
        isLast = /^connection: close$/im.test(head);
        answers++;
      }
    });
    socket.write(POLL.repeat(PIPELINED));
    await until("all answers", () => answers === PIPELINED || isLast || socket.destroyed, 60_000);
    // Of Bun's door those who send too many in one turn are answered some, and cut off over what they sent
    // besides (listen/listener.ts).
    if (door === "wire") expect(answers).toBe(PIPELINED);
    else expect(answers).toBeGreaterThan(1000);
    socket.destroy();
  }, 70_000);

  test("of a crowd that comes at once everybody keeps his connection", async () => {
    const pid = await worker();
    const crowd = await Promise.all(Array.from({ length: CROWD }, open));
    let answers = 0;
    let closing = 0;
    for (const socket of crowd)
      socket.on("data", (data) => {
        answers++;
        if (/^connection: close$/im.test(data.toString("latin1"))) closing++;
      });
    // All of them in one turn.
    process.kill(pid, "SIGSTOP");
    for (const socket of crowd) socket.write(POLL);
    await Bun.sleep(100);
    process.kill(pid, "SIGCONT");
    await until("all are answered", () => answers === CROWD);
    expect(closing).toBe(0);
    for (const socket of crowd) socket.destroy();
  });

  test("nor do they cost memory when nobody reads the answers", async () => {
    const pid = await worker();
    const before = ownBytes(pid);
    const socket = await open();
    socket.pause();
    socket.write(POLL.repeat(PIPELINED));
    let last = -1;
    // Until the server takes no more of it.
    await until(
      "a standstill",
      async () => {
        const written = socket.bytesWritten - socket.writableLength;
        const isStill = written === last;
        last = written;
        await Bun.sleep(100);
        return isStill;
      },
      60_000,
    );
    await keepsLess([pid], before, 24 * MIB);
    expect((await server.publish("meanwhile", "x")).status).toBe(200);
    socket.destroy();
  }, 70_000);

  // Bun ends the connection of a client that does not wait for an answer that is late.
  test.if(door === "wire")(
    "others are answered between requests that a client sends ahead",
    async () => {
      const pid = await worker();
      const count = "GET /count HTTP/1.1\r\nHost: x\r\n\r\n";
      const [ahead, other] = await Promise.all([open(), open()]);
      let own = "";
      let others = "";
      ahead.on("data", (data) => {
        own += data.toString("latin1");
      });
      other.on("data", (data) => {
        others += data.toString("latin1");
      });
      const numbers = (text: string): number[] => [...text.matchAll(/#(\d+)/g)].map(([, n]) => Number(n));
      process.kill(pid, "SIGSTOP");
      ahead.write(count.repeat(AHEAD));
      await Bun.sleep(50);
      other.write(count);
      await Bun.sleep(20);
      process.kill(pid, "SIGCONT");
      await until("all answers", () => numbers(own).length === AHEAD && others.includes("#"), 20_000);
      expect(numbers(others)[0]).toBeLessThan(AHEAD / 2);
      expect(numbers(own)).toEqual(numbers(own).toSorted((a, b) => a - b));
      ahead.destroy();
      other.destroy();
    },
    30_000,
  );

  test("who ends his side before his handshake is answered does not stay as a subscriber", async () => {
    const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
    let isOver = false;
    socket.on("end", () => {
      isOver = true;
    });
    socket.resume();
    socket.end(HANDSHAKE.replace("/ws/reset", "/late/gone"));
    await until("its end", () => isOver);
    await until("it stands nowhere", async () => (await server.statistics("gone")).subscribers === 0);
    socket.destroy();
  });

  test("a body in chunks of one byte costs what any other does, and comes whole", async () => {
    const pid = await worker();
    const before = ownBytes(pid);
    const socket = await open();
    let got = "";
    socket.on("data", (data) => {
      got += data.toString("latin1");
    });
    socket.write("POST /pub?id=crumbs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    const piece = "1\r\na\r\n".repeat(10_000);
    for (let sent = 0; sent < CRUMBS; sent += 10_000) if (!socket.write(piece)) await drained(socket);
    await until("it has read all", () => socket.writableLength === 0 && unreadBytes(server.port) === 0);
    await keepsLess([pid], before, 24 * MIB);
    socket.write("0\r\n\r\n");
    await until("the answer", () => got.includes("\r\n\r\n"));
    expect(got).toStartWith("HTTP/1.1 200");
    socket.destroy();
    expect((await server.request("/poll/crumbs.b1")).text).toBe("a".repeat(CRUMBS));
  });

  test.each(ENDLESS)("%s without end is refused, and its connection ended", async (name, head, piece) => {
    const pid = await worker();
    const before = ownBytes(pid);
    const socket = await open();
    let got = "";
    socket.on("data", (data) => {
      got += data.toString("latin1");
    });
    socket.write(head);
    for (let sent = 0; sent < ENDLESS_BYTES && !socket.destroyed; sent += piece.length) {
      if (!socket.write(piece)) await Bun.sleep(1);
    }
    await until("the end", () => socket.destroyed || socket.readableEnded);
    socket.destroy();
    // Where it was reset under what was still on its way, the answer may be lost.
    if (got !== "")
      expect(got).toMatch(door === "wire" ? /^HTTP\/1\.1 (400|414|431) / : /^HTTP\/1\.1 (200|4\d\d) /);
    await keepsLess([pid], before, 24 * MIB);
    // To Bun a body is whole at its last chunk, and what comes behind it another request.
    const mayBeWhole = door === "native" && name === "trailers";
    expect((await server.statistics("endless")).published_messages).toBe(mayBeWhole ? 1 : 0);
  });

  test("connections reset anywhere leave nobody behind", async () => {
    const cuts = SESSIONS.flatMap((session) =>
      Array.from({ length: 24 }, (_, i) => session.slice(0, Math.ceil(((i + 1) * session.length) / 24))),
    );
    await Promise.all(
      cuts.map(async (bytes, i) => {
        const socket = await open();
        socket.write(Buffer.from(bytes, "latin1"));
        // Some at once, some when they stand where their bytes lead.
        if (i % 3 > 0) await Bun.sleep(i % 3);
        socket.resetAndDestroy();
      }),
    );
    await until("nobody stands there", async () => (await server.statistics("reset")).subscribers === 0);
    await until(
      "no connection is counted",
      async () => (await server.metric("sluice_connections_open")) <= 2,
    );
    expect((await server.publish("reset", "after")).status).toBe(200);
  });
});
