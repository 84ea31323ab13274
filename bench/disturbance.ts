// How much of the machine others used while a row ran. run.ts asks before and after each row; a row whose
// figures were taken on a busy machine is marked in the table, because its medians are then somebody else's
// doing, good or bad.

import { readFileSync } from "node:fs";
import { cpus } from "node:os";

/** Above this share of the machine a row counts as disturbed. The bench itself needs both of two cores. */
const DISTURBED_SHARE = 0.05;
const TICK_SEC = 0.01;

interface Reading {
  readonly atSec: number;
  /** CPU time of everything since boot: all but idle and waiting. */
  readonly machineSec: number;
  /** CPU time of the bench and all processes it has started and seen end. */
  readonly ownSec: number;
}

export interface Disturbance {
  readonly share: number;
  readonly isDisturbed: boolean;
}

function read(): Reading {
  const all = /^cpu +(.+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1]?.split(" ").map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, , , interrupt = 0, soft = 0, steal = 0] = all;
  const text = readFileSync("/proc/self/stat", "utf8");
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  // utime, stime, and the same of ended children, grandchildren included where their parents waited for them.
  const own = fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0);
  return {
    atSec: performance.now() / 1000,
    machineSec: (user + nice + system + interrupt + soft + steal) * TICK_SEC,
    ownSec: own * TICK_SEC,
  };
}

/** Starts watching; the answer stops and tells. All processes of the row must have been stopped by then. */
export function watchDisturbance(): () => Disturbance {
  const before = read();
  return () => {
    const after = read();
    const others = after.machineSec - before.machineSec - (after.ownSec - before.ownSec);
    const share = Math.max(0, others / ((after.atSec - before.atSec) * cpus().length));
    return { share, isDisturbed: share > DISTURBED_SHARE };
  };
}
