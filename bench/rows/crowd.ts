// What the rows share whose load is a crowd: a server with crowds on it, and server CPU set against the work
// they saw done.

import { type Crowd, type CrowdOptions, type CrowdResult, startCrowd } from "../load/crowd-client.ts";
import type { Peer, Server, StartOptions } from "../peers/peer.ts";
import { compilersCpuUs, cpuUs } from "../process-figures.ts";
import { median } from "../statistics.ts";
import { channelName } from "./row.ts";

export interface Stand {
  readonly name: string;
  readonly peer: Peer;
  readonly server: Server;
  readonly crowds: readonly Crowd[];
}

/**
 * Starts a server and a crowd for each of `crowds`; each has loopback addresses and channel names of its own.
 */
export async function stand(
  peer: Peer,
  crowds: readonly Omit<CrowdOptions, "name">[],
  options: StartOptions = {},
): Promise<Stand> {
  const server = await peer.start(options);
  const started: Crowd[] = [];
  try {
    for (const [index, own] of crowds.entries())
      started.push(
        await startCrowd(peer, server, { block: index + 1, ...own, name: `${channelName()}x${index}n` }),
      );
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { name: peer.name, peer, server, crowds: started };
}

export async function strike(stands: readonly Stand[]): Promise<void> {
  for (const { crowds, server } of stands) {
    for (const crowd of crowds) await crowd.stop();
    await server.stop();
  }
}

export interface Work {
  /** Of the workers. */
  readonly cpuUs: number;
  readonly wallUs: number;
  readonly results: readonly CrowdResult[];
  readonly messages: number;
  readonly deliveries: number;
}

/** CPU time comes in steps of 10 ms: less work than this may show none. */
const SURELY_SEEN_US = 200_000;

/** What the workers used while all crowds of the stand did `job` at the same time. */
export async function during(own: Stand, job: (crowd: Crowd) => Promise<CrowdResult>): Promise<Work> {
  const before = cpuUs(own.server.workerPids);
  const results = await Promise.all(own.crowds.map(job));
  const used = cpuUs(own.server.workerPids) - before;
  const wallUs = Math.max(...results.map((result) => result.wallUs));
  if (used === 0 && wallUs > SURELY_SEEN_US)
    throw new Error(`${own.name}: no CPU time seen: the wrong process is being read`);
  const sum = (pick: (result: CrowdResult) => number) => results.reduce((all, one) => all + pick(one), 0);
  return {
    cpuUs: used,
    wallUs,
    results,
    messages: sum(({ messages }) => messages),
    deliveries: sum(({ deliveries }) => deliveries),
  };
}

/** So little of the workers' time, twice in a row: what the load calls is compiled. */
const COMPILERS_REST = 0.03;
const MOST_WARM_UPS = 14;

/**
 * Repeats `job` until the engine's compilers rest: of a POST on a new connection they take a fifth of the CPU
 * for the first 80,000, and nothing after that. Gives the first, what it costs cold.
 */
export async function warmUp(own: Stand, job: () => Promise<Work>): Promise<Work> {
  const { workerPids } = own.server;
  let first: Work | null = null;
  for (let i = 0, resting = 0; first === null || (i < MOST_WARM_UPS && resting < 2); i++) {
    const before = compilersCpuUs(workerPids);
    const work = await job();
    first ??= work;
    const isRest = compilersCpuUs(workerPids) - before < COMPILERS_REST * work.cpuUs;
    resting = isRest ? resting + 1 : 0;
  }
  return first;
}

/** The worst of the crowds: each has percentiles of its own deliveries. */
export function worst(work: Work, pick: (result: CrowdResult) => number): number {
  return Math.max(...work.results.map(pick));
}

/**
 * "server 98 %, generator 61 % of a core": the proof that the generators had time to spare, each for itself.
 */
export function crowdShares(works: readonly Work[]): string {
  const percent = (pick: (work: Work) => number) => (100 * median(works.map(pick))).toFixed(0);
  const client = (work: Work) => Math.max(...work.results.map(({ cpuUs: own, wallUs }) => own / wallUs));
  return (
    `server ${percent(({ cpuUs: own, wallUs }) => own / wallUs)} %, ` +
    `generator ${percent(client)} % of a core`
  );
}
