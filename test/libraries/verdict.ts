/**
 * Judges what a client was given: is what was lost exactly what was told? Used by libraries.test.ts.
 */
import type { Heard } from "./client.ts";
import { CHANNELS, type Publisher } from "./publisher.ts";

type Published = Pick<Publisher, "certain" | "uncertain">;

/**
 * Everything that is wrong with it, in words. Who does not resume may lose what he likes, and has still no
 * message twice.
 */
export function verdict(heard: readonly Heard[], published: Published, resumes: boolean): readonly string[] {
  return CHANNELS.flatMap((channel) => {
    const certain = published.certain.get(channel) ?? [];
    const uncertain = published.uncertain.get(channel) ?? [];
    const faults: string[] = [];
    let before: number | null = null;
    /** What it was told since the message before; null when that was not counted. */
    let told: number | null = 0;
    for (const one of heard) {
      if (one.channel !== channel) continue;
      if (one.kind === "gap") {
        told = told === null || one.missed === null ? null : told + one.missed;
        continue;
      }
      const { number } = one;
      if (before !== null) {
        const least = countBetween(certain, before, number);
        const most = least + countBetween(uncertain, before, number);
        const asTold = told === null ? least > 0 : told >= least && told <= most;
        if (number <= before) faults.push(`${channel}: ${number} after ${before}`);
        else if (resumes && !asTold)
          faults.push(`${channel}: lost ${least} to ${most} between ${before} and ${number}, told ${told}`);
      }
      before = number;
      told = 0;
    }
    const last = certain.at(-1);
    if (before !== last) faults.push(`${channel}: ends with ${before}, not ${last}`);
    return faults;
  });
}

const countBetween = (numbers: readonly number[], low: number, high: number): number =>
  numbers.filter((number) => number > low && number < high).length;
