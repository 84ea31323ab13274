/** `[store] sync`: when what was published is on the disk. Read by the option table and by build.ts. */
import type { Issue } from "./fault.ts";
import { parseDuration } from "./units.ts";

/**
 * Milliseconds between two flushes; none = when the system sees fit; each = before a publisher is answered.
 */
export type StoreSync = "none" | "each" | number;

const SHORTEST_MS = 100;
const LONGEST_MS = 3_600_000;

/** null: it is none of them. */
export function parseSync(text: string): StoreSync | null {
  if (text === "none" || text === "each") return text;
  const ms = parseDuration(text);
  return ms !== null && ms >= SHORTEST_MS && ms <= LONGEST_MS ? ms : null;
}

export function syncIssues(text: string): readonly Issue[] {
  if (parseSync(text) !== null) return [];
  const sentence = 'sync must be "none", "each" or a time between 100ms and 1h, such as "1s".';
  return [{ suffix: "", value: text, sentence }];
}
