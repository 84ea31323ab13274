// Subscribers that come: connect, handshake, first byte of the answer. WebSocket and SSE, 1 worker, 10,000
// connections that stay, 128 handshakes at a time; and with TLS, where each closes after the answer. As in
// "posts" the ratio is of connections a second of server CPU, because on loopback the client's own connect()
// is the wall. Crowds come until the engine has compiled what they call; the first is reported by itself. TLS
// 1.3 with a P-256 certificate, no session is resumed.

import { runClient } from "../load/client.ts";
import { type Certificate, makeCertificate, removeCertificate } from "../peers/certificate.ts";
import type { Peer, Server, Transport } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { cpuUs } from "../process-figures.ts";
import { median, withRange } from "../statistics.ts";
import { crowdShares, during, type Stand, stand, strike, type Work, warmUp } from "./crowd.ts";
import {
  channelName,
  type Line,
  type Peers,
  present,
  type Row,
  type RowResult,
  ratioLine,
  together,
} from "./row.ts";

const IN_FLIGHT = 128;
const TLS_IN_FLIGHT = 64;
/** Until the server has seen that the crowd of the last round is gone. */
const LEAVE_MS = 1500;
const WARM_LEAVE_MS = 500;
const FACTOR = 1;
const LABELS = { ws: "WebSocket", sse: "SSE" } as const;
type Kind = keyof typeof LABELS;

function lines(
  rates: ReadonlyMap<string, readonly number[]>,
  doors: readonly Peer[],
  label: string,
  isTarget: boolean,
): Line[] {
  return doors.map(({ name }) => {
    const line = ratioLine(rates, [name, "nchan"], {
      figure: `connects/s of server CPU, ${label}, ${name}`,
      target: isTarget ? `at least ${FACTOR.toFixed(1)}x Nchan` : "reported",
      limit: FACTOR,
      atLeast: true,
      unit: "/s",
      digits: 0,
    });
    return isTarget ? line : { ...line, met: null };
  });
}

/** One round: the crowd comes, is seen, and goes. */
async function come(own: Stand, connections: number, leaveMs = LEAVE_MS): Promise<Work> {
  const work = await during(own, (crowd) => crowd.grow(connections, IN_FLIGHT));
  await own.server.assertHolds(connections);
  for (const crowd of own.crowds) await crowd.shut();
  await Bun.sleep(leaveMs);
  return work;
}

async function plain(peers: Peers, plan: Plan, transport: Kind): Promise<RowResult> {
  const stands: Stand[] = [];
  try {
    for (const peer of present(...peers.doors, peers.nchan))
      stands.push(await stand(peer, [{ transport, sources: 8 }]));
    const works = new Map<string, Work[]>(stands.map(({ name }) => [name, []]));
    const first = new Map<string, number>();
    for (const own of stands) {
      const warm = () => come(own, plan.connections, WARM_LEAVE_MS);
      first.set(own.name, (await warmUp(own, warm)).cpuUs);
    }
    for (let round = 0; round < Math.min(plan.rounds, 3); round++) {
      for (const own of stands) works.get(own.name)?.push(await come(own, plan.connections));
    }
    const perCpuSec = (work: Work) => (1e6 * plan.connections) / work.cpuUs;
    const rates = new Map([...works].map(([name, own]) => [name, own.map(perCpuSec)]));
    const label = LABELS[transport];
    const notes = [...works].map(([name, own]) => {
      const seen = withRange(
        own.map(({ wallUs }) => (1e6 * plan.connections) / wallUs),
        0,
      );
      const cost = median(own.map((work) => work.cpuUs / plan.connections)).toFixed(1);
      const cold = ((first.get(name) ?? Number.NaN) / plan.connections).toFixed(1);
      const p99 = median(own.map(({ results }) => results[0]?.p99Us ?? Number.NaN));
      return (
        `connects, ${label}, ${name}: ${cost} us of CPU each (${cold} in the first crowd after the start), ` +
        `${seen}/s seen, p99 ${p99} us with ${IN_FLIGHT} at a time; ${crowdShares(own)}`
      );
    });
    return { lines: lines(rates, peers.doors, label, true), notes };
  } finally {
    await strike(stands);
  }
}

async function comeByTls(peer: Peer, server: Server, transport: Transport, count: number): Promise<number> {
  const before = cpuUs(server.workerPids);
  const path = peer.subscribePath(transport, channelName());
  await runClient("tls-connects.ts", server.port, path, transport, count, TLS_IN_FLIGHT);
  return cpuUs(server.workerPids) - before;
}

async function byTls(
  peers: Peers,
  plan: Plan,
  transport: Kind,
  certificate: Certificate,
): Promise<RowResult> {
  const servers: { readonly peer: Peer; readonly server: Server }[] = [];
  try {
    const costs = new Map<string, number[]>();
    for (const peer of present(...peers.doors, peers.nchan))
      servers.push({ peer, server: await peer.start({ certificate }) });
    for (const { peer, server } of servers)
      await comeByTls(peer, server, transport, plan.tlsConnections / 10);
    for (let round = 0; round < Math.min(plan.rounds, 3); round++) {
      for (const { peer, server } of servers) {
        const used = await comeByTls(peer, server, transport, plan.tlsConnections);
        costs.set(peer.name, [...(costs.get(peer.name) ?? []), used / plan.tlsConnections]);
      }
    }
    const rates = new Map([...costs].map(([name, own]) => [name, own.map((us) => 1e6 / us)]));
    const label = `${LABELS[transport]} with TLS`;
    const notes = [...costs].map(
      ([name, own]) => `connects, ${label}, ${name}: ${withRange(own, 0)} us of CPU each`,
    );
    return { lines: lines(rates, peers.doors, label, false), notes };
  } finally {
    for (const { server } of servers) await server.stop();
  }
}

export const connectsRow: Row = {
  name: "connects",
  async run(peers: Peers, plan: Plan) {
    const results: RowResult[] = [];
    for (const transport of ["ws", "sse"] as const) results.push(await plain(peers, plan, transport));
    const certificate = makeCertificate();
    if (certificate !== null) {
      try {
        for (const transport of ["ws", "sse"] as const)
          results.push(await byTls(peers, plan, transport, certificate));
      } finally {
        removeCertificate(certificate);
      }
    } else results.push({ lines: [], notes: ["connects with TLS: needs openssl for a certificate"] });
    return together(results);
  },
};
