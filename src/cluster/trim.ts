/**
 * Keeps the log within its size and age. Called by the publisher of the node that is first by name
 * (heartbeat.ts).
 */
import type { Calls } from "./engine-connection.ts";

/** Of the size that is allowed: so it is not trimmed at each look. */
const TRIM_TO = 0.95;

/** What is older than `id` (null: nothing), and what makes the log larger than `bytes`, goes. */
export async function trimLog(redis: Calls, log: string, id: string | null, bytes: number): Promise<void> {
  if (id !== null) await redis.call("XTRIM", log, "MINID", "~", id);
  const used = Number(await redis.call("MEMORY", "USAGE", log));
  if (!(used > bytes)) return;
  const length = Number(await redis.call("XLEN", log));
  await redis.call("XTRIM", log, "MAXLEN", "~", String(Math.floor((length * bytes * TRIM_TO) / used)));
}
