import { describe, expect, test } from "bun:test";
import {
  BackOff,
  CRASH_LOOP_DEATHS,
  CRASH_LOOP_WINDOW_MS,
  CrashLoop,
  HEALTHY_MS,
  LONGEST_DELAY_MS,
  LONGEST_OUTAGE_MS,
} from "../../src/supervisor/worker/back-off.ts";

describe("restart delays", () => {
  test("the first restart is at once, then the wait doubles up to 5 s", () => {
    const backOff = new BackOff();
    const delays = Array.from({ length: 10 }, () => backOff.delayMs(0));
    expect(delays).toEqual([0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  });

  test("a worker that was ready for ten seconds starts the row anew, a shorter life does not", () => {
    const backOff = new BackOff();
    for (let death = 0; death < 5; death++) backOff.delayMs(0);
    expect(backOff.delayMs(HEALTHY_MS - 1)).toBe(1600);
    expect(backOff.delayMs(HEALTHY_MS)).toBe(0);
    expect(backOff.delayMs(1)).toBe(100);
  });

  test("nobody else serves: one that was ready is followed at once, another within a second", () => {
    const backOff = new BackOff();
    for (let death = 0; death < 7; death++) backOff.delayMs(1);
    expect(backOff.delayMs(1, true)).toBe(0);
    expect(backOff.delayMs(0, true)).toBe(LONGEST_OUTAGE_MS);
    expect(backOff.delayMs(0)).toBe(LONGEST_DELAY_MS);
  });
});

describe("crash loop", () => {
  test("ten deaths within the window, not nine", () => {
    const loop = new CrashLoop();
    const answers = Array.from({ length: CRASH_LOOP_DEATHS }, (_, index) => loop.death(index * 100));
    expect(answers.lastIndexOf(false)).toBe(CRASH_LOOP_DEATHS - 2);
    expect(answers.at(-1)).toBe(true);
  });

  test("slow deaths are no loop", () => {
    const loop = new CrashLoop();
    const step = CRASH_LOOP_WINDOW_MS / (CRASH_LOOP_DEATHS - 1);
    for (let index = 0; index < 50; index++) expect(loop.death(index * step)).toBe(false);
  });

  test("a ready worker wipes the slate", () => {
    const loop = new CrashLoop();
    for (let index = 0; index < CRASH_LOOP_DEATHS - 1; index++) loop.death(index);
    loop.ready();
    expect(loop.death(CRASH_LOOP_DEATHS)).toBe(false);
  });
});
