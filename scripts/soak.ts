/**
 * `bun run soak [-- --hours 2 --rate 100 --seed 1]`: one server under load and faults for as long as anyone
 * likes, watched for what grows: memory, descriptors and timers of each process, blocks of a store in which
 * nothing is stored any more. Every phase is a history that the checker judges. The first quarter of a run
 * ends processes in every way; in the rest they are stopped and starved, but live on, since nothing shows in
 * a process that is young. Writes what it saw (soak.svg, soak.md) and ends with 1 on a broken promise or on
 * drift.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { FAULTS } from "../src/verify/faults.ts";
import { OwnServer } from "../src/verify/own-server.ts";
import { runPhase } from "../src/verify/phase.ts";
import { Random } from "../src/verify/random.ts";
import { driftsOf } from "./soak/drift.ts";
import { plotOf, tableOf } from "./soak/plot.ts";
import { counterIn, emptyStore, type Look, look } from "./soak/watch.ts";

const { values } = parseArgs({
  options: {
    hours: { type: "string", default: "1" },
    rate: { type: "string", default: "100" },
    seed: { type: "string" },
    out: { type: "string", default: "soak" },
  },
});
const hours = positive("--hours", values.hours);
const rate = positive("--rate", values.rate);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));

/** One of these falls on each phase; none of them begins with an empty store. */
const GENTLE = ["none", "worker-stop", "worker-twitch"];
const HARSH = [...GENTLE, "worker-kill", "restart", "reload", "main-kill"];
const quietFrom = hours / 4;
const PHASE_SEC = 30;
const LOOK_MS = 10_000;
const LOAD = { channels: 6, readers: 40, publishers: 6, rate, maxFilling: 1500, crowd: 40 };

const random = new Random(seed);
const own = await OwnServer.start({
  program: [join(import.meta.dir, "../dist/sluice")],
  workers: 2,
  listener: "native",
  storeSize: "32MiB",
  sync: null,
  more: counterIn,
});
const looks: Look[] = [];
const sums = { phases: 0, strikes: 0, accepted: 0, deliveries: 0, resumes: 0, broken: 0 };
const startAt = performance.now();
const elapsed = (): number => (performance.now() - startAt) / 3_600_000;
process.stdout.write(`seed ${seed}, ${hours} h, ${rate} messages a second\n`);
try {
  while (elapsed() < hours) await phase();
} finally {
  await own.dispose();
  await report();
}
const drifts = driftsOf(looks, quietFrom);
for (const text of drifts) process.stdout.write(`DRIFT ${text}\n`);
process.exit(sums.broken === 0 && drifts.length === 0 ? 0 : 1);

async function phase(): Promise<void> {
  const name = random.pick(elapsed() < quietFrom ? HARSH : GENTLE);
  const strike = FAULTS.find((fault) => fault.name === name)?.strike ?? null;
  let isLooking = false;
  const watching = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    look(own, elapsed(), false).then(
      (seen) => {
        looks.push(seen);
        isLooking = false;
      },
      // Main is between two lives: the next look sees it.
      () => {
        isLooking = false;
      },
    );
  }, LOOK_MS);
  const { verdict, faults } = await runPhase({
    servers: [own.server],
    load: LOAD,
    seconds: Math.min(PHASE_SEC, Math.max(5, (hours - elapsed()) * 3600)),
    random: random.fork(),
    isDense: true,
    keepsAll: false,
    isOver: () => !own.isUp,
    fault:
      strike === null
        ? null
        : (recorder) => strike({ own, engine: null, random, recorder, other: own.program }),
    progress: () => undefined,
  }).finally(() => clearInterval(watching));
  sums.phases++;
  sums.strikes += faults;
  sums.broken += verdict.violations.length;
  for (const what of ["accepted", "deliveries", "resumes"] as const) sums[what] += verdict.counts[what];
  for (const { promise, sentence, story } of verdict.violations.slice(0, 3))
    process.stdout.write(`BROKEN ${promise}, ${name}: ${sentence}\n  ${story.join("\n  ")}\n`);
  await emptyStore(own);
  const seen = await look(own, elapsed(), true);
  looks.push(seen);
  const { accepted, deliveries } = verdict.counts;
  const processes = seen.processes.map(
    (one) =>
      `${one.name} ${Math.round(one.memory / 2 ** 20)} MiB ${one.descriptors} fd ${one.timers ?? "-"} timers`,
  );
  process.stdout.write(
    `${seen.hours.toFixed(2)} h  ${name} x${faults}: ${accepted} messages, ${deliveries} deliveries; ` +
      `at rest: ${processes.join(", ")}, ${seen.blocks} blocks\n`,
  );
}

async function report(): Promise<void> {
  const { phases, strikes, accepted, deliveries, resumes, broken } = sums;
  const subtitle =
    `sluice soak: ${Math.round(elapsed() * 60)} minutes, ${rate} messages a second, ` +
    `${LOAD.readers} readers and crowds, seed ${seed}`;
  await Bun.write(`${values.out}.svg`, plotOf(looks, subtitle, quietFrom));
  const text =
    `${phases} phases, ${strikes} strikes, ${accepted} messages accepted, ${deliveries} deliveries, ` +
    `${resumes} resumptions, ${broken} broken promises.\n\n${tableOf(looks)}\n`;
  await Bun.write(`${values.out}.md`, text);
  process.stdout.write(`${text}${values.out}.svg\n`);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${name} wants a number above 0`);
  return value;
}
