// What presence costs: `bun bench/presence.ts` (dist/sluice has to be there), or the row `presence` of the
// bench. One worker, so that whoever waits for a list would be seen to wait.
//
//   list    100,000 members in one channel, who came by polls (each a member for as long as it may linger): a
//           full read of the list, and how long other requests waited meanwhile, which is an event-loop turn
//           at most
//   joins   event streams that come and go: CPU of the worker a coming, where how many there are is told, and
//           where nobody is counted
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import { childrenOf, cpuUs } from "./process-figures.ts";
import { median } from "./statistics.ts";

export interface PresenceFigures {
  readonly members: number;
  /** A full read, milliseconds, by round. */
  readonly readMs: readonly number[];
  readonly bytes: number;
  /** Longest wait of another request during a read, and without one, milliseconds, by round. */
  readonly waitMs: readonly number[];
  readonly idleWaitMs: readonly number[];
  /** Worker CPU a coming and going, microseconds: counted, and not. */
  readonly joinUs: readonly number[];
  readonly plainUs: readonly number[];
}

const SECRET = "a secret of the bench, of 32 bytes and more";
const binary = process.env["SLUICE_BINARY"] ?? join(import.meta.dir, "../dist/sluice");
const CONNECTIONS = 32;

const config = (members: number): string => `
[store]
size = "32MiB"
presence_members = ${members + 1000}
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:HUB_KEY"
[[location]]
match = "~ ^/poll/(.*)$"
subscriber = "polling"
channels_path = "$1"
token_issuers = ["app"]
presence = "members"
presence_linger = "10m"
[[location]]
match = "~ ^/counted/(.*)$"
subscriber = "eventsource"
event_ids = "auto"
channels_path = "$1"
presence = "count"
presence_linger = "0s"
[[location]]
match = "~ ^/plain/(.*)$"
subscriber = "eventsource"
event_ids = "auto"
channels_path = "$1"
[[location]]
match = "~ ^/presence/(.*)$"
presence_list = true
channels_path = "$1"
`;

export async function measurePresence(
  port: number,
  members: number,
  rounds: number,
): Promise<PresenceFigures> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-bench-presence-"));
  writeFileSync(join(folder, "sluice.toml"), config(members));
  const args = ["--config", join(folder, "sluice.toml"), "--listen", `127.0.0.1:${port}`, "--workers", "1"];
  const server = Bun.spawn([binary, "serve", ...args], {
    env: { ...process.env, RUNTIME_DIRECTORY: folder, HUB_KEY: SECRET },
    stderr: "ignore",
    stdout: "ignore",
  });
  const url = `http://127.0.0.1:${port}`;
  try {
    await ready(url);
    const workers = childrenOf(server.pid);
    // In a channel that is not there nobody is found by polling.
    void hold(port, "/plain/room", 600_000);
    await fill(url, members);
    const reads = [];
    for (let round = 0; round < rounds; round++) reads.push(await read(url, members));
    const joins: number[][] = [[], []];
    for (let round = -1; round < rounds; round++) {
      for (const [i, path] of ["/counted/room", "/plain/room"].entries()) {
        const cost = await joinCost(port, path, workers);
        if (round >= 0) joins[i]?.push(cost);
      }
    }
    return {
      members,
      readMs: reads.map(({ readMs }) => readMs),
      bytes: reads[0]?.bytes ?? 0,
      waitMs: reads.map(({ waitMs }) => waitMs),
      idleWaitMs: reads.map(({ idleWaitMs }) => idleWaitMs),
      joinUs: joins[0] ?? [],
      plainUs: joins[1] ?? [],
    };
  } finally {
    server.kill("SIGTERM");
    await server.exited;
    rmSync(folder, { recursive: true, force: true });
  }
}

async function ready(url: string): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const isReady = await fetch(`${url}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    await Bun.sleep(20);
  }
  throw new Error("sluice is not ready");
}

const signed = (sub: string): Promise<string> =>
  new SignJWT({ info: { name: `Name of ${sub}` }, channels: { subscribe: ["*"] } })
    .setSubject(sub)
    .setExpirationTime("1h")
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(SECRET));

/** A poll for each member, over connections that stay. */
async function fill(url: string, members: number): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < members) {
      const token = await signed(`member-${next++}`);
      const { status } = await fetch(`${url}/poll/room`, {
        headers: { Authorization: `Bearer ${token}` },
      });
      if (status !== 304 && status !== 200) throw new Error(`a poll was answered ${status}`);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
}

async function read(url: string, members: number) {
  const idleWaitMs = await longestWait(url, Bun.sleep(300));
  const startMs = performance.now();
  let readMs = 0;
  let bytes = 0;
  const reading = fetch(`${url}/presence/room`)
    .then((response) => response.bytes())
    .then((body) => {
      readMs = performance.now() - startMs;
      bytes = body.length;
      const { length } = JSON.parse(new TextDecoder().decode(body)).members;
      if (length < members) throw new Error(`${length} members in the list instead of ${members}`);
    });
  const waitMs = await longestWait(url, reading);
  return { readMs, bytes, waitMs, idleWaitMs };
}

/**
 * Of small requests, one after the other, until `until`. This process parses nothing meanwhile but what
 * comes.
 */
async function longestWait(url: string, until: Promise<unknown>): Promise<number> {
  let isOver = false;
  const over = until.finally(() => {
    isOver = true;
  });
  let longest = 0;
  const prober = Bun.spawn([process.execPath, "-e", PROBE, `${url}/health/live`], {
    stdin: "pipe",
    stdout: "pipe",
  });
  while (!isOver) await Bun.sleep(1);
  prober.stdin.end();
  longest = Number(await new Response(prober.stdout).text());
  await over;
  return longest;
}

/** In a process of its own: what this one is busy with is none of the server's waits. */
const PROBE = `
let isOver = false, longest = 0;
process.stdin.on("end", () => { isOver = true; }).resume();
for (let i = 0; !isOver; i++) {
  const t = performance.now();
  await (await fetch(process.argv[1])).text();
  if (i > 20) longest = Math.max(longest, performance.now() - t);
}
console.log(longest);`;

const JOINS_A_SECOND = 1000;
const JOIN_SECONDS = 3;

/** Worker CPU a stream that comes, stands for a second, and goes: a thousand a second. */
async function joinCost(port: number, path: string, workers: readonly number[]): Promise<number> {
  const before = cpuUs(workers);
  const joins = JOINS_A_SECOND * JOIN_SECONDS;
  await held(port, path, joins, 1000);
  return (cpuUs(workers) - before) / joins;
}

/** Opens so many, a thousand a second, each for `standMs`. */
async function held(port: number, path: string, count: number, standMs: number): Promise<void> {
  const all: Promise<void>[] = [];
  const startMs = performance.now();
  for (let opened = 0; opened < count; ) {
    const due = Math.min(count, Math.ceil(((performance.now() - startMs) / 1000) * JOINS_A_SECOND));
    for (; opened < due; opened++) all.push(hold(port, path, standMs));
    await Bun.sleep(2);
  }
  await Promise.all(all);
}

function hold(port: number, path: string, standMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  void Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => {
        socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        setTimeout(() => socket.end(), standMs).unref();
      },
      data: () => undefined,
      close: () => resolve(),
      error: (_, error) => reject(error),
    },
  });
  return promise;
}

if (import.meta.main) {
  const figures = await measurePresence(
    17_292,
    Number(process.env["MEMBERS"] ?? 100_000),
    Number(process.env["ROUNDS"] ?? 5),
  );
  const { members, readMs, bytes, waitMs, idleWaitMs, joinUs, plainUs } = figures;
  const ms = (values: readonly number[]): string => `${median(values).toFixed(1)} ms`;
  console.log(`${members} members, ${(bytes / 1e6).toFixed(1)} MB: read in ${ms(readMs)}`);
  console.log(`longest wait of other requests meanwhile ${ms(waitMs)}, without a read ${ms(idleWaitMs)}`);
  const counted = median(joinUs);
  const plain = median(plainUs);
  const share = (counted * JOINS_A_SECOND) / 1e4;
  console.log(
    `a stream that comes and goes: ${counted.toFixed(0)} us counted, ` +
      `${plain.toFixed(0)} us not (${(counted / plain).toFixed(2)}x); ` +
      `${JOINS_A_SECOND} a second: ${share.toFixed(0)} % of a core`,
  );
}
