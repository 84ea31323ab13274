/**
 * Somebody who comes from another node of a cluster with time and tag of a message that this node has not
 * read yet. To stand here at once would be to be given that message again, since nothing but its time says
 * where it is; or, where a failover has lost it, never to be told. So he waits for the node to have read so
 * far, which takes milliseconds, and is sent elsewhere when it does not come. Positions need none of it: they
 * are places on every node. Used by backlog.ts.
 */
import type { Store } from "../store/store.ts";

const FIRST_MS = 2;
/** In sum some second. */
const LONGEST_MS = 512;
/** By how much clocks differ; what is later than that is no message's time, but somebody's own. */
const MOST_SKEW_SEC = 60;

export interface Moment {
  readonly time: number | null;
  readonly tag: number | null;
}

export function isAhead({ replica }: Store, { time, tag }: Moment): boolean {
  // A time alone may be any clock's, and so is one with tag 0, which no message has.
  if (replica === null || time === null || tag === null || tag === 0) return false;
  if (time > Date.now() / 1000 + MOST_SKEW_SEC) return false;
  const { clock } = replica;
  return time > clock.sec || (time === clock.sec && tag > clock.tag);
}

/** False: it did not come to that in time. */
export async function whenRead(store: Store, moment: Moment): Promise<boolean> {
  for (let ms = FIRST_MS; ms <= LONGEST_MS && isAhead(store, moment); ms *= 2) await Bun.sleep(ms);
  return !isAhead(store, moment);
}
