/**
 * Connections full of requests, read by us, by node's parser and by nginx: the same requests read, the same
 * refused, the same split into requests, except for what the two lists of differences have. `FUZZ_SEED=n bun
 * test test/fuzz/http1` repeats one connection; `FUZZ_MS` sets how long it goes on otherwise.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { BODY_CASES } from "../listen/http1-body-cases.ts";
import { octets } from "../listen/http1-fixture.ts";
import { HEAD_CASES } from "../listen/http1-head-cases.ts";
import { Random } from "../random.ts";
import { compareWithLlhttp, compareWithNginx, DIFFERENCES, explain } from "./http1-compare.ts";
import { connectionText, LAST, pieces } from "./http1-corpus.ts";
import type { Divergence, Peer } from "./http1-divergence.ts";
import { NginxReader } from "./http1-nginx.ts";
import { readOurs } from "./http1-reading.ts";

const BUDGET_MS = Number(process.env["FUZZ_MS"] ?? 2500);
const BATCH = 500;

let nginx: NginxReader | null = null;

beforeAll(async () => {
  nginx = await NginxReader.start();
  if (nginx === null) console.log("skipped: the comparison with nginx, which is not here in version 1.22");
});

afterAll(() => nginx?.stop());

/** What each peer reads otherwise than we do, in a connection. */
type Found = readonly [peer: Peer, divergence: Divergence | null];

async function compareAll(texts: readonly string[]): Promise<Found[][]> {
  const theirs = await nginx?.readAll(texts.map(octets));
  return texts.map((text, at): Found[] => {
    const ours = readOurs([octets(text)]);
    const found: Found[] = [["llhttp", compareWithLlhttp(text, ours)]];
    const reading = theirs?.[at];
    if (reading !== undefined) found.push(["nginx", compareWithNginx(text, ours, reading)]);
    return found;
  });
}

function expectExplained(what: string, text: string, found: readonly Found[]): void {
  for (const [peer, divergence] of found) {
    if (divergence === null || explain(peer, divergence).length > 0) continue;
    throw new Error(`${what}: unlike ${peer}: ${JSON.stringify(divergence)}\nin ${JSON.stringify(text)}`);
  }
}

test("the bytes of the tables are read as the others read them", async () => {
  const cases = [...HEAD_CASES, ...BODY_CASES];
  const texts = cases.map(([, bytes]) => bytes + LAST);
  const found = await compareAll(texts);
  for (const [at, [what]] of cases.entries()) expectExplained(what, texts[at] ?? "", found[at] ?? []);
});

test.each(DIFFERENCES)("unlike $peer: $what", async (difference) => {
  const [found = []] = await compareAll([difference.example]);
  const divergence = found.find(([peer]) => peer === difference.peer)?.[1];
  if (divergence === undefined) return;
  expect(divergence, "there is no difference").not.toBeNull();
  if (divergence !== null) expect(explain(difference.peer, divergence)).toContain(difference);
});

/**
 * The answer depends on the bytes alone: cut anywhere, also where a bound is met, a connection is read alike.
 */
function expectUncut(what: string, bytes: Uint8Array, random: Random): void {
  const small = {
    lineBytes: 16 + random.below(80),
    headBytes: 32 + random.below(250),
    fields: 1 + random.below(5),
  };
  for (const bounds of [undefined, small]) {
    expect([what, readOurs(pieces(random, bytes), bounds)]).toEqual([what, readOurs([bytes], bounds)]);
  }
}

test("connections are read as the others read them, whole and in pieces", async () => {
  const given = process.env["FUZZ_SEED"];
  const first = given === undefined ? crypto.getRandomValues(new Uint32Array(1))[0]! : Number(given);
  const until = performance.now() + BUDGET_MS;
  let count = 0;
  do {
    const seeds = Array.from(
      { length: given === undefined ? BATCH : 1 },
      (_, at) => (first + count + at) >>> 0,
    );
    const texts = seeds.map((seed) => connectionText(new Random(seed)));
    const found = await compareAll(texts);
    for (const [at, text] of texts.entries()) {
      const what = `FUZZ_SEED=${seeds[at]}`;
      expectExplained(what, text, found[at] ?? []);
      expectUncut(what, octets(text), new Random(seeds[at]! ^ 0x5a5a5a5a));
    }
    count += texts.length;
  } while (given === undefined && performance.now() < until);
  console.log(`fuzz http1: ${count} connections from FUZZ_SEED=${first}`);
}, 60_000);
