/**
 * Random programs on fan-out: one or two workers over one real store. `FUZZ_SEED=n bun test test/fuzz/fanout`
 * repeats one run; `FUZZ_RUNS` sets how many are made otherwise.
 */
import { afterAll, expect, test } from "bun:test";
import { configureLog } from "../../src/log.ts";
import { randomBelow } from "../random.ts";
import { removeTempFolders, smallShape } from "../store/fixture.ts";
import { runProgram } from "./fanout-program.ts";
import { type Setting, World } from "./fanout-world.ts";

afterAll(removeTempFolders);

const STEPS = 500;
const RUNS = Number(process.env["FUZZ_RUNS"] ?? 120);

test("every subscriber gets everything once, in order, or is told", async () => {
  configureLog("error", "fuzz");
  const given = process.env["FUZZ_SEED"];
  const first = given === undefined ? crypto.getRandomValues(new Uint32Array(1))[0]! : Number(given);
  const runs = given === undefined ? RUNS : 1;
  for (let run = 0; run < runs; run++) await runOne((first + run) >>> 0);
  expect(runs).toBeGreaterThan(0);
  console.log(`fuzz fanout: ${runs} runs from FUZZ_SEED=${first}`);
}, 60_000);

async function runOne(seed: number): Promise<void> {
  const world = new World(settingOf(seed), randomOf(seed));
  const restore = world.clock.install();
  try {
    world.start();
    await runProgram(world, STEPS);
  } catch (error) {
    const trace = world.trace.slice(-25).join("\n  ");
    throw new Error(`FUZZ_SEED=${seed}: ${error} after\n  ${trace}`, { cause: error });
  } finally {
    world.stop();
    restore();
  }
}

/** Stores and rings take turns: roomy ones, ones that evict all the time, ones that lap a worker. */
function settingOf(seed: number): Setting {
  const of = randomOf(seed ^ 0x5bd1e995);
  const pick = <T>(list: readonly T[]): T => list[of() % list.length]!;
  return {
    shape: smallShape({
      size: pick([64, 96, 512]) * 1024,
      blockSize: 128,
      channels: pick([5, 16]),
      ringSize: pick([4, 64, 1024]),
      workerSlots: 2,
    }),
    policy: {
      messageTtlSec: pick([100, 3]),
      unstoredTtlSec: 5,
      maxStoredPerChannel: pick([0, 0, 3]),
      maxStoredBytesPerChannel: pick([0, 0, 2000]),
      channelInactivitySec: 30,
      keyWindowSec: 300,
      maxChannels: 0,
      maxWildcardChannels: 0,
      wildcardPrefix: new Uint8Array(0),
      // Nobody stands in it: its messages only pass through the store and the ring.
      eventsChannel: new Uint8Array(Buffer.from(pick(["", "events"]))),
    },
    workers: 1 + (of() % 2),
    names: ["a", "b", "c", "d", "e"].slice(0, pick([1, 3, 5])),
    lookMs: pick([0.001, 0.3, 1.5]),
    unrest: pick([0, 5, 30]),
  };
}

function randomOf(seed: number): () => number {
  const random = randomBelow(seed);
  return () => random(2 ** 32);
}
