/**
 * `bun run soak [-- --hours 2 --seed 1]`: one server under load and faults for as long as anyone likes,
 * watched for what grows: memory of its workers, open descriptors, blocks of its store when nothing is stored
 * any more. Every phase is a history that the checker judges. Draws what it saw as SVG (soak.svg) and ends
 * with 1 on a broken promise or on drift.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { FAULTS } from "../src/verify/faults.ts";
import { OwnServer } from "../src/verify/own-server.ts";
import { runPhase } from "../src/verify/phase.ts";
import { Random } from "../src/verify/random.ts";

const { values } = parseArgs({
  options: {
    hours: { type: "string", default: "1" },
    seed: { type: "string" },
    out: { type: "string", default: "soak.svg" },
  },
});
const hours = Number(values.hours);
if (!(hours > 0)) throw new Error("--hours wants a number above 0");
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const root = join(import.meta.dir, "..");

/** One of these falls on each phase; none of them begins with an empty store. */
const STRIKES = ["none", "worker-kill", "worker-stop", "worker-twitch", "restart", "reload", "main-kill"];
const PHASE_SEC = 30;
const LOAD = { channels: 6, readers: 40, publishers: 6, rate: 250, maxFilling: 1500, crowd: 40 };
/** Growth a server may have between the second fifth of a run and its end: caches fill, heaps settle. */
const DRIFT = { memory: 1.5, descriptors: 1.3 };

interface Sample {
  readonly hours: number;
  readonly memory: number;
  readonly descriptors: number;
  readonly blocks: number;
}

const random = new Random(seed);
const own = await OwnServer.start({
  program: [join(root, "dist/sluice")],
  workers: 2,
  listener: "native",
  storeSize: "32MiB",
  sync: null,
});
const samples: Sample[] = [];
let broken = 0;
const startAt = performance.now();
const elapsed = (): number => (performance.now() - startAt) / 3_600_000;
try {
  process.stdout.write(`seed ${seed}, ${hours} h\n`);
  while (elapsed() < hours) {
    const name = random.pick(STRIKES);
    const strike = FAULTS.find((fault) => fault.name === name)?.strike ?? null;
    const { verdict, faults } = await runPhase({
      server: own.server,
      load: LOAD,
      seconds: Math.min(PHASE_SEC, Math.max(5, (hours - elapsed()) * 3600)),
      random: random.fork(),
      isDense: true,
      keepsAll: false,
      fault: strike === null ? null : (recorder) => strike({ own, random, recorder, other: own.program }),
      progress: () => undefined,
    });
    broken += verdict.violations.length;
    for (const { promise, sentence, story } of verdict.violations.slice(0, 3))
      process.stdout.write(`BROKEN ${promise}, ${name}: ${sentence}\n  ${story.join("\n  ")}\n`);
    const sample = await look();
    samples.push(sample);
    const { accepted, deliveries } = verdict.counts;
    process.stdout.write(
      `${sample.hours.toFixed(2)} h  ${name} x${faults}: ${accepted} messages, ${deliveries} deliveries; ${Math.round(sample.memory / 2 ** 20)} MiB, ${sample.descriptors} descriptors, ${sample.blocks} blocks\n`,
    );
  }
} finally {
  await own.dispose();
}
await Bun.write(values.out, draw(samples));
const drift = [driftOf("memory"), driftOf("descriptors")].filter((text) => text !== null);
for (const text of drift) process.stdout.write(`DRIFT ${text}\n`);
process.stdout.write(`${samples.length} phases, ${broken} broken promises; ${values.out}\n`);
process.exit(broken === 0 && drift.length === 0 ? 0 : 1);

async function look(): Promise<Sample> {
  const pids = [own.pid, ...(await own.workers())];
  const descriptors = pids.reduce((all, pid) => all + countOf(pid), 0);
  const metrics = await (await fetch(new URL("/metrics", own.server.base))).text();
  const blocks = Number(/^sluice_store_blocks_used (\d+)$/m.exec(metrics)?.[1] ?? 0);
  return { hours: elapsed(), memory: await own.largestWorker(), descriptors, blocks };
}

function countOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** null: it did not grow. A run of few phases says nothing. */
function driftOf(what: "memory" | "descriptors"): string | null {
  if (samples.length < 10) return null;
  const fifth = Math.floor(samples.length / 5);
  const median = (some: readonly Sample[]): number =>
    some.map((one) => one[what]).toSorted((a, b) => a - b)[some.length >> 1] ?? 0;
  const [before, after] = [median(samples.slice(fifth, 2 * fifth)), median(samples.slice(-fifth))];
  return after > before * DRIFT[what] ? `${what}: ${before} at first, ${after} at the end` : null;
}

/** Three curves, each over the whole run and scaled to its own largest value. */
function draw(all: readonly Sample[]): string {
  const [width, height, gap] = [900, 160, 40];
  const curves = [
    ["memory of the largest worker", all.map(({ memory }) => memory / 2 ** 20), "MiB"],
    ["open descriptors of all processes", all.map(({ descriptors }) => descriptors), ""],
    ["blocks of the store in use", all.map(({ blocks }) => blocks), ""],
  ] as const;
  const parts = curves.map(([title, ys, unit], row) => {
    const top = row * (height + gap) + 20;
    const most = Math.max(1, ...ys);
    const points = ys.map(
      (y, at) =>
        `${(at * width) / Math.max(1, ys.length - 1)},${(top + height - (y / most) * (height - 20)).toFixed(1)}`,
    );
    return `<text x="0" y="${top}">${title}: at most ${Math.round(most)} ${unit}</text><polyline fill="none" stroke="#0b6d74" stroke-width="1.5" points="${points.join(" ")}"/>`;
  });
  const total = curves.length * (height + gap);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 0 ${width + 20} ${total + 20}" font-family="sans-serif" font-size="14"><rect x="-10" width="100%" height="100%" fill="#fff"/>${parts.join("")}</svg>\n`;
}
