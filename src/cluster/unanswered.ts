/**
 * What a connection that ended was not answered for, looked for in the log: each entry says who wrote it, and
 * which request it was. Used by publisher.ts, before anything is written to the next connection.
 */
import type { Cursor } from "../store/replica/replica-store.ts";
import type { Session } from "./engine-link.ts";
import { type Authorship, readAuthorship, readId } from "./entry.ts";
import type { RawEntry } from "./entry-pieces.ts";
import type { Request } from "./request.ts";

/** Entries a look. */
const SCAN = 1000;

/**
 * Tells `found` of every entry behind where the first of them was written. The connection of before is ended
 * for good first, so that nothing of it is carried out later.
 */
export async function lookFor(
  uncertain: readonly Request[],
  { redis, server }: Session,
  before: Session | null,
  log: string,
  found: (author: Authorship) => void,
): Promise<void> {
  if (before?.server.runId === server.runId)
    await redis.call("CLIENT", "KILL", "ID", before.server.connectionId);
  const afters = uncertain.map(({ after }) => after);
  const least = afters.reduce((low, after) => (isBelow(after, low) ? after : low));
  let next = `${least.term}-${least.n}`;
  for (;;) {
    const raw = await redis.callBuffer("XRANGE", log, `(${next}`, "+", "COUNT", String(SCAN));
    if (!Array.isArray(raw)) throw new Error("XRANGE does not answer with a list");
    const entries = raw as readonly RawEntry[];
    for (const entry of entries) {
      const author = readAuthorship(entry);
      if (author !== null) found(author);
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < SCAN) return;
    const { term, n } = readId(last[0]);
    next = `${term}-${n}`;
  }
}

const isBelow = (left: Cursor, right: Cursor): boolean =>
  left.term < right.term || (left.term === right.term && left.n < right.n);
