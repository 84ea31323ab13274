/**
 * Large bodies that come in pieces, on both listeners: those that stop in the middle are published to nobody,
 * the others are whole and in one order for everybody, and none of them leaves its memory behind.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { ownBytes } from "../process-memory.ts";
import { type Random, seededRandom } from "../random.ts";

const MIB = 2 ** 20;
const WAYS_TO_STOP = ["reset", "end", "silence"] as const;
type Way = (typeof WAYS_TO_STOP)[number];

const bodyOf = (number: number, length: number): string => `${number}|`.repeat(length).slice(0, length);

const opened = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true }, () =>
      resolve(socket),
    );
    socket.on("error", reject);
  });

const headOf = (channel: string, framing: string): string =>
  `POST /pub?id=${channel} HTTP/1.1\r\nHost: x\r\n${framing}\r\n\r\n`;

const written = (socket: Socket, text: string): Promise<void> =>
  new Promise((resolve) => socket.write(text, () => resolve()));

/** Head and body in pieces of any length, declared or in chunks; so many of the bytes. */
async function sendPart(socket: Socket, random: Random, channel: string, body: string, bytes: number) {
  const isChunked = random.below(3) === 0;
  const head = headOf(channel, isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${body.length}`);
  let piece = head;
  for (let at = 0; at < bytes; ) {
    const length = Math.min(bytes - at, 1 + random.below(random.below(2) === 0 ? 3000 : 400_000));
    const part = body.slice(at, at + length);
    piece += isChunked ? `${length.toString(16)}\r\n${part}\r\n` : part;
    await written(socket, piece);
    piece = "";
    at += length;
  }
  if (isChunked && bytes === body.length) await written(socket, "0\r\n\r\n");
}

/** The statuses of so many answers. */
const answers = (socket: Socket, count: number): Promise<string[]> =>
  new Promise((resolve) => {
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      const found = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status ?? "");
      if (found.length === count) resolve(found);
    });
  });

/** One request, and behind it a second that has come with its end. */
async function sendWhole(port: number, random: Random, channel: string, number: number, behind: number) {
  const socket = await opened(port);
  const answered = answers(socket, 2);
  const body = bodyOf(number, 70_000 + random.below(1_400_000));
  await sendPart(socket, random, channel, body, body.length);
  const next = bodyOf(behind, 1 + random.below(100_000));
  socket.write(headOf(channel, `Content-Length: ${next.length}`) + next);
  const statuses = await answered;
  socket.destroy();
  return { statuses, bodies: [body, next] };
}

async function stopInTheMiddle(port: number, random: Random, channel: string, number: number, way: Way) {
  const socket = await opened(port);
  socket.on("error", () => undefined);
  socket.on("data", () => undefined);
  const body = bodyOf(number, 70_000 + random.below(1_400_000));
  await sendPart(socket, random, channel, body, 1 + random.below(body.length - 1));
  if (way === "reset") socket.resetAndDestroy();
  if (way === "end") socket.end();
  return socket;
}

describe.each(["wire", "native"])("%s listener", (door) => {
  let server: RunningServer;
  beforeAll(async () => {
    const toml = layout('[limits]\nmax_body_size = "5MiB"\n[store]\nsize = "64MiB"', {
      sub: 'header_template = "\\n"',
    });
    server = await startServer({ toml, args: ["--listener", door] });
  });
  afterAll(async () => {
    await server.stop();
  });

  test("bodies that stop in the middle are nobody's message; the others are whole, and once", async () => {
    const random = seededRandom(`broken bodies, ${door}`);
    const readers = await Promise.all([0, 1, 2].map(() => readerOf("mixed")));
    const stopped: Socket[] = [];
    const sent: string[] = [];
    const jobs = Array.from({ length: 24 }, async (_, i) => {
      const way = WAYS_TO_STOP[i % 6];
      if (way !== undefined) stopped.push(await stopInTheMiddle(server.port, random, "mixed", i, way));
      else {
        const { statuses, bodies } = await sendWhole(server.port, random, "mixed", i, 100 + i);
        expect(statuses).toEqual(["200", "200"]);
        sent.push(...bodies);
      }
    });
    await Promise.all(jobs);
    // Those that are silent still hold their half.
    await publishAndSee("mixed", "last", readers);
    const [first = []] = readers.map(({ messages }) => messages);
    expect([...first].sort()).toEqual([...sent, "last"].sort());
    for (const { messages } of readers) expect(messages).toEqual(first);
    for (const socket of stopped) socket.destroy();
    for (const { socket } of readers) socket.close();
  });

  test("workers that are killed in the middle of bodies leave nothing of them", async () => {
    const random = seededRandom(`killed in bodies, ${door}`);
    const before = await server.workerPids();
    const halves = await Promise.all(
      Array.from({ length: 8 }, (_, i) => stopInTheMiddle(server.port, random, "killed", i, "silence")),
    );
    expect((await server.publish("killed", "before")).status).toBe(200);
    for (const pid of before) process.kill(pid, "SIGKILL");
    await until("there are new workers", async () => {
      const now = await server.workerPids().catch(() => []);
      return now.length === 2 && now.every((pid) => !before.includes(pid));
    });
    const readers = [await readerOf("killed")];
    await publishAndSee("killed", "after", readers);
    expect(readers[0]?.messages).toEqual(["after"]);
    expect((await server.statistics("killed")).published_messages).toBe(2);
    for (const socket of halves) socket.destroy();
    readers[0]?.socket.close();
  });

  test("a hundred bodies of 1 MB leave no memory behind, and need that of a few", async () => {
    const pids = await server.workerPids();
    const publish = async (count: number, body: string): Promise<void> => {
      for (let i = 0; i < count; i++) expect((await server.publish("large", body)).status).toBe(200);
    };
    await publish(200, "small");
    const held = (): number => pids.reduce((sum, pid) => sum + ownBytes(pid), 0);
    const before = held();
    let most = 0;
    const look = setInterval(() => {
      most = Math.max(most, held() - before);
    }, 5);
    await publish(100, "x".repeat(1_000_000));
    clearInterval(look);
    expect(most).toBeLessThan(30 * MIB);
  });

  async function readerOf(channel: string) {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws/${channel}`);
    const messages: string[] = [];
    socket.onmessage = ({ data }) => {
      messages.push(String(data));
    };
    await until("it stands", () => socket.readyState === WebSocket.OPEN);
    return { socket, messages };
  }

  async function publishAndSee(channel: string, text: string, readers: { messages: string[] }[]) {
    expect((await server.publish(channel, text)).status).toBe(200);
    await until("all have the last", () => readers.every(({ messages }) => messages.at(-1) === text));
  }
});
