/** What is believed of a message between main and a worker, and what is not. */
import { expect, test } from "bun:test";
import { loadConfig } from "../../src/config/load.ts";
import type { FromWorker, ToWorker } from "../../src/supervisor/handshake.ts";
import { packed, readFromWorker, readToWorker } from "../../src/supervisor/handshake-channel.ts";
import { Random } from "../../src/verify/random.ts";

const drain = { deadlineMs: 1, perSecond: 0.5, isReload: true };
const loaded = loadConfig({});
if (!loaded.ok) throw new Error(loaded.faults.join("\n"));
const start: ToWorker = {
  kind: "start",
  config: loaded.config,
  storePath: "/run/store",
  slot: 0,
  generation: 1,
};
const TO_WORKER: readonly ToWorker[] = [
  start,
  { kind: "drain", how: drain, awaitsWord: false },
  { kind: "close", again: true },
  { kind: "steer", steering: [{ local: "0100007F:1F90", places: [0, 2] }], untilMs: 5 },
  { kind: "quit" },
  { kind: "reopen" },
];
const FROM_WORKER: readonly FromWorker[] = [
  { kind: "ready", addresses: ["127.0.0.1:1"], sockets: [{ local: "0100007F:1F90", inode: "77" }] },
  { kind: "steered", untilMs: 5, fault: null },
  { kind: "steered", untilMs: 5, fault: "no" },
  { kind: "failed", faults: ["x"] },
  { kind: "leaving" },
  { kind: "quiet" },
  { kind: "deaf" },
  { kind: "drained" },
];

const sent = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("what one end sends the other one reads, maps of the configuration, too", () => {
  for (const message of TO_WORKER) expect(readToWorker(sent(packed(message)))).toEqual(message);
  for (const message of FROM_WORKER) expect(readFromWorker(sent(message))).toEqual(message);
});

test.each<[unknown]>([
  [{ kind: "failed", faults: { length: 3 } }],
  [{ kind: "failed", faults: 5 }],
  [{ kind: "failed", faults: [["x"]] }],
  [{ kind: "failed", faults: Array.from({ length: 5000 }, () => "x") }],
  [{ kind: "ready", addresses: 9, sockets: null }],
  [{ kind: "ready", addresses: [], sockets: [null] }],
  [{ kind: "steered", untilMs: {}, fault: 7 }],
  [{ kind: "quit" }],
  [{ kind: ["drained"] }],
  [{}],
  [[]],
  [null],
  ["drained"],
])("%p from a worker is not believed", (message) => expect(readFromWorker(message)).toBeNull());

test.each<[unknown]>([
  [{ kind: "start" }],
  [{ ...packed(start), config: "AAAA" }],
  [{ ...packed(start), config: {} }],
  [{ ...packed(start), slot: -1 }],
  [{ kind: "drain", how: { ...drain, perSecond: "1" }, awaitsWord: false }],
  [{ kind: "steer", steering: [{ local: "x", places: [-1] }], untilMs: 5 }],
  [{ kind: "close" }],
  [{ kind: "ready" }],
])("no word of main's, %#", (message) => expect(readToWorker(message)).toBeNull());

test("mutated messages: read as one of the handshake, or not at all", () => {
  const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const random = new Random(seed);
  const endAt = performance.now() + Number(process.env["FUZZ_MS"] ?? 150);
  const ends = [
    { all: TO_WORKER.map(packed).map(sent), read: readToWorker },
    { all: FROM_WORKER.map(sent), read: readFromWorker },
  ];
  while (performance.now() < endAt) {
    const { all, read } = random.pick(ends);
    const message = sent(mutated(random, structuredClone(random.pick(all)), all));
    try {
      const known = read(message);
      // What was believed is believed again: nothing of it was left unread.
      const again = known !== null && read === readFromWorker ? readFromWorker(sent(known)) : known;
      expect(again).toEqual(known);
    } catch (error) {
      throw new Error(`FUZZ_SEED=${seed}: ${JSON.stringify(message)}: ${String(error)}`, { cause: error });
    }
  }
});

const ODD: readonly unknown[] = [null, -1, 1e300, "", "x", [], {}, true, [null], { length: 3 }, "drained"];

/** One of its words, however deep, in another form. */
function mutated(random: Random, value: unknown, others: readonly unknown[]): unknown {
  if (typeof value !== "object" || value === null || random.chance(0.15))
    return random.pick(random.chance(0.2) ? others : ODD);
  const words = value as Record<string, unknown>;
  const keys = Object.keys(words);
  if (keys.length === 0) return random.pick(ODD);
  const key = random.pick(keys);
  if (random.chance(0.2)) delete words[key];
  else words[key] = mutated(random, words[key], others);
  return words;
}
