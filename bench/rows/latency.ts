// p99 of publish-to-last-subscriber at 20 messages a second to 1,000 stream subscribers. The contenders run at the same
// time with their publishes a third of a period apart, so each fan-out has the machine for itself and every disturbance
// of the machine meets all of them alike. Latency counts from when a publish was due, so a stall cannot hide samples.

import type { Peer } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { median, percentile, ratios, withRange } from "../statistics.ts";
import { type Entry, enter, leave, notMeasured, type Peers, type Row } from "./row.ts";

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

async function measure(entries: readonly Entry[], plan: Plan) {
  const samplesByRound: number[][][] = [];
  await round(entries, plan.warmUpMs);
  for (let n = 0; n < plan.latencyRounds; n++) samplesByRound.push(await round(entries, plan.latencyMs));
  return entries.map((entry, index) => {
    const rounds = samplesByRound.map((samples) => samples[index] ?? []);
    return { name: entry.name, p99: rounds.map((samples) => percentile(samples, 0.99)), all: rounds.flat() };
  });
}

export const latencyRow: Row = {
  name: "latency",
  async run(peers: Peers, plan: Plan) {
    const contenders = [peers.sluice, peers.nchan, peers.ceiling].filter(
      (peer): peer is Peer => peer !== null,
    );
    const entries: Entry[] = [];
    try {
      for (const peer of contenders) entries.push(await enter(peer, "stream", SUBSCRIBERS));
      const results = await measure(entries, plan);
      const notes = results.map(({ name, p99, all }) => {
        const half = percentile(all, 0.5).toFixed(2);
        const worst = Math.max(...all).toFixed(1);
        return `latency, ${name}: p99 ${withRange(p99)} ms, median ${half} ms, worst of ${all.length}: ${worst} ms`;
      });
      const ours = results.find((result) => result.name === "sluice")?.p99;
      const theirs = results.find((result) => result.name === "nchan")?.p99;
      if (ours === undefined || theirs === undefined) return { lines: [notMeasured(FIGURE, TARGET)], notes };
      const factors = ratios(ours, theirs);
      const measured = `${withRange(factors)}x: ${median(ours).toFixed(2)} ms against ${median(theirs).toFixed(2)} ms`;
      return { lines: [{ figure: FIGURE, target: TARGET, measured, met: median(factors) < 1 }], notes };
    } finally {
      await leave(entries);
    }
  },
};
