// POST requests a second to a channel nobody subscribes to: 1 worker, 32 keep-alive connections, 100-byte bodies. The
// client is the load generator itself: one C loop that costs less per request than either server (the notes show it).

import type { Peer } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { median, ratios, withRange } from "../statistics.ts";
import {
  contest,
  type Entry,
  enter,
  leave,
  notMeasured,
  type Peers,
  type Row,
  type Sample,
  shares,
} from "./row.ts";

const CONNECTIONS = 32;
const FACTOR = 0.6;
const FIGURE = "POST requests/s, no subscriber, 32 connections";
const TARGET = `at least ${FACTOR}x Nchan`;

function rates(samples: readonly Sample[]): number[] {
  return samples.map(({ result }) => (1e6 * result.messages) / result.wallUs);
}

export const publishRow: Row = {
  name: "publish",
  async run(peers: Peers, plan: Plan) {
    const contenders = [peers.sluice, peers.nchan, peers.ceiling].filter(
      (peer): peer is Peer => peer !== null,
    );
    const entries: Entry[] = [];
    try {
      for (const peer of contenders) entries.push(await enter(peer, "stream", 0));
      const results = await contest(entries, CONNECTIONS, plan.rounds, plan);
      const samples = new Map(entries.map((entry, index) => [entry.name, results[index] ?? []]));
      const notes = [...samples].map(([name, own]) => {
        const cost = median(own.map((one) => one.costUs)).toFixed(1);
        const p99 = median(own.map((one) => one.result.p99Us));
        return `POST, ${name}: ${withRange(rates(own), 0)} requests/s, ${cost} us of CPU each, p99 ${p99} us; ${shares(own)}`;
      });
      const ours = samples.get("sluice");
      const theirs = samples.get("nchan");
      if (ours === undefined || theirs === undefined) return { lines: [notMeasured(FIGURE, TARGET)], notes };
      const factors = ratios(rates(ours), rates(theirs));
      const values = `${median(rates(ours)).toFixed(0)} against ${median(rates(theirs)).toFixed(0)}`;
      const measured = `${withRange(factors)}x: ${values}`;
      return { lines: [{ figure: FIGURE, target: TARGET, measured, met: median(factors) >= FACTOR }], notes };
    } finally {
      await leave(entries);
    }
  },
};
