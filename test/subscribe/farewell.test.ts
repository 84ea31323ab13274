/**
 * How subscribers are sent away: the pace, those who come and go meanwhile, and what they are told about
 * coming back.
 */
import { describe, expect, test } from "bun:test";
import { crowdLine, type Farewell, farewellOf, paceMs, retryLine } from "../../src/subscribe/farewell.ts";
import { HeldList } from "../../src/subscribe/hub.ts";
import type { Held } from "../../src/subscribe/timer-wheel.ts";

class Guest implements Held {
  nextHeld: Held | null = null;
  previousHeld: Held | null = null;
  dueTick = 0;
  told: (Farewell | null)[] = [];
  readonly #list: HeldList;
  constructor(list: HeldList) {
    this.#list = list;
    list.enter(this);
  }
  fire(): void {
    throw new Error("nothing is due of it");
  }
  goAway(farewell: Farewell | null): void {
    this.told.push(farewell);
    this.#list.remove(this);
  }
}

const farewell = farewellOf(true, 0);
const guests = (list: HeldList, count: number): Guest[] =>
  Array.from({ length: count }, () => new Guest(list));
const toldOf = (all: readonly Guest[]): number => all.filter(({ told }) => told.length > 0).length;

describe("the list of held connections", () => {
  test("at once means in this very turn", () => {
    const list = new HeldList();
    const all = guests(list, 100);
    void list.sendAway(farewell, { perSecond: 0, withinMs: 1000 });
    expect([toldOf(all), list.size]).toEqual([100, 0]);
  });

  test("a pace leaves most where they are for now, and ends with the last", async () => {
    const list = new HeldList();
    const all = guests(list, 100);
    const done = list.sendAway(farewell, { perSecond: 500, withinMs: 10_000 });
    expect(toldOf(all)).toBeLessThan(100);
    await done;
    expect(all.map(({ told }) => told)).toEqual(all.map(() => [farewell]));
  });

  test("who leaves by himself meanwhile is not told; who comes is, at once", async () => {
    const list = new HeldList();
    const all = guests(list, 50);
    const done = list.sendAway(farewell, { perSecond: 500, withinMs: 10_000 });
    const left = all.filter(({ told }) => told.length === 0).at(-1);
    if (left === undefined) throw new Error("all were told at once");
    list.remove(left);
    const late = new Guest(list);
    await Promise.resolve();
    expect(late.told).toEqual([farewell]);
    await done;
    expect(left.told).toEqual([]);
    expect(toldOf(all)).toBe(49);
  });

  test("nobody there: nothing to wait for", async () => {
    await new HeldList().sendAway(farewell, { perSecond: 1, withinMs: 60_000 });
  });
});

test.each([
  [5000, 1000, 60_000, 5000],
  [5000, 1000, 2000, 2000],
  [5000, 0, 2000, 0],
  [0, 1000, 2000, 0],
])("%d connections at %d a second within %d ms take %d ms", (count, perSecond, withinMs, ms) => {
  expect(paceMs(count, { perSecond, withinMs })).toBe(ms);
});

test.each([
  ["a reload, by chance first", true, 0, 0, "retry: 250\n"],
  ["a reload, by chance last", true, 0, 1, "retry: 1250\n"],
  ["a stop whose drain has 3 s to go", false, 3000, 0, "retry: 4500\n"],
  ["the same, by chance last", false, 3000, 1, "retry: 6500\n"],
])("when to come back after %s", (_what, isReload, drainMs, random, line) => {
  expect(retryLine(farewellOf(isReload, drainMs, 100), random, 100)).toBe(line);
});

test("the last to be told at a stop need not wait for a drain that is over", () => {
  expect(retryLine(farewellOf(false, 3000, 100), 0, 3100)).toBe("retry: 1500\n");
  expect(retryLine(farewellOf(false, 3000, 100), 0, 9000)).toBe("retry: 250\n");
});

describe("a crowd whose connections break", () => {
  const waits = (crowd: number, perSecond: number): readonly number[] =>
    [0, 0.5, 1].map((random) => Number(/^retry: (\d+)\n$/.exec(crowdLine(crowd, perSecond, random))?.[1]));
  test.each([
    ["a few", 5, 2000, [1000, 2000, 3000]],
    ["ten thousand come back over five seconds", 10_000, 2000, [1000, 3500, 6000]],
    ["nobody waits for more than a minute", 1_000_000, 2000, [1000, 31_000, 61_000]],
    ["a drain without a rate has the usual one", 10_000, 0, [1000, 3500, 6000]],
  ])("%s", (_name, crowd, perSecond, expected) => expect(waits(crowd, perSecond)).toEqual(expected));
});
