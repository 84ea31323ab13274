// Who is there: reading a list of a hundred thousand members, and a thousand joins a second where only their
// number is told.
import { measurePresence } from "../presence.ts";
import { median, withRange } from "../statistics.ts";
import type { Row } from "./row.ts";

const PORT = 17_292;
const MOST_READ_MS = 1000;
/** Of a turn; a wait has the turns of the client's process and the kernel's scheduling besides. */
const MOST_TURN_MS = 10;

export const presenceRow: Row = {
  name: "presence",
  async run(_peers, plan) {
    const figures = await measurePresence(PORT, plan.members, plan.rounds);
    const { members, readMs, bytes, waitMs, idleWaitMs, joinUs, plainUs } = figures;
    const waited = waitMs.map((ms, i) => Math.max(0, ms - (idleWaitMs[i] ?? 0)));
    return {
      lines: [
        {
          figure: `full read of ${members} members, native`,
          target: "below 1 s",
          measured: `${withRange(readMs)} ms, ${(bytes / 1e6).toFixed(1)} MB`,
          met: median(readMs) < MOST_READ_MS,
        },
        {
          figure: "longest wait of others during the read, beyond that without one, native",
          target: "below 10 ms",
          measured: `${withRange(waited)} ms`,
          met: median(waited) < MOST_TURN_MS,
        },
        {
          figure: "1,000 joins a second, told as a count, native",
          target: "reported",
          measured:
            `${(median(joinUs) / 10).toFixed(0)} % of a core; ` +
            `${median(joinUs).toFixed(0)} us a join and leave, ` +
            `${median(plainUs).toFixed(0)} us where nobody is counted`,
          met: true,
        },
      ],
      notes: [],
    };
  },
};
