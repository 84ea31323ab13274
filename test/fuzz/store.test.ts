/**
 * Random programs on a store and its model. `FUZZ_SEED=n bun test test/fuzz` repeats one run; `FUZZ_RUNS`
 * sets how many are made otherwise. Small stores, so that eviction, reuse of records and a full ring happen
 * all the time.
 */
import { afterAll, expect, test } from "bun:test";
import { randomBelow } from "../random.ts";
import { removeTempFolders, smallShape } from "../store/fixture.ts";
import { compareAll } from "./compare.ts";
import { crash } from "./crash.ts";
import { append, changePolicy, changeSlots, openChannel, passTime } from "./operations.ts";
import { runProgram } from "./program.ts";
import { Session } from "./session.ts";

afterAll(removeTempFolders);

const PROGRAM_BYTES = 1500;
const RUNS = Number(process.env["FUZZ_RUNS"] ?? 180);

test("random operations, deaths and reopenings agree with the model", () => {
  const given = process.env["FUZZ_SEED"];
  const first = given === undefined ? crypto.getRandomValues(new Uint32Array(1))[0]! : Number(given);
  const runs = given === undefined ? RUNS : 1;
  for (let run = 0; run < runs; run++) {
    const seed = (first + run) >>> 0;
    const session = new Session(fuzzShape(seed), randomBytes(seed, PROGRAM_BYTES));
    try {
      runProgram(session);
    } catch (error) {
      const trace = session.trace.slice(-20).join("\n  ");
      throw new Error(`FUZZ_SEED=${seed}: ${error} after\n  ${trace}`, { cause: error });
    }
  }
  expect(runs).toBeGreaterThan(0);
  console.log(`fuzz: ${runs} runs from FUZZ_SEED=${first}`);
}, 60_000);

/** What once failed: each operation with its operands, as the program's bytes would have them. */
test("a message demoted before a rebuild stands in order behind it, and goes when its time comes", () => {
  runSteps(
    [openChannel, 1],
    [changeSlots, 0, 1],
    // Unstored ones live 20 seconds, three are stored: what goes beyond is demoted, for the worker has read
    // none.
    [changePolicy, 42, 0, 0, 0, 0],
    [stored, 1, 10, 0],
    [unstored, 1, 10, 0],
    [stored, 1, 10, 0],
    [stored, 1, 10, 0],
    // From here on for one second only. The append demotes the first, gets to its end, and the store is
    // opened again.
    [changePolicy, 38, 0, 0, 0, 0],
    [crash, 0, 2, 0, 1, 10, 0, 1, 0, 0],
    [passTime, 2],
    [unstored, 1, 10, 0],
  );
});

test("who dies dropping an expired message, having demoted another, leaves the demoted one first", () => {
  runSteps(
    [openChannel, 1],
    [changeSlots, 0, 1],
    [unstored, 1, 10, 0],
    ...Array.from({ length: 4 }, (): Step => [stored, 1, 10, 0]),
    // Three are stored from here on; the first unstored one expires.
    [changePolicy, 32, 0, 0, 0, 0],
    [passTime, 189],
    [crash, 0, 2, 0, 1, 10, 0, 0, 0, 0],
  );
});

const stored = (s: Session): void => append(s, s.pick(), true);
const unstored = (s: Session): void => append(s, s.pick(), false);

type Step = readonly [(s: Session) => void, ...number[]];

function runSteps(...steps: readonly Step[]): void {
  const operands = Uint8Array.from(steps.flatMap(([, ...operands]) => operands));
  const session = new Session(fuzzShape(0), operands);
  for (const [step] of steps) {
    step(session);
    compareAll(session);
  }
  expect(session.goesOn()).toBe(false);
}

/** Block sizes, record counts and rings take turns. */
function fuzzShape(seed: number) {
  return smallShape({
    size: [40, 48, 64, 96][seed % 4]! * 1024,
    blockSize: [128, 256][(seed >>> 2) % 2]!,
    channels: [4, 8, 12][seed % 3]!,
    ringSize: [2, 16, 64][(seed >>> 3) % 3]!,
    workerSlots: 3,
  });
}

/** The same bytes for the same seed everywhere. */
function randomBytes(seed: number, length: number): Uint8Array {
  const below = randomBelow(seed);
  return Uint8Array.from({ length }, () => below(256));
}
