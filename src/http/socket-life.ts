/**
 * What listen/socket-watch.ts keeps of each WebSocket. Whatever stands behind a socket is one of these, so
 * that ten thousand idle ones need no objects and no table beside them (which had cost 0.2 kB each). A leaf:
 * the stages make the peers, the listener watches them.
 */
export class SocketLife {
  /** Where it stands among those that are watched; -1: it is not. Kept by the watch, like the rest. */
  watchedAt = -1;
  /** When a whole frame came last (performance.now()). */
  heardMs = 0;
  /** Since when it has something unsent and takes nothing of it; 0: it has not, or does. */
  fullMs = 0;
}
