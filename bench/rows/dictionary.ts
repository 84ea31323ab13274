// Shared dictionaries: get and incr in one process, and incr by two processes of one key at a time. In this
// process and children of it, without a server.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { SharedDictionary } from "../../src/store/dictionary/shared-dictionary.ts";
import { openDictionary } from "../../src/store/dictionary/shared-file.ts";
import { storeFolder } from "../peers/sluice.ts";
import type { Plan } from "../plan.ts";
import { median, withRange } from "../statistics.ts";
import type { Line, Peers, Row } from "./row.ts";

const CALLS = 300_000;
const GET_NS = 500;
const INCR_NS = 1000;
const KEYS = Array.from({ length: 1000 }, (_, at) => `user:${10_000 + at}`);

function timed(call: (key: string) => unknown): number {
  const startNs = Bun.nanoseconds();
  for (let at = 0; at < CALLS; at++) call(KEYS[at % KEYS.length] ?? "");
  return (Bun.nanoseconds() - startNs) / CALLS;
}

const line = (what: string, samples: readonly number[], limitNs: number): Line => ({
  figure: `shared dictionary, ${what}`,
  target: `at most ${limitNs / 1000} us`,
  measured: `${withRange(samples.map((ns) => ns / 1000))} us`,
  met: median(samples) <= limitNs,
});

/** A child may have to wait for a CPU while it has the lock. */
async function patiently(call: () => unknown): Promise<void> {
  for (;;) {
    try {
      call();
      return;
    } catch (error) {
      if ((error as Error).message !== "busy") throw error;
      await Bun.sleep(1);
    }
  }
}

async function contended(path: string, dictionary: SharedDictionary): Promise<number> {
  await patiently(() => dictionary.delete("go"));
  const script = join(import.meta.dir, "../load/dictionary-worker.ts");
  const children = [1, 2].map(() =>
    Bun.spawn([process.execPath, script, path, String(CALLS)], { stdout: "pipe", stderr: "inherit" }),
  );
  await Bun.sleep(500);
  await patiently(() => dictionary.set("go", 1));
  const texts = await Promise.all(children.map(({ stdout }) => new Response(stdout).text()));
  return median(texts.map((text) => (JSON.parse(text) as { ns: number }).ns));
}

export const dictionaryRow: Row = {
  name: "dictionary",
  async run(_peers: Peers, { rounds }: Plan) {
    const folder = storeFolder();
    const path = join(folder, "dictionary");
    const { arena } = openDictionary(path, 1024 ** 2, false);
    const dictionary = new SharedDictionary(arena, (fault) => (fault === "busy" ? new Error(fault) : fault));
    const samples = { get: [] as number[], text: [] as number[], incr: [] as number[], two: [] as number[] };
    for (const key of KEYS) dictionary.set(`text of ${key}`, "twenty letters of text");
    for (let round = -1; round < rounds; round++) {
      const incr = timed((key) => dictionary.incr(key));
      const get = timed((key) => dictionary.get(key));
      const text = timed((key) => dictionary.get(`text of ${key}`));
      const two = await contended(path, dictionary);
      // The first round is for the compiler.
      if (round < 0) continue;
      samples.get.push(get);
      samples.text.push(text);
      samples.incr.push(incr);
      samples.two.push(two);
    }
    rmSync(folder, { recursive: true, force: true });
    return {
      lines: [
        line("get of a number, 1,000 keys", samples.get, GET_NS),
        line("get of a text of 22 bytes", samples.text, GET_NS),
        line("incr", samples.incr, INCR_NS),
      ],
      notes: [
        "dictionary: incr of one key by two processes at once " +
          `${withRange(samples.two.map((ns) => ns / 1000))} us a call`,
      ],
    };
  },
};
