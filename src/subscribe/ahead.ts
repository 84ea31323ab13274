/**
 * Somebody who comes from another node of a cluster with time and tag of a message that this node has not
 * read yet. To stand here at once would be to be given that message again, since nothing but its time says
 * where it is; so he waits for the node to have read so far, which takes milliseconds. Positions need none of
 * it: they are places on every node. Used by backlog.ts.
 */
import type { Store } from "../store/store.ts";

const FIRST_MS = 2;
/** In sum some second; then he stands where this node is. */
const LONGEST_MS = 512;

export interface Moment {
  readonly time: number | null;
  readonly tag: number | null;
}

export function isAhead({ replica }: Store, { time, tag }: Moment): boolean {
  // A time alone may be any clock's.
  if (replica === null || time === null || tag === null) return false;
  const { clock } = replica;
  return time > clock.sec || (time === clock.sec && tag > clock.tag);
}

export async function whenRead(store: Store, moment: Moment): Promise<void> {
  for (let ms = FIRST_MS; ms <= LONGEST_MS && isAhead(store, moment); ms *= 2) await Bun.sleep(ms);
}
