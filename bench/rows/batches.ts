// Publishing many at a time, against Nchan's single POST: batches of 100 over one connection, and frames over
// one WebSocket with 256 in flight, in messages a second of server CPU, because the clients share the
// machine. And what compression costs a delivery.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runClient } from "../load/client.ts";
import { Server, takePort } from "../peers/peer.ts";
import { serveCommand, storeFolder } from "../peers/sluice.ts";
import type { Plan } from "../plan.ts";
import { cpuUs } from "../process-figures.ts";
import { median, ratios, withRange } from "../statistics.ts";
import {
  type Entry,
  enter,
  type Line,
  leave,
  notMeasured,
  type Peers,
  present,
  type Row,
  sample,
} from "./row.ts";

const root = join(import.meta.dir, "..");
const CONFIG = join(root, "peers/batches.toml");
const NCHAN_CONNECTIONS = 32;
const DEFLATE_SOCKETS = 1000;
const DEFLATE_FACTOR = 1.3;

async function start(door: string, more = ""): Promise<Server> {
  const folder = storeFolder();
  const port = takePort();
  const file = join(folder, "batches.toml");
  const text = await Bun.file(CONFIG).text();
  writeFileSync(file, `listener = "${door}"\n${text}${more}`);
  const { command, environment } = serveCommand(port, 1, folder, file);
  return await new Server(
    port,
    command,
    () => rmSync(folder, { recursive: true, force: true }),
    environment,
  ).ready(1);
}

interface Rate {
  /** Messages a second of server CPU, and of the clock. */
  readonly perCpuSec: number;
  readonly perSec: number;
  readonly clientShare: number;
}

async function publish(server: Server, kind: string, forMs: number): Promise<Rate> {
  const before = cpuUs(server.workerPids);
  const {
    messages = 0,
    wallMs = 1,
    cpuUs: clientUs = 0,
  } = await runClient("publish-client.ts", server.port, kind, forMs);
  return {
    perCpuSec: (1e6 * messages) / (cpuUs(server.workerPids) - before),
    perSec: (1000 * messages) / wallMs,
    clientShare: clientUs / (1000 * wallMs),
  };
}

async function single(entry: Entry, forMs: number): Promise<Rate> {
  const { costUs, clientShare, result } = await sample(entry, NCHAN_CONNECTIONS, forMs);
  return { perCpuSec: 1e6 / costUs, perSec: (1e6 * result.messages) / result.wallUs, clientShare };
}

/** A row of one kind of publishing, by each door. */
const manyRow = (name: string, kind: "batch" | "frames", what: string, factor: number): Row => ({
  name,
  async run(peers: Peers, plan: Plan) {
    const target = `at least ${factor}x Nchan's single POST`;
    const figureOf = (door: string) => `${what}, messages/s of server CPU, ${door}`;
    const [nchanPeer] = present(peers.nchan);
    if (nchanPeer === undefined || peers.doors.length === 0)
      return { lines: peers.doors.map(({ name: door }) => notMeasured(figureOf(door), target)), notes: [] };
    const nchan = await enter(nchanPeer, "stream", 0);
    const servers = new Map<string, Server>();
    const rates = new Map<string, Rate[]>([["nchan", []]]);
    try {
      for (const { name: door } of peers.doors) servers.set(door, await start(door));
      for (const server of servers.values()) await publish(server, kind, plan.warmUpMs);
      await nchan.swarm.run(NCHAN_CONNECTIONS, plan.warmUpMs);
      for (let round = 0; round < plan.rounds; round++) {
        rates.get("nchan")?.push(await single(nchan, plan.sampleMs));
        for (const [door, server] of servers)
          rates.set(door, [...(rates.get(door) ?? []), await publish(server, kind, plan.sampleMs)]);
      }
    } finally {
      await leave([nchan]);
      for (const server of servers.values()) await server.stop();
    }
    const of = (door: string, pick: (rate: Rate) => number): number[] => (rates.get(door) ?? []).map(pick);
    const perCpu = (rate: Rate): number => rate.perCpuSec;
    const lines = [...servers.keys()].map((door): Line => {
      const factors = ratios(of(door, perCpu), of("nchan", perCpu));
      const [own, other] = [median(of(door, perCpu)).toFixed(0), median(of("nchan", perCpu)).toFixed(0)];
      const measured = `${withRange(factors)}x: ${own}/s against ${other}/s`;
      return { figure: figureOf(door), target, measured, met: median(factors) >= factor };
    });
    const rangeOf = (door: string): string =>
      withRange(
        of(door, (r) => r.perSec),
        0,
      );
    const notes = [...rates.keys()].map(
      (door) =>
        `${name}, ${door}: ${rangeOf(door)} messages/s by the clock, ` +
        `generator ${(100 * median(of(door, (r) => r.clientShare))).toFixed(0)} % of a core`,
    );
    return { lines, notes };
  },
});

interface Delivery {
  readonly costUs: number;
  readonly bytes: number;
}

async function deliver(
  server: Server,
  wish: string,
  forMs: number,
): Promise<Delivery & { messageBytes: number }> {
  const path = wish === "offer" ? "/wsz" : "/ws";
  const command = [
    process.execPath,
    join(root, "load/deflate-client.ts"),
    server.port,
    path,
    DEFLATE_SOCKETS,
    wish,
    forMs,
  ];
  const child = Bun.spawn(command.map(String), { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  const ready = await child.stderr.getReader().read();
  if (!new TextDecoder().decode(ready.value).includes("ready")) throw new Error("the sockets do not stand");
  const before = cpuUs(server.workerPids);
  child.stdin.write("go\n");
  child.stdin.end();
  const { deliveries = 0, bytes = 0, messageBytes = 0 } = JSON.parse(await new Response(child.stdout).text());
  const costUs = (cpuUs(server.workerPids) - before) / deliveries;
  return { costUs, bytes: bytes / deliveries, messageBytes };
}

const COMPRESSING = `
[[location]]
match = "~ ^/wsz/(.*)$"
subscriber = "websocket"
channels_path = "$1"
websocket_compression = true
`;

const deflateRow: Row = {
  name: "deflate",
  async run(_peers: Peers, plan: Plan) {
    const server = await start("wire", COMPRESSING);
    const samples: { plain: Delivery; deflated: Delivery }[] = [];
    let messageBytes = 0;
    try {
      for (let round = -1; round < plan.rounds; round++) {
        const plain = await deliver(server, "plain", plan.sampleMs);
        const deflated = await deliver(server, "offer", plan.sampleMs);
        messageBytes = plain.messageBytes;
        if (round >= 0) samples.push({ plain, deflated });
      }
    } finally {
      await server.stop();
    }
    const costs = (pick: "plain" | "deflated"): number[] => samples.map((one) => one[pick].costUs);
    const factors = ratios(costs("deflated"), costs("plain"));
    const [own, other] = [median(costs("deflated")).toFixed(2), median(costs("plain")).toFixed(2)];
    const bytes = (pick: "plain" | "deflated") => median(samples.map((one) => one[pick].bytes)).toFixed(0);
    const line: Line = {
      figure:
        `CPU per delivery, WebSocket, permessage-deflate, ${messageBytes} bytes of JSON, ` +
        `${DEFLATE_SOCKETS} sockets, wire`,
      target: `at most ${DEFLATE_FACTOR}x uncompressed`,
      measured:
        `${withRange(factors)}x: ${own} us against ${other} us; ` +
        `${bytes("deflated")} against ${bytes("plain")} bytes on the wire`,
      met: median(factors) <= DEFLATE_FACTOR,
    };
    return { lines: [line], notes: [] };
  },
};

export const batchRows: readonly Row[] = [
  manyRow("batch", "batch", "batches of 100 messages of 100 bytes, one connection", 5),
  manyRow("ws-publish", "frames", "publish frames of 100 bytes over one WebSocket, 256 in flight", 2),
  deflateRow,
];
