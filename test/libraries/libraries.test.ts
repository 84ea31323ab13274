/**
 * docs/clients.md, run: every client library on it at once against one server, while workers are killed, the
 * server reloaded, restarted, and gone for longer than it stores, on either listener. Each has to end with
 * the last message; those that resume have every message once, in order, or were told exactly how many they
 * lost. Libraries of Debian that are not installed are skipped (.ci/run installs them).
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  freePort,
  type RunningServer,
  startServer,
  until,
  withSmallStore,
} from "../binary/running-server.ts";
import { LibraryClient, missing } from "./client.ts";
import { CHANNELS, Publisher } from "./publisher.ts";
import { verdict } from "./verdict.ts";

interface Library {
  /** Its heading on the page. */
  readonly title: string;
  /** Module of Python or program that has to be there; of npm all are. */
  readonly needs?: string;
  readonly resumes?: false;
  readonly hearsCloseCodes?: true;
}

const LIBRARIES: readonly Library[] = [
  { title: "eventsource" },
  { title: "undici" },
  { title: "event-source-polyfill" },
  { title: "reconnecting-eventsource" },
  { title: "fetch-event-source" },
  { title: "ws", hearsCloseCodes: true },
  { title: "reconnecting-websocket", hearsCloseCodes: true },
  { title: "partysocket", hearsCloseCodes: true },
  { title: "reconnecting-websocket, fixed URL", resumes: false, hearsCloseCodes: true },
  { title: "websockets", needs: "websockets" },
  { title: "websocket-client", needs: "websocket" },
  { title: "aiohttp", needs: "aiohttp" },
  { title: "curl", needs: "curl" },
];

const WORKERS = 2;
/** Of a killed worker, a reload, and a restart. */
const CLOSE_CODES = [1006, 1012, 1001];
/** A library's delays grow when it finds nobody. */
const BACK_WITHIN_MS = 20_000;
const STORED = 100;
const MISSED = 130;

const why = new Map(LIBRARIES.map(({ title, needs = "" }) => [title, missing(title, needs)]));
const clients = new Map<string, LibraryClient>();
const folder = mkdtempSync(join(tmpdir(), "sluice-libraries-"));
const port = freePort();
/** The embedded default, with a store that is the same on another address, and is soon full. */
const toml = readFileSync(join(import.meta.dir, "../../src/config/default.toml"), "utf8")
  .replace(/^max_messages_stored_per_channel = .*/m, "")
  .replace(
    "[store]",
    `[store]\npath = "${join(folder, "store")}"\nmax_messages_stored_per_channel = ${STORED}`,
  );
const ON_WIRE = `listener = "wire"\n${toml}`;
let server: RunningServer;
let publisher: Publisher;

const everyoneHas = (marks: ReadonlyMap<string, number>): boolean =>
  [...clients.values()].every((client) =>
    CHANNELS.every((channel) => client.newest(channel) >= (marks.get(channel) ?? 0)),
  );

/** Waits until all of them are back and have what was published by now. */
async function caughtUp(after: string): Promise<void> {
  const startedMs = performance.now();
  for (const channel of CHANNELS) await publisher.publish(channel);
  const marks = publisher.marks();
  await until(`all have come back after ${after}`, () => everyoneHas(marks), BACK_WITHIN_MS).catch(
    (error) => {
      const behind = [...clients].filter(([, client]) =>
        CHANNELS.some((channel) => client.newest(channel) < (marks.get(channel) ?? 0)),
      );
      const states = behind.map(
        ([title, { isRunning, errors }]) => `${title} (running ${isRunning}): ${errors}`,
      );
      throw new Error(`${error}\n${states.join("\n")}`);
    },
  );
  console.log(`measured: ${after}: all back within ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}

const isRunning = (pid: number): boolean => existsSync(`/proc/${pid}`);

/** Both of them: a new one needs a moment until it counts. */
async function workers(): Promise<readonly number[]> {
  let pids: readonly number[] = [];
  await until("both workers serve", async () => {
    const named = await server.workerPids().catch(() => []); // the one that answers may be the killed one
    pids = named.filter(isRunning);
    return pids.length === WORKERS;
  });
  return pids;
}

/** One after the other, so that each client is hit and finds somebody at once. */
async function killEach(): Promise<void> {
  for (const pid of await workers()) {
    process.kill(pid, "SIGKILL");
    await until("another took its place", async () => !(await workers()).includes(pid));
  }
  await caughtUp("kill -9 of each worker");
}

async function again(on: number): Promise<void> {
  await server.stop(true);
  server = await startServer({ folder, port: on, toml, workers: WORKERS });
  publisher.server = server;
}

beforeAll(async () => {
  server = await startServer({ folder, port, toml, workers: WORKERS });
  publisher = new Publisher(server);
  for (const { title } of LIBRARIES)
    if (why.get(title) === null) clients.set(title, new LibraryClient(title, port, folder));
  publisher.start();
  await until(
    "all have begun",
    () => everyoneHas(new Map(CHANNELS.map((channel) => [channel, 0]))),
    BACK_WITHIN_MS,
  );

  await killEach();

  const before = await workers();
  writeFileSync(server.configFile, withSmallStore(ON_WIRE));
  server.process.kill("SIGHUP");
  await until("the workers of before have sent all away", () => !before.some(isRunning));
  await caughtUp("a reload, to the other listener");

  await killEach();

  await publisher.pause();
  await again(port);
  publisher.start();
  await caughtUp("a restart, with the first listener");

  await publisher.pause();
  await again(freePort());
  for (let i = 0; i < MISSED; i++) for (const channel of CHANNELS) await publisher.publish(channel);
  await again(port);
  publisher.start();
  await caughtUp("an absence");
  await publisher.pause();
  await caughtUp("the last message");
}, 120_000);

afterAll(async () => {
  await Promise.all([...clients.values()].map((client) => client.stop()));
  await server.stop();
});

describe("libraries whose worker is killed, server reloaded, restarted, and gone for too long", () => {
  for (const { title, resumes = true, hearsCloseCodes = false } of LIBRARIES) {
    const reason = why.get(title) ?? null;
    if (reason !== null) console.log(`skipped: ${title}: ${reason}`);
    test.skipIf(reason !== null)(title, () => {
      const client = clients.get(title);
      if (client === undefined) throw new Error("it was not started");
      expect(verdict(client.heard, publisher, resumes), client.errors).toEqual([]);
      const isTold = client.heard.some((one) => one.kind === "gap");
      expect(isTold, "told of what came while it was away").toBe(resumes);
      if (hearsCloseCodes) expect(client.closeCodes).toEqual(expect.arrayContaining(CLOSE_CODES));
    });
  }
});
