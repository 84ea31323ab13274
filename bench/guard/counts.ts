// What the guard counts, by door and transport: numbers that depend on the code and the runtime, not on the
// machine. Each is the least of a few tries where something may be added from outside (a timer, a
// collection), the median where it may go both ways.

import type { Transport } from "../peers/peer.ts";
import { DOORS, type Door } from "../peers/sluice-config.ts";
import { median } from "../statistics.ts";
import { type Counting, withWorker } from "./counted-worker.ts";
import { dataSegmentsSent } from "./segments.ts";
import { countCalls, type SystemCalls } from "./system-calls.ts";

export interface Count {
  readonly name: string;
  readonly value: number;
  /** What it may grow by at any rate: the least that means something. */
  readonly slack: number;
}

export interface Options {
  /** Whether strace may be used. */
  readonly traces: boolean;
}

const TRANSPORTS: readonly (readonly [Transport, string])[] = [
  ["stream", "stream"],
  ["sse", "SSE"],
  ["longpoll", "long poll"],
  ["ws", "WebSocket"],
];
const HELD_BEFORE = 500;
const HELD = 4000;
const READERS = 100;
const MESSAGES = 100;
const DELIVERIES = READERS * MESSAGES;
/** Until the code that delivers is compiled: less is allocated then. */
const WARM_UP_MESSAGES = 300;
const TRIES = 3;
const POSTS = 500;
/** With this the runtime never collects, and what the heap takes from the system is what is allocated. */
const NO_COLLECTOR = { BUN_JSC_useGC: "0" };

/** Each is a worker of its own and can be counted again by itself. */
export function groups(options: Options): (() => Promise<Count[]>)[] {
  return DOORS.flatMap((door) => [
    ...TRANSPORTS.map(
      ([transport, label]) =>
        () =>
          held(door, transport, label),
    ),
    // A poll is over with its first message.
    ...TRANSPORTS.filter(([transport]) => transport !== "longpoll").map(
      ([transport, label]) =>
        () =>
          delivered(door, transport, label, options),
    ),
    () => posted(door, options),
  ]);
}

/**
 * What a connection keeps on the heap while it waits: the least of two workers, as what the engine keeps for
 * itself at the moment of the reading comes on top. So many connections that a block of the heap more or less
 * is nothing.
 */
async function held(door: Door, transport: Transport, label: string): Promise<Count[]> {
  const readings = [await heldBy(door, transport), await heldBy(door, transport)];
  const name = `${door}, ${label}: `;
  return [
    {
      name: `${name}heap objects a held connection`,
      value: Math.min(...readings.map(({ objects }) => objects)),
      slack: 0.5,
    },
    {
      name: `${name}heap bytes a held connection`,
      value: Math.min(...readings.map(({ bytes }) => bytes)),
      // What comes on top differs by as much between two runs.
      slack: 80,
    },
  ];
}

interface Heap {
  readonly objects: number;
  readonly bytes: number;
}

async function heldBy(door: Door, transport: Transport): Promise<Heap> {
  return await withWorker(door, transport, {}, async ({ worker, swarm }) => {
    await swarm.grow(HELD_BEFORE);
    const before = await worker.heap();
    await swarm.grow(HELD_BEFORE + HELD);
    const after = await worker.heap();
    return {
      objects: (after.objects - before.objects) / HELD,
      bytes: (after.bytes - before.bytes) / HELD,
    };
  });
}

async function delivered(
  door: Door,
  transport: Transport,
  label: string,
  options: Options,
): Promise<Count[]> {
  return await withWorker(door, transport, NO_COLLECTOR, async (counting) => {
    const { worker, swarm, port } = counting;
    await swarm.grow(READERS);
    await swarm.several(WARM_UP_MESSAGES);
    const allocated: number[] = [];
    const encodes: number[] = [];
    const segments: number[] = [];
    for (let n = 0; n < TRIES; n++) {
      const [heap, encoded, sent] = [await worker.growth(), await worker.encodes(), dataSegmentsSent(port)];
      await swarm.several(MESSAGES);
      allocated.push((await worker.growth()) - heap);
      encodes.push((await worker.encodes()) - encoded);
      if (sent !== null) segments.push((dataSegmentsSent(port) ?? 0) - sent);
    }
    const name = `${door}, ${label}: `;
    return [
      { name: `${name}encodes a message`, value: Math.min(...encodes) / MESSAGES, slack: 0.05 },
      {
        name: `${name}bytes allocated over ${DELIVERIES} deliveries`,
        value: median(allocated),
        // The heap grows by blocks of 16 kB for each size of object.
        slack: 16 * 16384,
      },
      ...(segments.length === 0
        ? []
        : [
            {
              name: `${name}TCP segments a delivery`,
              value: Math.min(...segments) / DELIVERIES,
              slack: 0.05,
            },
          ]),
      ...callCounts(await traced(counting, () => swarm.several(MESSAGES), options), DELIVERIES, {
        writes: `${name}writes a delivery`,
        all: `${name}socket calls a delivery`,
      }),
    ];
  });
}

/** A POST to a channel nobody subscribes to, over one connection that stays. */
async function posted(door: Door, options: Options): Promise<Count[]> {
  return await withWorker(door, "stream", NO_COLLECTOR, async (counting) => {
    const { worker, swarm } = counting;
    await swarm.several(WARM_UP_MESSAGES * 10);
    const allocated: number[] = [];
    for (let n = 0; n < TRIES; n++) {
      const heap = await worker.growth();
      await swarm.several(POSTS * 10);
      allocated.push((await worker.growth()) - heap);
    }
    return [
      { name: `${door}: bytes allocated a POST`, value: median(allocated) / (POSTS * 10), slack: 100 },
      ...callCounts(await traced(counting, () => swarm.several(POSTS), options), POSTS, {
        writes: `${door}: writes a POST`,
        all: `${door}: socket calls a POST`,
      }),
    ];
  });
}

async function traced(
  { worker }: Counting,
  job: () => Promise<unknown>,
  { traces }: Options,
): Promise<SystemCalls[]> {
  const tries: SystemCalls[] = [];
  for (let n = 0; traces && n < TRIES; n++) tries.push(await countCalls(worker.pid, job));
  return tries;
}

function callCounts(
  tries: readonly SystemCalls[],
  work: number,
  names: Readonly<Record<keyof SystemCalls, string>>,
): Count[] {
  if (tries.length === 0) return [];
  const least = (pick: (calls: SystemCalls) => number) => Math.min(...tries.map(pick)) / work;
  return [
    { name: names.writes, value: least(({ writes }) => writes), slack: 0.02 },
    { name: names.all, value: least(({ all }) => all), slack: 0.02 },
  ];
}
