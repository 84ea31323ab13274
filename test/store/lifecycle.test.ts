/**
 * The times of push-stream spec 6.3 and 6.4, as its tests measure them: from the moment of the request, at
 * any phase of the clock's second and of the sweep, which comes once a second.
 */
import { afterAll, describe, expect, test } from "bun:test";
import type { Store, StorePolicy } from "../../src/store/store.ts";
import type { StoreTotals } from "../../src/store/totals.ts";
import { bytes, Channel, NOW_MS, newStore, removeTempFolders } from "./fixture.ts";

afterAll(removeTempFolders);

const PHASES = [0, 1, 400, 999].flatMap((start) => [0, 300, 998].map((sweep) => [start, sweep] as const));

/** Does something at one moment and looks at the totals every tenth of a second; sweeps run all the while. */
class Watch {
  readonly store: Store;
  readonly startMs: number;
  #nowMs: number;
  #nextSweepMs: number;

  constructor(policy: Partial<StorePolicy>, startPhase: number, sweepPhase: number) {
    this.store = newStore(policy);
    this.startMs = NOW_MS + startPhase;
    this.#nowMs = this.startMs;
    this.#nextSweepMs = NOW_MS + sweepPhase;
    while (this.#nextSweepMs <= this.startMs) this.#nextSweepMs += 1000;
  }

  get startSec(): number {
    return Math.floor(this.startMs / 1000);
  }

  /** Totals so many seconds after the start. */
  at(sec: number): StoreTotals {
    this.#nowMs = this.startMs + sec * 1000;
    for (; this.#nextSweepMs <= this.#nowMs; this.#nextSweepMs += 1000) this.store.sweep(this.#nextSweepMs);
    return this.store.totals(this.#nowMs);
  }

  /** Seconds after the start at which it was so for the first time, at tenths. */
  when(isSo: (totals: StoreTotals) => boolean): number {
    for (let tenth = 0; tenth < 1000; tenth++) if (isSo(this.at(tenth / 10))) return tenth / 10;
    return Number.POSITIVE_INFINITY;
  }
}

describe.each(PHASES)("begun %d ms into a second, swept at %d", (start, sweep) => {
  const watch = (policy: Partial<StorePolicy> = {}): Watch => new Watch(policy, start, sweep);

  test("ttl 1 s: within 5 s it is not stored, but in the trash", () => {
    const w = watch({ messageTtlSec: 1 });
    new Channel(w.store, "a", w.startSec).append("x", true, w.startMs);
    expect(w.at(0)).toMatchObject({ stored: 1, messagesInTrash: 0 });
    expect(w.at(5)).toMatchObject({ stored: 0, messagesInTrash: 1 });
  });

  test("ttl 12 s: there at 6 s, gone at 16", () => {
    const w = watch({ messageTtlSec: 12 });
    new Channel(w.store, "a", w.startSec).append("x", true, w.startMs);
    expect([w.at(6).stored, w.at(16).stored]).toEqual([1, 0]);
  });

  test("a deleted channel: in delete at once and for half a second, in the trash within 5", () => {
    const w = watch();
    new Channel(w.store, "a", w.startSec);
    w.store.deleteChannel(bytes("a"), bytes(""), w.startMs);
    for (const sec of [0, 0.1, 0.5]) expect(w.at(sec)).toMatchObject({ channelsInDelete: 1, channels: 0 });
    expect(w.at(5)).toMatchObject({ channelsInDelete: 0, channelsInTrash: 1 });
  });

  test.each([
    ["stored for 10 s", true, 20, 30],
    ["not stored", false, 10, 20],
  ])("a message %s and its channel: freed when the trash time is over", (_what, stored, from, to) => {
    const w = watch({ messageTtlSec: 10, channelInactivitySec: 30 });
    new Channel(w.store, "a", w.startSec).append("x", stored, w.startMs);
    const freed = w.when(({ stored, messagesInTrash }) => stored + messagesInTrash === 0);
    expect(freed).toBeWithin(from, to);
    const gone = w.when(({ channels, channelsInTrash }) => channels + channelsInTrash === 0);
    expect(gone).toBeWithin(40, 50);
  });

  test.each([
    [30, 25, 35],
    [5, 2, 8],
  ])("an idle channel with an inactivity time of %d s is collected between %d and %d s", (sec, from, to) => {
    const w = watch({ channelInactivitySec: sec });
    new Channel(w.store, "a", w.startSec);
    expect(w.when(({ channels }) => channels === 0)).toBeWithin(from, to);
    expect(w.store.totals(w.startMs + to * 1000).channelsInTrash).toBe(1);
  });

  test.each([
    [
      "an unsubscription",
      6,
      (w: Watch, { index, incarnation }: Channel) => {
        w.store.subscribers.add(0, index, w.startSec, incarnation);
        w.at(4);
        w.store.subscribers.remove(0, index, incarnation);
      },
    ],
    [
      "a poll, which only opens it",
      6,
      (w: Watch) => {
        w.at(4);
        w.store.open(bytes("a"), w.startSec + 4);
      },
    ],
    [
      "a subscription",
      10,
      (w: Watch, { index, incarnation }: Channel) => {
        w.at(4);
        w.store.subscribers.add(0, index, w.startSec + 4, incarnation);
        w.store.subscribers.remove(0, index, incarnation);
      },
    ],
    [
      "a publish",
      10,
      (w: Watch, channel: Channel) => {
        w.at(4);
        channel.append("x", false, w.startMs + 4000);
      },
    ],
  ] as const)("%s after 4 of 5 idle seconds: lives until second %d", (_what, until, act) => {
    const w = watch({ channelInactivitySec: 5 });
    expect(w.store.workers.claimSlot(100, w.startSec)).toBe(0);
    const channel = new Channel(w.store, "a", w.startSec);
    act(w, channel);
    // Not before the whole second is over, and within two sweeps.
    const collected = w.when(({ channels }) => channels === 0);
    expect(collected).toBeWithin(until - 1, until + 2);
  });
});

test("a channel whose last subscriber leaves long after its time goes with the next sweep", () => {
  const w = new Watch({ channelInactivitySec: 5 }, 0, 0);
  const slot = w.store.workers.claimSlot(100, w.startSec);
  const { index, incarnation } = new Channel(w.store, "a", w.startSec);
  w.store.subscribers.add(slot, index, w.startSec, incarnation);
  expect(w.at(60).channels).toBe(1);
  w.store.subscribers.remove(slot, index, incarnation);
  expect(w.at(61).channels).toBe(0);
});

test("a channel with stored messages lives until they expire", () => {
  const w = new Watch({ channelInactivitySec: 5, messageTtlSec: 20 }, 0, 0);
  new Channel(w.store, "a", w.startSec).append("x", true, w.startMs);
  expect(w.when(({ channels }) => channels === 0)).toBe(20);
});
