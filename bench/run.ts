// Entry of the bench: `bun bench/run.ts [--quick] [--only NAME[,NAME]] [--door native|wire] [--write]`. Runs
// every row in turn, prints the table and draws the charts; a contender that is missing here is named once
// and its rows say "not measured".

import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Chart } from "./charts/chart.ts";
import { writeCharts } from "./charts/write.ts";
import { type Disturbance, watchDisturbance } from "./disturbance.ts";
import { stopGenerators } from "./load/generator.ts";
import { ceiling } from "./peers/ceiling.ts";
import { nchan } from "./peers/nchan.ts";
import { type Peer, stopAll } from "./peers/peer.ts";
import { measuredBuild, releaseBinary, sluice } from "./peers/sluice.ts";
import { DOORS, type Door } from "./peers/sluice-config.ts";
import { FULL, type Plan, QUICK } from "./plan.ts";
import { type Measured, machine, type Results, report, writeInto } from "./report.ts";
import { answersRow } from "./rows/answers.ts";
import { batchRows } from "./rows/batches.ts";
import { connectsRow } from "./rows/connects.ts";
import { consoleRow } from "./rows/console.ts";
import { crossRow } from "./rows/cross.ts";
import { deliveryRows } from "./rows/delivery.ts";
import { dictionaryRow } from "./rows/dictionary.ts";
import { filesRow } from "./rows/files.ts";
import { handlerRows } from "./rows/handlers.ts";
import { idleRow } from "./rows/idle.ts";
import { largeRow } from "./rows/large.ts";
import { latencyRow } from "./rows/latency.ts";
import { memoryRow } from "./rows/memory.ts";
import { neighbourRow } from "./rows/neighbour.ts";
import { postsRow } from "./rows/posts.ts";
import { presenceRow } from "./rows/presence.ts";
import { proxyRow } from "./rows/proxy.ts";
import { publishRow } from "./rows/publish.ts";
import { raceRow } from "./rows/race.ts";
import { replayRow } from "./rows/replay.ts";
import { roomsRow } from "./rows/rooms.ts";
import type { Peers, Row, RowResult } from "./rows/row.ts";
import { scaleRow } from "./rows/scale.ts";
import { startupRow } from "./rows/startup.ts";
import { workersRow } from "./rows/workers.ts";

const ROWS: readonly Row[] = [
  ...deliveryRows,
  latencyRow,
  scaleRow,
  publishRow,
  postsRow,
  memoryRow,
  idleRow,
  connectsRow,
  roomsRow,
  crossRow,
  neighbourRow,
  replayRow,
  workersRow,
  largeRow,
  raceRow,
  startupRow,
  filesRow,
  presenceRow,
  consoleRow,
  proxyRow,
  ...handlerRows,
  answersRow,
  dictionaryRow,
  ...batchRows,
];

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    door: { type: "string" },
    write: { type: "boolean", default: false },
  },
});

function chosenRows(only: string | undefined): readonly Row[] {
  if (only === undefined) return ROWS;
  const wanted = only.split(",");
  const rows = ROWS.filter((row) =>
    wanted.some((name) => row.name === name || row.name.startsWith(`${name}-`)),
  );
  if (rows.length > 0) return rows;
  throw new Error(`--only: one or more of ${ROWS.map((row) => row.name).join(", ")}`);
}

function chosenDoors(only: string | undefined): readonly Door[] {
  const doors = DOORS.filter((door) => only === undefined || only === door);
  if (doors.length > 0) return doors;
  throw new Error(`--door: one of ${DOORS.join(", ")}`);
}

if (values.write && values.door !== undefined) throw new Error("--write: a table has both doors");

async function present(peer: Peer): Promise<Peer | null> {
  const why = await peer.missing();
  if (why === null) return peer;
  console.error(`skipped: ${why}`);
  return null;
}

/**
 * Says how busy others kept the machine; figures taken on a busy machine decide nothing, good or bad. Memory
 * included: load shifts collections into or out of the connection burst.
 */
function withDisturbance(name: string, result: RowResult, { share, isDisturbed }: Disturbance): RowResult {
  const percent = `${(100 * share).toFixed(0)} %`;
  const notes = [...result.notes, `${name}: others used ${percent} of the machine`];
  if (!isDisturbed) return { ...result, notes };
  const mark = `(disturbed: others used ${percent} of the machine)`;
  return {
    ...result,
    lines: result.lines.map((line) => ({ ...line, measured: `${line.measured} ${mark}`, met: null })),
    notes,
  };
}

async function runAll(rows: readonly Row[]): Promise<Results> {
  const doors: Peer[] = [];
  for (const door of chosenDoors(values.door)) {
    const peer = await present(sluice(door));
    if (peer !== null) doors.push(peer);
  }
  const peers = { ceiling, doors, nchan: await present(nchan) };
  const plan = values.quick ? QUICK : FULL;
  const command = ["bun bench/run.ts", ...Bun.argv.slice(2).filter((word) => word !== "--write")].join(" ");
  const facts = {
    day: new Date().toISOString().slice(0, 10),
    command,
    build: measuredBuild(),
    machine: machine(),
  };
  const results: Record<string, Measured> = {};
  for (const row of rows) {
    console.error(`${row.name} ...`);
    const startMs = performance.now();
    const others = watchDisturbance();
    const result = await resultOf(row, peers, plan, others);
    results[row.name] = { result, ...facts, tookSec: Math.round((performance.now() - startMs) / 1000) };
  }
  return results;
}

async function resultOf(row: Row, peers: Peers, plan: Plan, others: () => Disturbance): Promise<RowResult> {
  try {
    const result = await row.run(peers, plan);
    return withDisturbance(row.name, result, others());
  } catch (error) {
    // One broken row must not cost the others; it stands in the table as what it is.
    const measured = `failed: ${error instanceof Error ? error.message : String(error)}`;
    return { lines: [{ figure: row.name, target: "", measured, met: false }], notes: [] };
  }
}

/** Nothing that was started may outlive the bench, whatever happened to a row. */
async function stopEverything(): Promise<void> {
  await stopGenerators();
  await stopAll();
  releaseBinary();
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.once(signal, async () => {
    await stopEverything();
    process.exit(code);
  });
}

/** Results of earlier runs, of rows there are, in the table's order; those of this run in their place. */
async function merged(own: Results, path: string): Promise<Results> {
  const kept: Results = (await Bun.file(path).exists()) ? await Bun.file(path).json() : {};
  const all = { ...kept, ...own };
  return Object.fromEntries(
    ROWS.flatMap(({ name }) => {
      const measured = all[name];
      return measured === undefined ? [] : [[name, measured]];
    }),
  );
}

const chartsOf = (results: Results): Chart[] =>
  Object.values(results).flatMap(({ result }) => result.charts ?? []);

const results = await runAll(chosenRows(values.only)).finally(stopEverything);
const own = chartsOf(results);
const folder = values.write ? join(import.meta.dir, "charts") : join(tmpdir(), "sluice-bench", "charts");
if (own.length > 0) console.error(`charts: ${writeCharts(folder, own).join(" ")}`);
console.log(report(results, []));
if (values.write) {
  const path = join(import.meta.dir, "results.json");
  const all = await merged(results, path);
  await Bun.write(path, `${JSON.stringify(all, null, 1)}\n`);
  await writeInto(join(import.meta.dir, "README.md"), report(all, chartsOf(all)));
}
