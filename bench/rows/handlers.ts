// Handlers: the WebSocket echo against a bare Bun.serve, and streaming responses of four lines in four
// seconds, many at a time.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { runClient } from "../load/client.ts";
import { Server, takePort } from "../peers/peer.ts";
import { serveCommand, storeFolder } from "../peers/sluice.ts";
import type { Plan } from "../plan.ts";
import { cpuUs } from "../process-figures.ts";
import { median, ratios, withRange } from "../statistics.ts";
import { type Line, notMeasured, type Peers, type Row } from "./row.ts";

const root = join(import.meta.dir, "..");
const CONFIG = join(root, "peers/handlers/handlers.toml");
const ECHO_SOCKETS = 64;
const ECHO_SHARE = 0.9;
/** "line 1 of 4\n" and three more. */
const BODY_BYTES = 48;
const LINES = 4;
const ANSWER_SEC = 4;

export async function startHandlers(): Promise<Server> {
  const folder = storeFolder();
  const port = takePort();
  const { command, environment } = serveCommand(port, 1, folder, CONFIG);
  const cleanUp = () => rmSync(folder, { recursive: true, force: true });
  return await new Server(port, command, cleanUp, environment).ready(1);
}

async function startBareEcho(): Promise<Server> {
  const port = takePort();
  const command = [process.execPath, join(root, "peers/bare-echo.ts"), String(port)];
  return await new Server(port, command, () => undefined).ready(0);
}

interface EchoSample {
  readonly perSec: number;
  readonly costUs: number;
  readonly clientShare: number;
}

async function echo(server: Server, forMs: number): Promise<EchoSample> {
  const before = cpuUs(server.workerPids);
  const result = await runClient("echo-client.ts", server.port, "/echo", ECHO_SOCKETS, forMs);
  const { messages = 0, wallMs = 1, cpuUs: clientUs = 0 } = result;
  return {
    perSec: (1000 * messages) / wallMs,
    costUs: (cpuUs(server.workerPids) - before) / messages,
    clientShare: clientUs / (1000 * wallMs),
  };
}

const echoRow: Row = {
  name: "echo",
  async run(peers: Peers, plan: Plan) {
    const figure = `WebSocket echo by a handler, ${ECHO_SOCKETS} sockets, 100 bytes`;
    const target = `at least ${ECHO_SHARE}x a bare Bun.serve`;
    if (peers.doors.length === 0) return { lines: [notMeasured(figure, target)], notes: [] };
    const [own, bare] = [await startHandlers(), await startBareEcho()];
    const samples: { own: EchoSample; bare: EchoSample }[] = [];
    try {
      for (const server of [own, bare]) await echo(server, plan.warmUpMs);
      for (let round = 0; round < plan.rounds; round++)
        samples.push({ own: await echo(own, plan.sampleMs), bare: await echo(bare, plan.sampleMs) });
    } finally {
      await own.stop();
      await bare.stop();
    }
    const of = (pick: (sample: (typeof samples)[number]) => number) => samples.map(pick);
    const shares = ratios(
      of((s) => s.own.perSec),
      of((s) => s.bare.perSec),
    );
    const costs = ratios(
      of((s) => s.own.costUs),
      of((s) => s.bare.costUs),
    );
    const rate = (pick: (sample: (typeof samples)[number]) => number) => median(of(pick)).toFixed(0);
    const measured =
      `${withRange(shares)}x: ${rate((s) => s.own.perSec)} against ` +
      `${rate((s) => s.bare.perSec)} messages/s`;
    const clientShare = (100 * median(of((s) => s.own.clientShare))).toFixed(0);
    return {
      lines: [{ figure, target, measured, met: median(shares) >= ECHO_SHARE }],
      notes: [
        `echo: server CPU a message ${withRange(costs)}x the bare one's: ` +
          (`${median(of((s) => s.own.costUs)).toFixed(2)} us against ` +
            `${median(of((s) => s.bare.costUs)).toFixed(2)} us; generator ${clientShare} % of a core`),
      ],
    };
  },
};

/** `rounds` times as many requests as are under way at a time. */
async function lines(
  concurrent: number,
  rounds: number,
  least: number,
): Promise<{ line: Line; note: string }> {
  const server = await startHandlers();
  try {
    const before = cpuUs(server.workerPids);
    const requests = concurrent * rounds;
    const result = await runClient(
      "lines-client.ts",
      server.port,
      "/lines",
      concurrent,
      requests,
      BODY_BYTES,
      LINES,
    );
    const { done = 0, failed = 0, wallMs = 1, cpuUs: clientUs = 0 } = result;
    const perSec = (1000 * (done - failed)) / wallMs;
    const serverUs = cpuUs(server.workerPids) - before;
    return {
      line: {
        figure: `streaming responses of ${LINES} lines in ${ANSWER_SEC} s, ${concurrent} at a time, 1 worker`,
        target: `at least ${least}/s of ${concurrent / ANSWER_SEC}, none failed`,
        measured: `${perSec.toFixed(1)}/s, ${failed} failed of ${done}`,
        met: perSec >= least && failed === 0,
      },
      note:
        `lines, ${concurrent}: ${(serverUs / done).toFixed(0)} us of server CPU a response, ` +
        `server ${(serverUs / wallMs / 10).toFixed(0)} %, ` +
        `generator ${(clientUs / wallMs / 10).toFixed(0)} % of a core`,
    };
  } finally {
    await server.stop();
  }
}

const linesRow: Row = {
  name: "lines",
  async run(peers: Peers) {
    if (peers.doors.length === 0) return { lines: [notMeasured("streaming responses", "")], notes: [] };
    const few = await lines(500, 5, 124);
    const many = await lines(10_000, 5, 2400);
    return { lines: [few.line, many.line], notes: [few.note, many.note] };
  },
};

export const handlerRows: readonly Row[] = [echoRow, linesRow];
