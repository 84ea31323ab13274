/**
 * Random terms and forks (terms-world.ts): no position for two messages, nothing twice, nothing lost in
 * silence, and all nodes of one mind. `FUZZ_SEED=n bun test test/cluster/terms` repeats one run, `FUZZ_RUNS`
 * sets how many are made otherwise. Without what the design rests on, the same judgement fails.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { APPEND } from "../../src/cluster/script.ts";

import { configureLog } from "../../src/log.ts";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { FOUND } from "../../src/store/message/reader.ts";
import { lifeOf } from "../../src/wire/position.ts";
import { randomFraction } from "../random.ts";
import { Engine, hasRedis } from "./engine.ts";
import { CHANNELS, TermsWorld } from "./terms-world.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 12);
const STEPS = 400;
let engine: Engine;
const ref = new ChannelRef();

interface Kind {
  readonly script?: string;
  readonly isPrompt?: boolean;
  readonly isNaive?: boolean;
}

async function run(
  seed: number,
  { script, isPrompt = false, isNaive = false }: Kind = {},
): Promise<TermsWorld> {
  if (engine.redis === null) throw new Error("the engine does not run");
  const world = new TermsWorld(engine.redis, randomFraction(seed), 3, script);
  world.isPrompt = isPrompt;
  world.isNaive = isNaive;
  try {
    await world.begin();
    for (let step = 0; step < STEPS; step++) await world.step();
    await world.finish();
  } finally {
    world.end();
  }
  return world;
}

/** Without one of its parts. */
function without(part: string | RegExp, instead: string): string {
  const changed = APPEND.replace(part, instead);
  if (changed === APPEND) throw new Error("the script has changed: say anew what is to be left out");
  return changed;
}

describe.if(hasRedis)("terms and forks", () => {
  beforeAll(async () => {
    // Thousands of forks are told of.
    configureLog("error", "terms");
    engine = await new Engine().start();
  });
  afterAll(async () => {
    configureLog("info", "main");
    await engine.stop();
  });

  test("random failovers, restarts and wipes", async () => {
    const given = process.env["FUZZ_SEED"];
    const first = given === undefined ? Date.now() % 1_000_000_000 : Number(given);
    console.log(`fuzz terms: ${RUNS} runs from FUZZ_SEED=${first}`);
    let [incarnations, strangers] = [0, 0];
    for (let seed = first; seed < first + (given === undefined ? RUNS : 1); seed++) {
      const world = await run(seed);
      incarnations += world.incarnations;
      strangers += world.strangers;
      expect({ seed, faults: world.faults }).toEqual({ seed, faults: [] });
    }
    expect(Math.min(incarnations, strangers)).toBeGreaterThan(0);
  }, 120_000);

  test("a clock that goes back an hour at each failover", async () => {
    const script = without(
      "local second = tonumber(time[1])",
      "local second = tonumber(time[1]) - 3600 * (tonumber(string.match(ARGV[2], '%d+')) % 2)",
    );
    for (let seed = 1; seed <= 4; seed++)
      expect((await run(seed, { script, isPrompt: true })).faults).toEqual([]);
  }, 60_000);

  test.each([
    [
      "no incarnation is opened",
      without(/if found\[1\] ~= ARGV\[2\] .* then/, "if not found[1] then"),
      /was lost, and who saw it was not told|was that of/,
    ],
    [
      "positions go on where this history stands",
      without("from = base\n        position = base", "from = from"),
      /was that of/,
    ],
    ["the fork is not told", without("text(fork) .. ' '", "text(999999999) .. ' '"), /./],
  ])(
    "control: where %s, the judgement fails",
    async (_name, script, fault) => {
      const faults: string[] = [];
      for (let seed = 1; seed <= 4; seed++) faults.push(...(await run(seed, { script })).faults);
      expect(faults.join("\n")).toMatch(fault);
    },
    60_000,
  );

  test("who comes with time and tag a node has not read yet is not given that message again", async () => {
    if (engine.redis === null) throw new Error("the engine does not run");
    const world = new TermsWorld(engine.redis, randomFraction(1), 2);
    const [ahead, behind] = world.nodes;
    const [name] = CHANNELS;
    if (ahead === undefined || behind === undefined || name === undefined) throw new Error("there are two");
    await world.begin();
    await world.publish(0);
    while (await ahead.read(engine.redis, 100));
    const message = new Message();
    expect(ahead.store.history.reader(ahead.store.find(name, ref), ref.incarnation, 0).next(message)).toBe(
      FOUND,
    );
    const { time, tag, id } = message;
    const index = behind.store.open(name, 1, ref);
    const seat = { index, incarnation: ref.incarnation, name, backtrack: 0 };
    const asked = behind.backlog.find([seat], { time, tag, eventId: null, token: null }, false);
    expect(asked).toBeInstanceOf(Promise);
    while (await behind.read(engine.redis, 100));
    expect(behind.backlog.start(seat, 0, await asked, false)).toMatchObject({ afterId: id, unknown: false });
    world.end();
  });

  test("who comes with time and tag of a lost message is told, by a node that never had it too", async () => {
    if (engine.redis === null) throw new Error("the engine does not run");
    const world = new TermsWorld(engine.redis, randomFraction(2), 2);
    const [ahead, behind] = world.nodes;
    const [name] = CHANNELS;
    if (ahead === undefined || behind === undefined || name === undefined) throw new Error("there are two");
    await world.begin();
    for (let count = 0; count < 2; count++) await world.publish(1);
    for (const node of [ahead, behind]) while (await node.read(engine.redis, 100));
    await world.publish(0);
    while (await ahead.read(engine.redis, 100));
    const message = new Message();
    expect(ahead.store.history.reader(ahead.store.find(name, ref), ref.incarnation, 0).next(message)).toBe(
      FOUND,
    );
    const { time, tag } = message;
    const moment = ahead.store.positions.beginning(0);
    await engine.redis.call("FLUSHDB");
    await Bun.sleep(2);
    await world.publish(2);
    while (await behind.read(engine.redis, 100));
    const seat = { index: behind.store.open(name, 1, ref), incarnation: ref.incarnation, name, backtrack: 0 };
    const told = async (asked: { time: number; tag: number }): Promise<boolean> => {
      const found = await behind.backlog.find([seat], { ...asked, eventId: null, token: null }, false);
      return behind.backlog.start(seat, 0, found, false).unknown;
    };
    expect(await told({ time, tag })).toBe(true);
    // Of what came after it, not.
    const { sec, tag: now } = behind.replica.clock;
    expect(await told({ time: sec, tag: now })).toBe(false);
    // So is who stood there by then and was given nothing: his position is the moment.
    const life = lifeOf(behind.store.epoch, [name]);
    const back = (position: number): boolean =>
      behind.backlog.start(
        seat,
        0,
        { time: null, tag: null, eventId: null, token: { life, positions: [position] } },
        true,
      ).unknown;
    expect([back(moment), back(behind.store.positions.beginning(0))]).toEqual([true, false]);
    world.end();
  });

  test("control: where entries that are read again are applied again, the judgement fails", async () => {
    expect((await run(1, { isNaive: true })).faults.join("\n")).toMatch(/was seen twice/);
  });
});
