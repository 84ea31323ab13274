/**
 * Workers that are stopped at any moment, also while they own the store's lock (a debugger, a freezer, a slow
 * disk): the others and their connections notice nothing, publishing is late or refused for the moment, and
 * main replaces who does not go on.
 *
 * SLUICE_STALL_SECONDS makes the random part longer, SLUICE_STALL_SEED repeats one.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HEAD_LOCK, HEADER_BYTES } from "../../src/store/memory/layout-header.ts";
import { randomBelow } from "../random.ts";
import { HeldClient, TRANSPORTS } from "./held-client.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

/** In which a publish has to be answered, 503 included. */
const ANSWERED_MS = 3000;
const WORKERS = 3;
const SENT_BY_SOCKET = [501, 502, 503];
const isOfSocket = (number: number): boolean => SENT_BY_SOCKET.includes(number);

let server: RunningServer;
let header: Int32Array<ArrayBuffer>;
let clients: HeldClient[] = [];

afterEach(async () => {
  for (const client of clients) client.close();
  clients = [];
  await server.stop();
});

async function serve(events: boolean): Promise<void> {
  // Messages as the clients read them, and nothing that ends a connection by the clock.
  const location = 'message_template = "<~text~>"';
  const toml = layout(`${events ? 'events_channel_id = "events"' : ""}\n[store]\nsize = "32MiB"`, {
    sub: location,
    ev: 'message_template = "<~text~>"\nevent_ids = "auto"',
    lp: location,
    poll: `${location}\nallow_connections_to_events_channel = true`,
    ws: `${location}\nwebsocket_allow_publish = true\nstore_messages = true`,
  });
  server = await startServer({ toml, workers: WORKERS });
  const storePath = / store=(\S+)/.exec(server.log)?.[1] ?? "";
  const bytes = Bun.mmap(storePath, { shared: true });
  header = new Int32Array(bytes.buffer, bytes.byteOffset, HEADER_BYTES / 4);
}

/** Main's children, whatever the server itself can tell at the moment. */
function workersNow(): number[] {
  const main = server.process.pid;
  const text = readFileSync(join("/proc", String(main), "task", String(main), "children"), "latin1");
  return text
    .split(" ")
    .map(Number)
    .filter((pid) => pid > 1);
}

/**
 * A signal to a worker of this server, and to nothing else. Not by the list of children, which may leave out
 * one while another ends.
 */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    if (status.includes(`\nPPid:\t${server.process.pid}\n`)) process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error)) throw error; // it is gone
  }
}

function hold(transport: (typeof TRANSPORTS)[number]): HeldClient {
  const client = new HeldClient({ port: server.port, transport, channel: "c", pids: () => workersNow() });
  clients.push(client);
  return client;
}

/** As if it had been stopped between taking the lock and the first change. */
async function stopWithLock(pid: number): Promise<boolean> {
  signal(pid, "SIGSTOP");
  await Bun.sleep(5);
  return Atomics.compareExchange(header, HEAD_LOCK, 0, pid) === 0 || lockOwner() === pid;
}

const lockOwner = (): number => Atomics.load(header, HEAD_LOCK);

/**
 * How long this test's own process stood still, on a machine that has other things to do: nothing that the
 * server could help.
 */
const pauses = { ms: 0, lastTickMs: performance.now() };
const TICK_MS = 20;
setInterval(() => {
  const nowMs = performance.now();
  pauses.ms += Math.max(0, nowMs - pauses.lastTickMs - 2 * TICK_MS);
  pauses.lastTickMs = nowMs;
}, TICK_MS).unref();

/** What became of a publish. A connection that breaks was one to a worker that died. */
interface Published {
  readonly status: number;
  readonly tookMs: number;
}

async function publish(text: string): Promise<Published> {
  // A tick of its own ends before and after, so that no pause is counted by half.
  await Bun.sleep(TICK_MS / 4);
  const [startMs, pausedMs] = [performance.now(), pauses.ms];
  let status = 0;
  try {
    const headers = { Connection: "close" };
    status = (await fetch(`${server.url}/pub?id=c`, { method: "POST", body: text, headers })).status;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  const tookMs = performance.now() - startMs;
  // The pause that this turn comes from is known to the timer in a moment.
  await Bun.sleep(TICK_MS);
  return { status, tookMs: tookMs - (pauses.ms - pausedMs) };
}

const deaths = (): { pid: number; line: string }[] =>
  server.log
    .split("\n")
    .filter((line) => line.includes(" main: worker died"))
    .map((line) => ({ pid: Number(/ pid=(\d+)/.exec(line)?.[1]), line }));

/** Nobody died who was not stopped, no connection of anybody else broke, and nobody threw. */
function expectOnlyVictims(victims: ReadonlySet<number>): void {
  expect(deaths().filter(({ pid }) => !victims.has(pid))).toEqual([]);
  const innocent = clients.filter(({ broken, worker }) => broken && worker !== 0 && !victims.has(worker));
  expect(innocent.map(({ transport, worker, status }) => ({ transport, worker, status }))).toEqual([]);
  expect(server.log).not.toContain("uncaught");
  expect(server.log).not.toContain("stack=");
}

/**
 * Each client has read what the channel has, in order and nothing twice; those that came late began later.
 */
function expectInOrder(): void {
  for (const { messages: all, transport } of clients) {
    const messages = all.filter((number) => !isOfSocket(number));
    const sorted = [...new Set(messages)].sort((left, right) => left - right);
    if (messages.length !== sorted.length || messages.some((number, at) => number !== sorted[at]))
      throw new Error(`${transport}: ${messages.join(" ").slice(0, 400)}`);
  }
}

describe.each([false, true])("a worker stopped with the lock in its hands, events channel %p", (events) => {
  test("is replaced, and the others' subscribers and publishers hardly notice", async () => {
    await serve(events);
    const all = workersNow();
    for (let i = 0; i < 30; i++) hold(TRANSPORTS[i % TRANSPORTS.length] ?? "ev");
    await until("all are answered", () =>
      clients.every(({ worker, transport }) => worker !== 0 || transport === "lp"),
    );
    expect(new Set(clients.map(({ worker }) => worker)).size).toBeGreaterThan(1);
    const victim = all.find((pid) => clients.some(({ worker }) => worker === pid)) ?? 0;
    expect(await stopWithLock(victim)).toBeTrue();
    const socket = clients.find(({ transport, worker }) => transport === "ws" && worker !== victim);
    for (const number of SENT_BY_SOCKET) socket?.publish(String(number));
    const outcomes: Published[] = [];
    for (let i = 1; i <= 12; i++) outcomes.push(await publish(String(i)));
    expect(outcomes.filter(({ tookMs }) => tookMs > ANSWERED_MS)).toEqual([]);
    // Those on a healthy worker waited until the lock was free again.
    expect(outcomes.filter(({ status }) => status === 200).length).toBeGreaterThan(4);
    expect(outcomes.filter(({ status }) => ![200, 503, 0].includes(status))).toEqual([]);
    await until("it is replaced", () => workersNow().length === WORKERS && !workersNow().includes(victim));
    const after = await publish("1000");
    expect(after.status).toBe(200);
    await until("all others have the last one", () =>
      clients.every(({ broken, messages }) => broken || messages.at(-1) === 1000),
    );
    expect(deaths().map(({ line }) => line.includes("stood still while it held"))).toEqual([true]);
    expectOnlyVictims(new Set([victim]));
    expectInOrder();
    // A socket gets no answer that says "later": what it sent waited, in its order.
    for (const { messages } of clients.filter(({ broken }) => !broken))
      expect(messages.filter(isOfSocket)).toEqual(SENT_BY_SOCKET);
    if (!events) return;
    // What main tells in its place, when it can.
    const gone = clients.filter(
      ({ broken, transport }) => broken && transport !== "poll" && transport !== "lp",
    );
    await until("their ends are told", async () => {
      const { text } = await server.request("/poll/events.b1000");
      return text.split("client_unsubscribed").length > gone.length;
    });
  }, 30_000);
});

/** Publishers that never rest, on connections and on WebSockets, until they are told to. */
class Load {
  readonly outcomes: Published[] = [];
  #running = true;
  #next = 1;
  readonly #publishers: Promise<void>[];

  constructor(publishers: number) {
    this.#publishers = Array.from({ length: publishers }, () => this.#run());
  }

  async end(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#publishers);
  }

  async #run(): Promise<void> {
    while (this.#running) {
      this.outcomes.push(await publish(String(this.#next++)));
      await Bun.sleep(1);
    }
  }
}

test(
  "stops, continues and kills at random moments: no healthy worker dies, none of its connections breaks",
  async () => {
    const seconds = Number(process.env["SLUICE_STALL_SECONDS"] ?? 6);
    const seed = Number(process.env["SLUICE_STALL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    const random = randomBelow(seed);
    await serve(seed % 2 === 0);
    const load = new Load(4);
    const victims = new Set<number>();
    let [stops, stalls, kills] = [0, 0, 0];
    const endMs = performance.now() + seconds * 1000;
    while (performance.now() < endMs) {
      const standing = clients.filter(({ broken }) => !broken);
      for (let i = standing.length; i < 25; i++) hold(TRANSPORTS[random(TRANSPORTS.length)] ?? "ev");
      await Bun.sleep(random(40));
      const alive = workersNow();
      const pid = alive[random(alive.length)] ?? 0;
      stops++;
      signal(pid, "SIGSTOP");
      await Bun.sleep(random(30));
      const kind = random(20);
      if (kind === 0) {
        kills++;
        victims.add(pid);
        signal(pid, "SIGKILL");
      } else if (lockOwner() === pid || (kind === 1 && (await stopWithLock(pid)))) {
        stalls++;
        victims.add(pid);
        await until("main ends it", () => !workersNow().includes(pid), ANSWERED_MS);
      } else signal(pid, "SIGCONT");
    }
    for (const pid of workersNow()) signal(pid, "SIGCONT");
    await load.end();
    const told = `SLUICE_STALL_SEED=${seed}: ${stops} stops, ${stalls} with the lock, ${kills} kills`;
    const byStatus = new Map<number, number>();
    for (const { status } of load.outcomes) byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    const slowest = Math.max(...load.outcomes.map(({ tookMs }) => tookMs));
    console.log(
      told,
      Object.fromEntries(byStatus),
      `slowest ${Math.round(slowest)} ms, ${clients.length} clients`,
    );
    try {
      expect(slowest).toBeLessThan(ANSWERED_MS);
      expect([...byStatus.keys()].filter((status) => ![200, 503, 0].includes(status))).toEqual([]);
      await until("all workers are back", () => workersNow().length === WORKERS);
      expect((await publish("100000000")).status).toBe(200);
      expectOnlyVictims(victims);
    } catch (error) {
      throw new Error(`${told}: ${error}\n${server.log.slice(-3000)}`, { cause: error });
    }
  },
  Number(process.env["SLUICE_STALL_SECONDS"] ?? 6) * 1000 + 30_000,
);
