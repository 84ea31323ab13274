/** The clock of a held connection (push-stream spec 4.9, 4.10), with a wheel and a time of the test's own. */
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { type LocalChannel, Subscription } from "../../src/fanout/local-channel.ts";
import { type Clocked, clockFired, type LifeEnd, startClock } from "../../src/subscribe/keep-alive.ts";
import { type Held, TimerWheel } from "../../src/subscribe/timer-wheel.ts";
import { Channel, newStore, removeTempFolders } from "../store/fixture.ts";
import { localOf } from "./fixture.ts";

afterAll(removeTempFolders);

const realNow = performance.now;
let nowMs = 0;
let wheel: TimerWheel;
let channels: LocalChannel[];
beforeEach(() => {
  nowMs = 5_000_000;
  performance.now = () => nowMs;
  wheel = new TimerWheel(() => nowMs);
  const store = newStore();
  channels = ["a", "b"].map((name) => localOf(new Channel(store, name)));
});
afterEach(() => {
  wheel.stop();
  performance.now = realNow;
});

class Connection implements Clocked {
  nextHeld: Held | null = null;
  previousHeld: Held | null = null;
  dueTick = 0;
  lifeEnd: LifeEnd | null = null;
  readonly subscriptions = channels.map((channel) => new Subscription(channel, 0));
  readonly happened: string[] = [];
  /** It is closed by what it is sent. */
  isTooSlow = false;
  readonly #startMs = nowMs;
  readonly #pingEveryMs: number;
  constructor(pingEveryMs: number, ttlMs: number) {
    this.#pingEveryMs = pingEveryMs;
    wheel.keep(this);
    startClock(wheel, this, pingEveryMs, ttlMs);
  }
  fire(): void {
    clockFired(wheel, this, this.#pingEveryMs);
  }
  ping(): void {
    this.happened.push(`ping ${this.#seconds()}`);
    if (this.isTooSlow) this.goAway();
  }
  goAway(): void {
    wheel.remove(this);
  }
  expire(): void {
    this.happened.push(`end ${this.#seconds()}`);
  }
  #seconds(): number {
    return Math.floor((nowMs - this.#startMs) / 1000);
  }
}

/** Time passes; `live` happens every second. */
function pass(seconds: number, live: (second: number) => void = () => undefined): void {
  for (let tick = 1; tick <= seconds * 20; tick++) {
    nowMs += 50;
    wheel.advance();
    if (tick % 20 === 0) live(tick / 20);
  }
}

const isWaiting = (connection: Connection) => connection.dueTick > 0;

test("pings every interval", () => {
  const one = new Connection(3000, 0);
  pass(10);
  expect(one.happened).toEqual(["ping 3", "ping 6", "ping 9"]);
});

test("who is closed by its ping is not pinged again, and held no more", () => {
  const one = new Connection(3000, 0);
  one.isTooSlow = true;
  pass(10);
  expect([one.happened, wheel.size]).toEqual([["ping 3"], 0]);
});

test("a live message in any of its channels restarts the interval", () => {
  const one = new Connection(3000, 0);
  pass(10, (second) => {
    const [, last] = channels;
    if (second === 2 && last !== undefined) last.lastLiveMs = nowMs;
  });
  expect(one.happened).toEqual(["ping 5", "ping 8"]);
});

test("no pings in a busy channel", () => {
  const one = new Connection(3000, 0);
  pass(20, () => {
    for (const channel of channels) channel.lastLiveMs = nowMs;
  });
  expect([one.happened, isWaiting(one)]).toEqual([[], true]);
});

test("ends once at its ttl, whatever is delivered, and pings before it", () => {
  const one = new Connection(4000, 10_000);
  pass(30);
  expect([one.happened, isWaiting(one)]).toEqual([["ping 4", "ping 8", "end 10"], false]);
});

test("ends without a ping when both are due", () => {
  const one = new Connection(5000, 5000);
  pass(6);
  expect(one.happened).toEqual(["end 5"]);
});

test("0 and 0: nothing ever happens and no timer waits", () => {
  const one = new Connection(0, 0);
  expect(isWaiting(one)).toBe(false);
  pass(60);
  expect(one.happened).toEqual([]);
});

test("only an end", () => {
  const one = new Connection(0, 2000);
  pass(10);
  expect(one.happened).toEqual(["end 2"]);
});

test("in the last round a connection ends where its next ping would be", () => {
  const one = new Connection(3000, 0);
  pass(4);
  wheel.beginLastRound();
  pass(10);
  expect(one.happened).toEqual(["ping 3", "end 6"]);
  expect(isWaiting(one)).toBeFalse();
});

test("in the last round the end of life comes first when it is sooner", () => {
  const one = new Connection(3000, 5000);
  pass(4);
  wheel.beginLastRound();
  pass(10);
  expect(one.happened).toEqual(["ping 3", "end 5"]);
});

test("a live message before the last round puts the end off, one in it does not", () => {
  const one = new Connection(3000, 0);
  pass(20, (second) => {
    const [first] = channels;
    if (first === undefined) return;
    if (second === 2) first.lastLiveMs = nowMs;
    if (second === 3) wheel.beginLastRound();
    if (second > 3) first.lastLiveMs = nowMs;
  });
  // The message of second 2 is not remembered once another came: at the latest an interval after the round
  // began.
  expect(one.happened).toEqual(["end 6"]);
});

test("who comes in the last round has one interval", () => {
  wheel.beginLastRound();
  pass(1);
  const one = new Connection(3000, 0);
  pass(10);
  expect(one.happened).toEqual(["end 3"]);
});

test("in the last round a connection without ping and end of life stays", () => {
  const one = new Connection(0, 0);
  wheel.beginLastRound();
  pass(100);
  expect(one.happened).toEqual([]);
});
