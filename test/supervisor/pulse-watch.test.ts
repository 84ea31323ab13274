import { beforeEach, describe, expect, test } from "bun:test";
import { PulseWatch, RollCall, START_LIMIT_MS, STUCK_MS } from "../../src/supervisor/worker/pulse-watch.ts";

const TICK_MS = 1000;
const worker = { isReady: true, slot: 3 };
let beat = 0;
const counters = { get: (slot: number) => (slot === 3 ? beat : 0) };

/** Looks once a tick from `from` to `to`; the time of the first fault, or null. */
function watch(pulses: PulseWatch, from: number, to: number, onTick: () => void = () => undefined) {
  for (let now = from; now <= to; now += TICK_MS) {
    onTick();
    const fault = pulses.faultOf(worker, counters, now);
    if (fault !== null) return { now, fault };
  }
  return null;
}

beforeEach(() => {
  beat = 1;
  worker.isReady = true;
});

describe("a worker's heartbeat", () => {
  test("one that beats is well for ever", () => {
    expect(watch(new PulseWatch(), 0, 100_000, () => beat++)).toBeNull();
  });

  test("one that stands still is found after 15 s", () => {
    const found = watch(new PulseWatch(), 0, 60_000);
    expect(found).toEqual({ now: STUCK_MS + TICK_MS, fault: "its event loop stood still" });
  });

  test("a clock set backwards is still a beat", () => {
    expect(watch(new PulseWatch(), 0, 100_000, () => beat--)).toBeNull();
  });

  test("time in which main slept as well is not held against the worker", () => {
    const pulses = new PulseWatch();
    expect(watch(pulses, 0, 10_000)).toBeNull();
    expect(watch(pulses, 3_600_000, 3_600_000 + STUCK_MS)).toBeNull();
    expect(watch(pulses, 3_600_000 + STUCK_MS + TICK_MS, 3_700_000)).not.toBeNull();
  });

  test("a start may take ten seconds", () => {
    worker.isReady = false;
    const pulses = new PulseWatch();
    const found = watch(pulses, 0, 60_000);
    expect(found).toEqual({ now: START_LIMIT_MS + TICK_MS, fault: "was not ready in time" });
    pulses.forget(worker);
    expect(pulses.faultOf(worker, counters, 70_000)).toBeNull();
  });
});

describe("under a watchdog", () => {
  const STUCK_SOON_MS = 2000;

  test("a worker that stands still is found sooner", () => {
    expect(watch(new PulseWatch(STUCK_SOON_MS), 0, 60_000)?.now).toBe(STUCK_SOON_MS + TICK_MS);
  });

  test("a pause of main that is longer than half of that is not held against the worker", () => {
    const pulses = new PulseWatch(STUCK_SOON_MS);
    expect(watch(pulses, 0, 1000)).toBeNull();
    expect(pulses.faultOf(worker, counters, 2500)).toBeNull();
    expect(pulses.faultOf(worker, counters, 4400)).toBeNull();
  });

  test("all seats have to answer; one may be silent for as long as a replacement takes", () => {
    const roll = new RollCall(2, 0);
    roll.answers(0, START_LIMIT_MS);
    expect(roll.isComplete(START_LIMIT_MS + 1000)).toBe(true);
    expect(roll.isComplete(START_LIMIT_MS + 2001)).toBe(false);
    roll.answers(1, START_LIMIT_MS + 2002);
    expect(roll.isComplete(START_LIMIT_MS + 2002)).toBe(true);
  });
});
