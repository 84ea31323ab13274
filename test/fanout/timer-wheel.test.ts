/** The wheel of subscribe/timer-wheel.ts, turned by hand. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { type Held, TimerWheel } from "../../src/subscribe/timer-wheel.ts";

const TICK_MS = 50;
const TURN_MS = 512 * TICK_MS;

let nowMs = 0;
let wheel: TimerWheel;
beforeEach(() => {
  nowMs = 1_000_000.25;
  wheel = new TimerWheel(() => nowMs);
});
afterEach(() => wheel.stop());

class Timer implements Held {
  nextHeld: Held | null = null;
  previousHeld: Held | null = null;
  dueTick = 0;
  fired = 0;
  onFire: () => void = () => undefined;
  fire(): void {
    this.fired++;
    this.onFire();
  }
  goAway(): void {
    wheel.remove(this);
  }
}

function timer(delayMs: number): Timer {
  const made = new Timer();
  wheel.add(made, delayMs);
  return made;
}

function pass(ms: number): void {
  nowMs += ms;
  wheel.advance();
}

test.each([0, 1, 49, 50, 51, 75, 1000, TURN_MS - 1, TURN_MS, TURN_MS + 1, 3 * TURN_MS + 20])(
  "%i ms: never early, at most a tick late, once",
  (delayMs) => {
    const one = timer(delayMs);
    pass(Math.max(0, delayMs - 0.5));
    expect(one.fired).toBe(0);
    pass(TICK_MS + 0.5);
    expect(one.fired).toBe(1);
    pass(2 * TURN_MS);
    expect(one.fired).toBe(1);
  },
);

test("timers of the same slot but of another turn wait for theirs", () => {
  const [near, far] = [timer(100), timer(100 + TURN_MS)];
  pass(200);
  expect([near.fired, far.fired]).toEqual([1, 0]);
  pass(TURN_MS);
  expect(far.fired).toBe(1);
});

test("a clock that jumps fires everything that has come due, in order of time", () => {
  const order: number[] = [];
  for (const delayMs of [700, 100, 400]) timer(delayMs).onFire = () => order.push(delayMs);
  pass(10 * TURN_MS);
  expect(order).toEqual([100, 400, 700]);
});

test("adding again moves, removing is for good and may be repeated", () => {
  const [moved, removed] = [timer(100), timer(100)];
  wheel.add(moved, 500);
  wheel.remove(removed);
  wheel.remove(removed);
  pass(400);
  expect([moved.fired, removed.fired]).toEqual([0, 0]);
  pass(200);
  expect([moved.fired, removed.fired]).toEqual([1, 0]);
});

test("one that adds itself again while it fires is due later, not at once", () => {
  const one = timer(50);
  one.onFire = () => wheel.add(one, 0);
  pass(100);
  expect(one.fired).toBeLessThanOrEqual(2);
  const before = one.fired;
  pass(TICK_MS);
  expect(one.fired).toBe(before + 1);
});

test("one that removes a neighbour while it fires", () => {
  const [first, second, third] = [timer(50), timer(50), timer(50)];
  first.onFire = () => wheel.remove(second);
  pass(100);
  expect([first.fired, second.fired, third.fired]).toEqual([1, 0, 1]);
});

test("many timers on all slots: all fire, each once", () => {
  const all = Array.from({ length: 2000 }, (_, i) => timer((i * 37) % (2 * TURN_MS)));
  for (let i = 0; i < 2000; i += 3) wheel.remove(all[i] ?? new Timer());
  for (let steps = 0; steps < 2 * 512 + 2; steps++) pass(TICK_MS);
  expect(all.map(({ fired }) => fired)).toEqual(all.map((_, i) => (i % 3 === 0 ? 0 : 1)));
});

test("all are found, whether something is due of them or not, and each once", () => {
  const [near, far, fired, gone, timeless] = [timer(100), timer(TURN_MS), timer(0), timer(50), new Timer()];
  wheel.keep(timeless);
  pass(TICK_MS);
  wheel.remove(gone);
  expect([fired.fired, wheel.size]).toEqual([1, 4]);
  expect(new Set(wheel.all())).toEqual(new Set([near, far, fired, timeless]));
  // What was due of it is not, once nothing is.
  wheel.keep(near);
  pass(2 * TURN_MS);
  expect([near.fired, far.fired, timeless.fired, wheel.size]).toEqual([0, 1, 0, 4]);
  for (const one of wheel.all()) one.goAway(null);
  expect([wheel.size, wheel.all()]).toEqual([0, []]);
});

test("the interval turns it without help", async () => {
  const real = new TimerWheel();
  const one = new Timer();
  real.add(one, 1);
  for (let waited = 0; one.fired === 0 && waited < 100; waited++) await Bun.sleep(20);
  real.stop();
  expect(one.fired).toBe(1);
});
