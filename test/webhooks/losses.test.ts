/**
 * Webhooks while everything is taken away: a worker, the one that sends, main, the daemon; and a receiver
 * that hangs, refuses, redirects and resets at random. Every publish that was acknowledged is told at least
 * once; of what is told for the first time, each channel is in order; subscribers that went with their
 * processes are told to be gone.
 */
import { afterEach, expect, test } from "bun:test";
import { freePort, layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { randomBelow } from "../random.ts";
import { hook, type Manner, Receiver } from "./receiver.ts";
import { Standing } from "./standing.ts";

const FAULTS: readonly Manner[] = ["500", "redirect", "reset", "hang"];

let server: RunningServer;
let receiver: Receiver;
let load: Load | null = null;

afterEach(async () => {
  await load?.end();
  load = null;
  await server.stop();
  receiver.stop();
  expect(receiver.faults).toEqual([]);
  expect(server.log).not.toContain("stack=");
});

const toml = (): string =>
  layout(
    `[webhooks]\nvacated_after = "200ms"\n` +
      `${hook(receiver, ["published", "occupied", "vacated"], 'timeout = "100ms"\nbatch_events = 200')}`,
    { ev: 'event_ids = "auto"' },
  );

/** Publishers that never rest, one a channel; what was answered is taken, what broke off may be. */
class Load {
  readonly taken = new Map<string, string[]>();
  readonly doubtful = new Set<string>();
  #isOn = true;
  readonly #publishers: Promise<void>[];

  constructor(channels: readonly string[]) {
    this.#publishers = channels.map((channel) => this.#publish(channel));
  }

  async end(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#publishers);
  }

  async #publish(channel: string): Promise<void> {
    const taken: string[] = [];
    this.taken.set(channel, taken);
    for (let at = 0; this.#isOn; at++) {
      const data = `${channel}:${at}`;
      try {
        const { status } = await server.publish(channel, data);
        if (status !== 200) throw new Error(`answered ${status}`);
        taken.push(data);
        await Bun.sleep(10);
      } catch {
        this.doubtful.add(data);
        await Bun.sleep(10);
      }
    }
  }
}

/** In the order in which each was told for the first time. */
function firstTold(channel: string): string[] {
  const told = receiver.events.filter(({ event, channel: of }) => event === "published" && of === channel);
  return [...new Set(told.map(({ data }) => data ?? ""))];
}

function isTold(channel: string, taken: readonly string[]): boolean {
  const told = new Set(firstTold(channel));
  return taken.every((data) => told.has(data));
}

test("nothing that was acknowledged is untold, and each channel is in order, whoever is killed", async () => {
  receiver = new Receiver();
  const port = freePort();
  server = await startServer({ toml: toml(), port });
  const { folder } = server;
  const draw = randomBelow(7);
  // A third of all requests.
  receiver.manner = () => FAULTS[draw(12)] ?? "take";
  const publishing = new Load(["a", "b", "c", "d"]);
  load = publishing;
  const grows = async (what: string): Promise<void> => {
    const before = receiver.events.length;
    await until(`more is told ${what}`, () => receiver.events.length > before + 10);
  };
  await grows("at first");
  const first = await Standing.in(server.url, "room");
  await until("occupied", () => receiver.told.includes("occupied room"));
  // One of the two sends.
  for (const pid of await server.workerPids()) {
    process.kill(pid, "SIGKILL");
    await grows("after a worker was killed");
    await until("both workers", async () => (await server.workerPids()).length === 2);
  }
  await until("who went with his worker is gone", () => receiver.told.includes("vacated room"));
  process.kill(server.process.pid, "SIGHUP");
  await grows("after a reload");
  const second = await Standing.in(server.url, "hall");
  await until("occupied", () => receiver.told.includes("occupied hall"));
  server.process.kill("SIGKILL");
  await server.process.exited;
  server = await startServer({ toml: toml(), port, folder });
  await grows("after main was killed");
  await until("who went with all of them is gone", () => receiver.told.includes("vacated hall"));
  expect([first.isThere, second.isThere]).toEqual([true, true]);
  await server.stop(true);
  server = await startServer({ toml: toml(), port, folder });
  await grows("after a restart");
  await publishing.end();
  receiver.manner = () => "take";
  for (const [channel, taken] of publishing.taken) {
    await until(`${channel} is told`, () => isTold(channel, taken));
    const told = firstTold(channel);
    const numbers = told.map((data) => Number(data.split(":")[1]));
    expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    const unknown = told.filter((data) => !taken.includes(data) && !publishing.doubtful.has(data));
    expect(unknown).toEqual([]);
  }
  expect(receiver.events.filter(({ event }) => event === "gap")).toEqual([]);
  await until(
    "the backlog is drained",
    async () => (await server.metric("sluice_webhook_backlog_events")) === 0,
  );
}, 60_000);

test("a receiver that is away for long costs its backlog, is told of the gap; no other loses", async () => {
  receiver = new Receiver();
  const other = new Receiver();
  const { port } = receiver;
  receiver.stop();
  const hooks = `${hook(receiver, ["published"])}\n${hook(other, ["published"], "", "other")}`;
  server = await startServer({
    toml: layout(`[webhooks]\nbacklog = "64KiB"\n[store]\nsize = "8MiB"\n${hooks}`),
  });
  const data = (at: number): string => `${at}`.padEnd(600, ".");
  for (let at = 0; at < 200; at++) {
    await server.publish("a", data(at));
    // The backlog is small, and the other keeps pace.
    if (at % 20 === 19) await until("the other has all", () => other.events.length === at + 1);
  }
  expect((await server.statistics("a")).stored_messages).toBe(200);
  receiver = new Receiver(port);
  await until("told of the last", () => receiver.events.at(-1)?.data === data(199), 25_000);
  // What was on its way when the receiver went is here; behind it the gap, and what there still was.
  const gapAt = receiver.events.findIndex(({ event }) => event === "gap");
  const missed = Number(receiver.events[gapAt]?.missed);
  expect(missed).toBeGreaterThan(50);
  const there = Array.from({ length: 200 }, (_, at) => data(at));
  there.splice(gapAt, missed);
  expect(receiver.events.toSpliced(gapAt, 1).map((event) => event.data)).toEqual(there);
  other.stop();
}, 40_000);
