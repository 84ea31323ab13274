// p99 of publish-to-last-subscriber at 20 messages a second to 1,000 stream subscribers. A door of sluice and
// Nchan run at the same time with their publishes half a period (25 ms) apart: a fan-out takes 5 to 15 ms, so
// each has the machine for itself, and every disturbance of the machine meets both alike; who goes first
// changes each round. The ceiling runs alone, as a third in the period would overlap. Latency counts from
// when a publish was due, so a stall cannot hide samples.

import type { Chart } from "../charts/chart.ts";
import type { Peer } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { percentile, withRange } from "../statistics.ts";
import { type Entry, enter, type Line, leave, type Peers, present, type Row, ratioLine } from "./row.ts";

const SUBSCRIBERS = 1000;
const HZ = 20;
const FIGURE = "p99 publish to last subscriber, 20 messages/s to 1,000";
const TARGET = "below Nchan";

async function round(entries: readonly Entry[], ms: number): Promise<number[][]> {
  const apartMs = 1000 / HZ / entries.length;
  const runs = entries.map(async (entry, index) => {
    await Bun.sleep(index * apartMs);
    return (await entry.swarm.pace(HZ, ms)).samplesUs ?? [];
  });
  return (await Promise.all(runs)).map((samples) => samples.map((us) => us / 1000));
}

interface Result {
  readonly name: string;
  /** One p99 a round, in ms. */
  readonly p99: readonly number[];
  readonly all: readonly number[];
}

/** Rounds in which all `contenders` take part at the same time. */
async function measure(contenders: readonly Peer[], rounds: number, plan: Plan): Promise<Result[]> {
  const entries: Entry[] = [];
  try {
    for (const peer of contenders) entries.push(await enter(peer, "stream", SUBSCRIBERS));
    const byEntry = new Map<Entry, number[][]>(entries.map((entry) => [entry, []]));
    await round(entries, plan.warmUpMs);
    for (let n = 0; n < rounds; n++) {
      const order = n % 2 === 0 ? entries : entries.toReversed();
      const samples = await round(order, plan.latencyMs);
      for (const [index, entry] of order.entries()) byEntry.get(entry)?.push(samples[index] ?? []);
    }
    return [...byEntry].map(([{ name }, own]) => {
      return { name, p99: own.map((samples) => percentile(samples, 0.99)), all: own.flat() };
    });
  } finally {
    await leave(entries);
  }
}

function describe({ name, p99, all }: Result): string {
  const half = percentile(all, 0.5).toFixed(2);
  const worst = Math.max(...all).toFixed(1);
  return `latency, ${name}: p99 ${withRange(p99)} ms, median ${half} ms, worst of ${all.length}: ${worst} ms`;
}

const SHARES = [0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999] as const;

function chartOf(results: readonly Result[]): Chart {
  return {
    file: "latency",
    title: "Publish to last of 1,000 stream subscribers, 20 messages a second",
    x: { label: "share of messages", scale: "tail" },
    y: { label: "ms, from when the publish was due", scale: "linear" },
    series: results.map(({ name, all }) => ({
      name,
      points: SHARES.map((share) => [share, percentile(all, share)]),
    })),
  };
}

export const latencyRow: Row = {
  name: "latency",
  async run(peers: Peers, plan: Plan) {
    const lines: Line[] = [];
    const shown: Result[] = [];
    for (const door of peers.doors) {
      const results = await measure(present(door, peers.nchan), plan.latencyRounds, plan);
      const p99 = new Map(results.map((result) => [result.name, result.p99]));
      const figure = `${FIGURE}, ${door.name}`;
      lines.push(ratioLine(p99, [door.name, "nchan"], { figure, target: TARGET, limit: 1, unit: " ms" }));
      shown.push(...results.filter(({ name }) => shown.every((one) => one.name !== name)));
    }
    shown.push(...(await measure([peers.ceiling], 1, plan)));
    return { lines, notes: shown.map(describe), charts: [chartOf(shown)] };
  },
};
