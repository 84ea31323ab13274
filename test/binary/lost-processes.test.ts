/**
 * Processes that are taken away under load (promises P5 and P6): a worker killed, both killed, a worker that
 * stands still for longer than the ring is long, main killed, the daemon restarted. Nothing acknowledged is
 * lost, nothing comes twice, counts are right.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KernelSocket } from "./kernel-socket.ts";
import { ResumingReader } from "./resuming-reader.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const config = (store = "", size = "16MiB"): string =>
  layout(`[store]\nsize = "${size}"\n${store}`, { ev: 'event_ids = "auto"' });

let server: RunningServer;
let readers: ResumingReader[] = [];
let folder = "";

afterEach(async () => {
  for (const reader of readers) reader.close();
  readers = [];
  await server.stop();
  if (folder !== "") rmSync(folder, { recursive: true, force: true });
  folder = "";
  expect(server.log).not.toContain("stack=");
});

/** Readers of the channel until both workers have at least three. */
async function readOnBothWorkers(channel: string): Promise<void> {
  await until("readers on both workers", async () => {
    const { by_worker } = await server.summary();
    if (by_worker.length === 2 && by_worker.every(({ subscribers }) => subscribers >= 3)) return true;
    const path = readers.length % 3 === 0 ? `/ev/other/${channel}` : `/ev/${channel}`;
    readers.push(new ResumingReader(server.url, path));
    await until("it stands", async () => (await server.summary()).subscribers === readers.length);
    return false;
  });
}

/**
 * Publishers that never rest; what they sent is known to be taken, or, when the connection broke, possible.
 */
class Load {
  readonly taken: string[] = [];
  readonly doubtful = new Set<string>();
  #flying = true;
  readonly #publishers: Promise<void>[];

  constructor(channel: string, publishers: number) {
    this.#publishers = Array.from({ length: publishers }, (_, i) => this.#publish(channel, i));
  }

  async end(): Promise<void> {
    this.#flying = false;
    await Promise.all(this.#publishers);
  }

  async #publish(channel: string, publisher: number): Promise<void> {
    for (let i = 0; this.#flying; i++) {
      const message = `${publisher}:${i}`;
      try {
        const { status } = await server.publish(channel, message);
        if (status === 200) this.taken.push(message);
        else throw new Error(`a publish was answered ${status}`);
      } catch (error) {
        if (!(error instanceof Error) || error.message.startsWith("a publish")) throw error;
        this.doubtful.add(message);
        await Bun.sleep(5);
      }
    }
  }
}

/**
 * Everybody has everything once, in one order, each publisher's messages in his order, and nobody had to be
 * told of a gap.
 */
async function expectComplete(load: Load, channel: string): Promise<void> {
  const { published_messages: published } = await server.statistics(channel);
  expect(published).toBeGreaterThanOrEqual(load.taken.length);
  expect(published).toBeLessThanOrEqual(load.taken.length + load.doubtful.size);
  for (const reader of readers) {
    await until(
      `${published} messages, has ${reader.messages.length}`,
      () => reader.messages.length >= published,
    );
    expect(reader.missed).toBe(0);
    expect(reader.messages).toEqual(readers[0]?.messages ?? []);
  }
  const messages = readers[0]?.messages ?? [];
  expect(new Set(messages).size).toBe(messages.length);
  const known = new Set(messages);
  expect(load.taken.filter((message) => !known.has(message))).toEqual([]);
  const next = new Map<string, number>();
  for (const message of messages) {
    const [publisher = "", number] = message.split(":");
    expect(Number(number)).toBeGreaterThanOrEqual(next.get(publisher) ?? 0);
    next.set(publisher, Number(number) + 1);
  }
}

async function expectCountsRight(channel: string): Promise<void> {
  const stand = async () => [
    (await server.statistics(channel)).subscribers,
    (await server.summary()).subscribers,
  ];
  await until("everybody is counted once", async () =>
    (await stand()).every((count) => count === readers.length),
  );
  for (const reader of readers) reader.close();
  await until("nobody is counted", async () => (await stand()).every((count) => count === 0));
}

/**
 * A signal to a worker of this server, and to nothing else: 0 and -1 mean whole groups of processes to
 * kill(2).
 */
function signal(pid: number | undefined, name: NodeJS.Signals): void {
  const parent = pid !== undefined && pid > 1 ? readFileSync(`/proc/${pid}/status`, "utf8") : "";
  if (pid === undefined || !parent.includes(`\nPPid:\t${server.process.pid}\n`))
    throw new Error(`${pid} is no worker of ${server.process.pid}:\n${server.log}`);
  process.kill(pid, name);
}

/** Two workers, none of those that were lost. A worker that dies while it is asked gives no answer. */
async function replaced(lost: readonly number[]): Promise<void> {
  await until("new workers", async () => {
    const pids = await server.workerPids().catch(() => lost);
    return pids.length === 2 && !pids.some((pid) => lost.includes(pid));
  });
}

const linesOf = (word: string): string[] => server.log.split("\n").filter((line) => line.includes(word));

describe("kill -9 under load", () => {
  test("one worker: its connections break, the other's do not, nobody loses a message", async () => {
    server = await startServer({ toml: config() });
    await readOnBothWorkers("load");
    const load = new Load("load", 4);
    await until("traffic", () => load.taken.length > 200);
    const [victim] = (await server.summary()).by_worker;
    signal(Number(victim?.pid), "SIGKILL");
    await replaced([Number(victim?.pid)]);
    const before = load.taken.length;
    await until("more traffic", () => load.taken.length > before + 200);
    await load.end();
    await expectComplete(load, "load");
    expect(readers.filter(({ breaks }) => breaks > 0)).toHaveLength(victim?.subscribers ?? -1);
    await expectCountsRight("load");
    expect(linesOf(" worker died slot="), server.log).toHaveLength(1);
    expect(linesOf("killed by SIGKILL")).toHaveLength(1);
  }, 30_000);

  test("both workers at once: everybody comes back and nobody loses a message", async () => {
    server = await startServer({ toml: config() });
    await readOnBothWorkers("load");
    const load = new Load("load", 4);
    await until("traffic", () => load.taken.length > 200);
    const pids = await server.workerPids();
    for (const pid of pids) signal(pid, "SIGKILL");
    await replaced(pids);
    const before = load.taken.length;
    await until("more traffic", () => load.taken.length > before + 200);
    await load.end();
    await expectComplete(load, "load");
    expect(readers.every(({ breaks }) => breaks > 0)).toBeTrue();
    await expectCountsRight("load");
    expect(linesOf(" worker died slot="), server.log).toHaveLength(2);
  }, 30_000);

  test("again and again: each one is replaced and nobody loses a message", async () => {
    server = await startServer({ toml: config() });
    await readOnBothWorkers("load");
    const load = new Load("load", 3);
    for (let round = 0; round < 4; round++) {
      const before = load.taken.length;
      await until("traffic", () => load.taken.length > before + 100);
      const pids = await server.workerPids();
      signal(pids[round % 2], "SIGKILL");
      await replaced(pids.slice(round % 2, (round % 2) + 1));
    }
    await load.end();
    await expectComplete(load, "load");
    await expectCountsRight("load");
  }, 30_000);
});

/** A publisher on one connection, and so at one worker. */
class OneConnection {
  readonly #socket = new KernelSocket(server.port);

  /** Pipelined, some at a time. */
  async publish(channel: string, messages: readonly string[]): Promise<void> {
    for (let from = 0; from < messages.length; from += 50) {
      const some = messages.slice(from, from + 50);
      const head = (message: string) =>
        `POST /pub?id=${channel} HTTP/1.1\r\nHost: x\r\nContent-Length: ${message.length}\r\n\r\n`;
      await this.#socket.send(some.map((message) => head(message) + message).join(""));
      let answers = "";
      await until("the answers to publishes", () => {
        answers += Buffer.from(this.#socket.read()).toString("latin1");
        return answers.split('"subscribers"').length > some.length;
      });
      expect(answers.split("HTTP/1.1 200 OK")).toHaveLength(some.length + 1);
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/** The worker that has accepted no publish. */
async function idleWorker(): Promise<number | undefined> {
  const { text } = await server.request("/metrics");
  const published = [...text.matchAll(/^sluice_published_messages_total\{worker="\d+"\} (\d+)$/gm)];
  const pids = await server.workerPids();
  return pids[published.findIndex(([, count]) => count === "0")];
}

describe("a worker that stands still while the ring goes round", () => {
  test.each([
    ["everything still stored: all of it arrives", "16MiB", 0],
    ["most of it evicted meanwhile: told how many", "1MiB", 1],
  ])(
    "%s",
    async (_name, size, gaps) => {
      server = await startServer({ toml: config("ring_size = 256", size) });
      await readOnBothWorkers("busy");
      const publisher = new OneConnection();
      await publisher.publish("busy", ["0"]);
      const stopped = await idleWorker();
      signal(stopped, "SIGSTOP");
      const count = 1200;
      try {
        const padding = "x".repeat(2000);
        const messages = Array.from({ length: count - 1 }, (_, i) => `${i + 1} ${padding}`);
        await publisher.publish("busy", messages);
      } finally {
        signal(stopped, "SIGCONT");
      }
      let told = 0;
      for (const reader of readers) {
        await until("all accounted for", () => reader.messages.length + reader.missed >= count);
        expect(reader.messages.length + reader.missed).toBe(count);
        const numbers = reader.messages.map((message) => Number.parseInt(message, 10));
        expect(numbers).toEqual(numbers.toSorted((left, right) => left - right));
        expect(new Set(numbers).size).toBe(numbers.length);
        expect(reader.breaks).toBe(0);
        if (reader.missed > 0) told++;
      }
      expect(Math.sign(told)).toBe(gaps);
      expect(await server.metric("sluice_ring_lapped")).toBeGreaterThan(0);
      await publisher.publish("busy", ["after"]);
      for (const reader of readers) await until("what comes later", () => reader.messages.at(-1) === "after");
      publisher.close();
      await expectCountsRight("busy");
      expect(linesOf("fell a whole dispatch ring behind").length).toBeGreaterThan(0);
      expect(linesOf(" error ")).toEqual([]);
    },
    30_000,
  );
});

describe("the daemon started again on the same store", () => {
  const stops: readonly [string, string, (old: RunningServer) => Promise<unknown>][] = [
    ["after an orderly stop", "reopened", (old) => old.stop(true)],
    [
      "after main was killed",
      "recovered",
      async (old) => {
        old.process.kill("SIGKILL");
        await old.process.exited;
      },
    ],
  ];
  test.each(stops)(
    "%s: messages and positions are there, readers resume where they were",
    async (_name, state, stop) => {
      folder = mkdtempSync(join(tmpdir(), "sluice-restart-"));
      const toml = config(`path = "${join(folder, "store")}"`);
      server = await startServer({ toml });
      for (let i = 0; i < 50; i++) await server.publish("kept", `a${i}`);
      readers = [
        new ResumingReader(server.url, "/ev/kept.b10"),
        new ResumingReader(server.url, "/ev/other/kept"),
      ];
      await until("both stand", async () => (await server.summary()).subscribers === 2);
      for (let i = 0; i < 20; i++) await server.publish("kept", `b${i}`);
      await until(
        "they have it",
        () => readers[0]?.messages.length === 30 && readers[1]?.messages.length === 20,
      );
      const old = server;
      await stop(old);
      server = await startServer({ toml });
      rmSync(old.folder, { recursive: true, force: true });
      expect(server.log).toContain(`store_state=${state} messages=70 `);
      // Published before they come back: only the positions they bring can get it to them.
      for (let i = 0; i < 20; i++) await server.publish("kept", `c${i}`);
      for (const reader of readers) reader.url = server.url;
      await until("both are back", async () => (await server.summary()).subscribers === 2);
      for (let i = 0; i < 5; i++) await server.publish("kept", `d${i}`);
      const run = (letter: string, from: number, to: number) =>
        Array.from({ length: to - from }, (_, i) => `${letter}${from + i}`);
      const since = [...run("b", 0, 20), ...run("c", 0, 20), ...run("d", 0, 5)];
      for (const reader of readers) await until("everything", () => reader.messages.at(-1) === "d4");
      expect(readers[0]?.messages).toEqual([...run("a", 40, 50), ...since]);
      expect(readers[1]?.messages).toEqual(since);
      expect(readers.map(({ missed }) => missed)).toEqual([0, 0]);
      expect(await server.statistics("kept")).toMatchObject({
        published_messages: 95,
        stored_messages: 95,
        subscribers: 2,
      });
    },
    30_000,
  );
});
