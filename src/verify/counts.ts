/**
 * How much happened in a history: what a report shows beside what was found broken. Used by checker.ts and
 * run.ts.
 */
import type { History } from "./history.ts";

/** Of nothing yet. */
export const noCounts = (): Counts => ({
  accepted: 0,
  refused: 0,
  unknown: 0,
  deliveries: 0,
  opens: 0,
  resumes: 0,
  moves: 0,
  gaps: 0,
  missed: 0,
});

export interface Counts {
  accepted: number;
  refused: number;
  unknown: number;
  deliveries: number;
  opens: number;
  resumes: number;
  /** Resumed on another lane than before. */
  moves: number;
  gaps: number;
  /** Of the gaps that were counted. */
  missed: number;
}

export function count({ publishes, lines }: History): Counts {
  const counts = noCounts();
  for (const { outcome } of publishes) counts[outcome]++;
  for (const { events } of lines) {
    let lane = "";
    for (const event of events) {
      if (event.kind === "message") counts.deliveries++;
      if (event.kind === "gap") {
        counts.gaps++;
        counts.missed += event.missed ?? 0;
      }
      if (event.kind !== "open") continue;
      counts.opens++;
      if (event.resumes) counts.resumes++;
      if (event.resumes && lane !== event.lane) counts.moves++;
      lane = event.lane;
    }
  }
  return counts;
}
