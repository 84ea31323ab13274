// POST requests a second to a channel nobody subscribes to: 1 worker, 32 keep-alive connections, 100-byte
// bodies. The client is the load generator itself: one C loop that costs less per request than any server
// here (the notes show it).

import { bare } from "../peers/bare.ts";
import type { Plan } from "../plan.ts";
import { median, withRange } from "../statistics.ts";
import {
  contest,
  type Entry,
  enter,
  type Line,
  leave,
  type Peers,
  present,
  type Row,
  ratioLine,
  type Sample,
  shares,
} from "./row.ts";

const CONNECTIONS = 32;
const WIRE_FACTOR = 1;
const NATIVE_FACTOR = 1.35;
const FIGURE = "POST, no subscriber, 32 connections";

function rates(samples: readonly Sample[]): number[] {
  return samples.map(({ result }) => (1e6 * result.messages) / result.wallUs);
}

/**
 * The wire door is set against another server of its own kind, the native one against the server it stands
 * on.
 */
function doorLine(door: string, samples: ReadonlyMap<string, readonly Sample[]>): Line {
  const costs = new Map([...samples].map(([name, own]) => [name, own.map(({ costUs }) => costUs)]));
  if (door !== "wire") {
    const target = `at most ${NATIVE_FACTOR}x a bare Bun.serve`;
    const figure = `CPU per ${FIGURE}, ${door}`;
    return ratioLine(costs, [door, bare.name], { figure, target, limit: NATIVE_FACTOR, unit: " us" });
  }
  const rates = new Map([...costs].map(([name, own]) => [name, own.map((us) => 1e6 / us)]));
  return ratioLine(rates, [door, "nchan"], {
    figure: `${FIGURE}, requests/s of server CPU, ${door}`,
    target: `at least ${WIRE_FACTOR.toFixed(1)}x Nchan`,
    limit: WIRE_FACTOR,
    atLeast: true,
    unit: "/s",
    digits: 0,
  });
}

export const publishRow: Row = {
  name: "publish",
  async run(peers: Peers, plan: Plan) {
    const entries: Entry[] = [];
    try {
      for (const peer of present(...peers.doors, peers.nchan, bare, peers.ceiling))
        entries.push(await enter(peer, "stream", 0));
      const results = await contest(entries, CONNECTIONS, plan.rounds, plan);
      const samples = new Map(entries.map((entry, index) => [entry.name, results[index] ?? []]));
      const notes = [...samples].map(([name, own]) => {
        const cost = median(own.map((one) => one.costUs)).toFixed(1);
        const p99 = median(own.map((one) => one.result.p99Us));
        return (
          `POST, ${name}: ${withRange(rates(own), 0)} requests/s, ${cost} us of CPU each, ` +
          `p99 ${p99} us; ${shares(own)}`
        );
      });
      return { lines: peers.doors.map(({ name }) => doorLine(name, samples)), notes };
    } finally {
      await leave(entries);
    }
  },
};
