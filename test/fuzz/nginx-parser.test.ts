/**
 * The nginx.conf parser against random trees and random noise. `FUZZ_SEED=n bun test test/fuzz/nginx-parser`
 * repeats one run; `FUZZ_RUNS` sets how many are made otherwise.
 */
import { expect, test } from "bun:test";
import {
  type Directive,
  type ParseOutcome,
  parseNginx,
  parseNginxFile,
} from "../../src/config/nginx/tree.ts";
import { Random } from "../random.ts";
import { MAIN_FILE, type Plan, Printer, randomPlans } from "./nginx-printer.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2000);

function manyRuns(label: string, run: (random: Random) => void): void {
  const given = process.env["FUZZ_SEED"];
  const first = given === undefined ? crypto.getRandomValues(new Uint32Array(1))[0]! : Number(given);
  const runs = given === undefined ? RUNS : 1;
  for (let at = 0; at < runs; at++) {
    const seed = (first + at) >>> 0;
    try {
      run(new Random(seed));
    } catch (error) {
      throw new Error(`FUZZ_SEED=${seed}: ${error}`, { cause: error });
    }
  }
  expect(runs).toBeGreaterThan(0);
  console.log(`fuzz nginx ${label}: ${runs} runs from FUZZ_SEED=${first}`);
}

/** Prints, parses, and expects the same words, blocks, lines and files. */
function checkRoundTrip(plans: readonly Plan[], random: Random): void {
  const printer = new Printer(random);
  const directives = printer.print(plans);
  const text = String(printer.files.read(MAIN_FILE));
  expect(parseNginx(text, MAIN_FILE, printer.files), text).toEqual({ ok: true, directives });
}

test("what is printed in any way is read back", () => {
  manyRuns("trees", (random) => checkRoundTrip(randomPlans(random, 6, 4), random));
}, 60_000);

const NOISE = [
  ..."ab;{}\"'\\#$ \n\t)(",
  "include x;",
  "\x24{",
  "{2}",
  "\r\n",
  "ä",
  "\0",
  "location ~ ^/(.*)$ {",
  '"a b"',
  "# ",
] as unknown as readonly [string, ...string[]];

/** Some words are valid UTF-8 only as a whole file, some never: both ways of reading must hold. */
function noiseBytes(random: Random): Uint8Array {
  const text = Buffer.from(random.text(NOISE, 60));
  for (let count = random.below(4); count > 0 && text.length > 0; count--) {
    text[random.below(text.length)] = random.below(256);
  }
  return text;
}

test("noise gives a tree that can be printed, or faults with lines", () => {
  manyRuns("noise", (random) => {
    const main = random.below(3) === 0 ? random.bytes(200) : noiseBytes(random);
    const included = noiseBytes(random);
    const files = {
      read: (path: string) => (path === MAIN_FILE ? main : included),
      glob: (pattern: string) => (pattern.includes("*") ? [MAIN_FILE] : []),
    };
    const outcome = parseNginxFile(MAIN_FILE, files);
    if (outcome.ok) checkRoundTrip(plansOf(outcome.directives), random);
    else checkFaults(outcome, Math.max(lines(main), lines(included)));
  });
}, 60_000);

const lines = (bytes: Uint8Array): number => Buffer.from(bytes).toString("latin1").split("\n").length;

const plansOf = (directives: readonly Directive[]): Plan[] =>
  directives.map(({ name, args, block }) => ({
    words: [name, ...args.map(({ text }) => text)],
    block: block === null ? null : plansOf(block),
  }));

function checkFaults(outcome: ParseOutcome & { readonly ok: false }, lastLine: number): void {
  expect(outcome.faults.length).toBeWithin(1, 101);
  for (const { file, line, sentence } of outcome.faults) {
    expect(file).toStartWith("/");
    expect(line).toBeWithin(1, lastLine + 1);
    expect(sentence).not.toBe("");
  }
}
