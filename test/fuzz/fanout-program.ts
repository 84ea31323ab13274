/**
 * The operations of the fan-out simulation, and how a run goes: at random, then to rest, then everybody
 * leaves.
 */
import { StreamSubscription } from "../../src/fanout/local-channel.ts";
import { TopicSubscription } from "../../src/fanout/topics.ts";
import { WaitingSubscription } from "../../src/fanout/waiting.ts";
import { LineFormat } from "../fanout/line-format.ts";
import { type Client, PollClient, SocketClient, StreamClient } from "./fanout-clients.ts";
import type { Life, Stand } from "./fanout-transcript.ts";
import type { SimulatedWorker, World } from "./fanout-world.ts";

const MOST_CLIENTS = 40;
const MOST_TURNS = 20_000;

const STREAM_FORMATS = [new LineFormat("st", false, false, false), new LineFormat("ev", true, false, false)];
const POSITIONED = new LineFormat("evn", true, true, false);
const SOCKET_FORMATS = [
  new LineFormat("ws", false, false, false),
  new LineFormat("json", true, false, false),
  new LineFormat("msgpack", true, false, true),
];
const POLL_FORMATS = [new LineFormat("lp", false, false, false), new LineFormat("lpev", false, false, false)];

type Seated = StreamClient | SocketClient | PollClient;

/** Repeats an operation in proportion to its weight. */
const OPERATIONS: readonly (readonly [number, (world: World, worker: SimulatedWorker) => void])[] = [
  [24, publish],
  [3, burst],
  [3, deleteOne],
  [14, join],
  [1, crowd],
  [6, leave],
  [10, drain],
  [3, ping],
  [3, pause],
  [3, passTime],
  [2, housekeeping],
];
const WEIGHTED = OPERATIONS.flatMap(
  ([weight, operation]) => new Array(weight).fill(operation) as (typeof operation)[],
);

export async function runProgram(world: World, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    const worker = world.pick(world.workers);
    if (worker === undefined) return;
    if (world.chance(45)) await world.clock.turn();
    else if (!world.clock.paused.has(worker.slot)) {
      const operation = world.pick(WEIGHTED);
      await world.clock.as(worker.slot, () => operation?.(world, worker));
    } else elsewhere(world, worker);
    world.checkCounts();
  }
  await rest(world);
  for (const { open } of world.workers) for (const client of open) client.check();
  for (const worker of world.workers) {
    for (const client of worker.open) await world.clock.as(worker.slot, () => client.leave());
  }
  await rest(world);
  world.checkCounts();
  world.checkEmpty();
}

/** Everything that waits is run, every full connection drained, until nothing moves any more. */
async function rest(world: World): Promise<void> {
  world.say("rest");
  world.clock.paused.clear();
  for (let quiet = 0, turns = 0; quiet < 3; turns++) {
    if (turns >= MOST_TURNS) throw new Error("it never comes to rest");
    const full = world.workers.flatMap(({ open }) => open.filter(({ isFull }) => isFull));
    for (const client of full) await world.clock.as(client.worker.slot, () => client.drain());
    // Long enough for every rest of a channel and the slow look of the pump.
    world.clock.pass(150);
    while (turns < MOST_TURNS && (await world.clock.turn())) turns++;
    quiet = world.clock.waiting === 0 && full.length === 0 ? quiet + 1 : 0;
  }
}

function publish(world: World, { store, fanout, slot }: SimulatedWorker): void {
  const name = world.name();
  const stored = world.chance(70);
  const size = world.chance(5) ? 3000 : 10 + world.below(300);
  world.say(`worker ${slot} publishes ${size} bytes to ${name}${stored ? "" : ", unstored"}`);
  world.publish(store, name, stored, size);
  fanout.published();
}

function burst(world: World, { store, fanout, slot }: SimulatedWorker): void {
  const name = world.name();
  const count = 2 + world.below(150);
  const storedOf100 = world.pick([0, 50, 100]) ?? 0;
  world.say(`worker ${slot} publishes ${count} messages to ${name}, ${storedOf100} % stored`);
  for (let i = 0; i < count; i++)
    world.publish(store, name, world.chance(storedOf100), 10 + world.below(100));
  fanout.published();
}

function deleteOne(world: World, { store, fanout, slot }: SimulatedWorker): void {
  const name = world.name();
  world.say(`worker ${slot} deletes ${name}`);
  world.delete(store, name);
  fanout.published();
}

function join(world: World, worker: SimulatedWorker): void {
  if (worker.open.length - worker.crowd > MOST_CLIENTS) return;
  const lives = new Set<Life>();
  for (let wanted = world.chance(60) ? 1 : 2 + world.below(2); wanted > 0; wanted--) {
    const life = world.life(world.name());
    if (life !== null) lives.add(life);
  }
  if (lives.size === 0) return;
  const client = newClient(world, worker, lives.size > 1);
  world.say(`${nameOf(client)} of worker ${worker.slot} joins ${[...lives].map(({ name }) => name)}`);
  // Another process may delete a channel right before, and between, the two looks.
  world.meanwhile();
  for (const life of lives) seat(world, client, life);
  world.meanwhile();
  worker.clients.add(client);
  client.join();
}

const nameOf = (client: Client): string => client.constructor.name;

function newClient(world: World, worker: SimulatedWorker, several: boolean): Seated {
  const kind = world.below(3);
  if (kind === 0) return new PollClient(worker, world.pick(POLL_FORMATS) ?? POSITIONED);
  if (kind === 1) return new SocketClient(worker, world.pick(SOCKET_FORMATS) ?? POSITIONED);
  const format = several && world.chance(60) ? POSITIONED : world.pick(STREAM_FORMATS);
  return new StreamClient(worker, format ?? POSITIONED);
}

/** As subscribe/ does it: from now, from a position that is owed, or with some history. */
function seat(world: World, client: Seated, life: Life): void {
  const { fanout, store } = client.worker;
  const channel = fanout.channel({
    index: life.index,
    incarnation: life.incarnation,
    name: Buffer.from(life.name),
  });
  world.seen.add(channel);
  const newest = store.publishedCount(life.index);
  const asked = client instanceof PollClient ? 0 : world.below(3);
  const from = asked === 0 ? newest : world.below(newest + 1);
  const owed = asked === 1 && client.format.tellsGaps;
  const historyUntil = owed || client instanceof PollClient ? 0 : newest;
  const stand: Stand = { life, last: from, historyUntil, ended: false };
  client.transcript.stands.push(stand);
  if (client instanceof PollClient)
    client.subscriptions = [...client.subscriptions, new WaitingSubscription(channel, client, from)];
  else if (client instanceof SocketClient) {
    const place = new TopicSubscription(channel, client, from, historyUntil);
    client.subscriptions = [...client.subscriptions, place];
  } else {
    const place = new StreamSubscription(channel, client, from, historyUntil);
    client.subscriptions = [...client.subscriptions, place];
  }
}

/** More than a walk does between two looks at the clock, or more than a native topic holds. */
function crowd(world: World, worker: SimulatedWorker): void {
  if (worker.crowd > 0) return;
  const life = world.life(world.name());
  if (life === null) return;
  const kind = world.below(3);
  const size = kind === 1 ? 1100 : 140;
  worker.crowd = size;
  world.say(`${size} of kind ${kind} of worker ${worker.slot} join ${life.name}`);
  for (let i = 0; i < size; i++) {
    const client =
      kind === 0
        ? new PollClient(worker, POLL_FORMATS[0] ?? POSITIONED)
        : kind === 1
          ? new SocketClient(worker, SOCKET_FORMATS[1] ?? POSITIONED)
          : new StreamClient(worker, STREAM_FORMATS[i % 2] ?? POSITIONED);
    seat(world, client, life);
    worker.clients.add(client);
    client.join();
  }
}

function leave(world: World, worker: SimulatedWorker): void {
  const client = world.pick(worker.open);
  if (client === undefined) return;
  world.say(`${nameOf(client)} of worker ${worker.slot} leaves`);
  client.leave();
}

function drain(world: World, worker: SimulatedWorker): void {
  world.pick(worker.open)?.drain();
}

function ping(world: World, worker: SimulatedWorker): void {
  const client = world.pick(worker.open);
  if (client instanceof StreamClient) client.ping();
}

/** Nothing runs in this worker, while others publish and delete: see elsewhere(). */
function pause(world: World, { slot }: SimulatedWorker): void {
  world.say(`worker ${slot} stands still`);
  world.clock.paused.add(slot);
}

/** What happens while a worker stands still, until it goes on. */
function elsewhere(world: World, worker: SimulatedWorker): void {
  const name = world.name();
  for (let i = world.below(30); i > 0; i--)
    world.publish(world.outsider, name, world.chance(60), 10 + world.below(100));
  if (world.chance(20)) world.delete(world.outsider, world.name());
  if (world.chance(20)) world.outsider.sweep(world.clock.nowMs);
  world.clock.pass(300);
  world.ringAll();
  if (world.chance(20)) world.clock.paused.delete(worker.slot);
}

function passTime(world: World): void {
  const ms = world.pick([5, 200, 1100, 7000]) ?? 0;
  world.say(`${ms} ms pass`);
  world.clock.pass(ms);
}

function housekeeping(world: World, { store, fanout, slot }: SimulatedWorker): void {
  world.say(`worker ${slot} keeps house`);
  store.sweep(world.clock.nowMs);
  if (world.chance(20)) world.clock.pass(61_000);
  fanout.closeStuck(performance.now());
}
