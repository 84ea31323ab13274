import { beforeEach, describe, expect, test } from "bun:test";
import {
  LOCK_LOOK_MS,
  LockWatch,
  type ProcessSight,
  STALLED_MS,
  STARVED_MS,
} from "../../src/supervisor/store/lock-watch.ts";

const WORKER = 4001;
const STRANGER = 4002;
const PATH = "/somewhere/store";

/** What happened, in order. */
let told: string[] = [];
let owner = 0;
let progress = 0;
let state = "T";
let lives = true;
let maps = true;

const lock = {
  lockOwner: () => owner,
  lockProgress: () => progress,
  repairAfterDeath: (pid: number) => {
    told.push(`repaired ${pid}`);
    owner = 0;
    return true;
  },
};
const sight: ProcessSight = { stateOf: () => state, isAlive: () => lives, maps: () => maps };
const watching = (): LockWatch =>
  new LockWatch((pid) => {
    if (pid === WORKER) told.push(`killed ${pid}`);
    return pid === WORKER;
  }, sight);

/** Looks as often as main does; the time of the first thing that happened, or null. */
function watch(watched: LockWatch, from: number, to: number, onLook: () => void = () => undefined) {
  for (let now = from; now <= to; now += LOCK_LOOK_MS) {
    onLook();
    watched.look(lock, PATH, now);
    if (told.length > 0) return now - from;
  }
  return null;
}

beforeEach(() => {
  told = [];
  [owner, progress, state, lives, maps] = [WORKER, 1, "T", true, true];
});

describe("an owner of the lock", () => {
  test("that stands still for a second is killed, once, and nothing is taken from it while it lives", () => {
    const watched = watching();
    expect(watch(watched, 0, 60_000)).toBe(STALLED_MS);
    for (let now = STALLED_MS; now < 9000; now += LOCK_LOOK_MS) watched.look(lock, PATH, now);
    expect(told).toEqual([`killed ${WORKER}`]);
  });

  test("that gets on, in however long a repair, is left alone", () => {
    expect(watch(watching(), 0, 60_000, () => progress++)).toBeNull();
  });

  test("that merely waits for a processor gets more time", () => {
    state = "R";
    expect(watch(watching(), 0, 60_000)).toBe(STARVED_MS);
  });

  test("is not judged by the time in which main slept as well", () => {
    const watched = watching();
    watched.look(lock, PATH, 0);
    watched.look(lock, PATH, 3_600_000);
    expect(told).toEqual([]);
    // Half of the time is over.
    expect(watch(watched, 3_600_000 + LOCK_LOOK_MS, 3_700_000)).toBe(STALLED_MS / 2 - LOCK_LOOK_MS + 100);
  });

  test("is ended in the end by a main that is late again and again", () => {
    const watched = watching();
    for (let now = 0; now <= 3000; now += 700) watched.look(lock, PATH, now);
    expect(told).toEqual([`killed ${WORKER}`]);
  });

  test.each([
    ["that is dead", STRANGER, false, true, [`repaired ${STRANGER}`]],
    ["that has not this store in its memory", STRANGER, true, false, [`repaired ${STRANGER}`]],
    ["that is a living stranger", STRANGER, true, true, []],
    ["that is main itself, after a section that threw", process.pid, true, true, [`repaired ${process.pid}`]],
  ])("%s", (_name, pid, isAlive, isMapped, expected) => {
    [owner, lives, maps] = [pid, isAlive, isMapped];
    watch(watching(), 0, 10_000);
    expect(told).toEqual(expected);
  });
});
