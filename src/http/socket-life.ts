/**
 * What listen/socket-watch.ts keeps of each of Bun's WebSockets. Whatever stands behind a socket is a
 * SocketLife, so that ten thousand idle ones need no table beside them. A socket on the wire door is watched
 * by its own lists (listen/wire/due-list.ts) and has no such object. A leaf: the stages make the peers, the
 * listener watches them.
 */
export class Watched {
  /** Where it stands among those that are watched. */
  at: number;
  /** When a whole frame came last (performance.now()). */
  heardMs: number;
  /** Since when it has something unsent and takes nothing of it; 0: it has not, or does. */
  fullMs = 0;

  constructor(at: number, heardMs: number) {
    this.at = at;
    this.heardMs = heardMs;
  }
}

export class SocketLife {
  /** Kept by the watch; null: it is not watched. */
  watched: Watched | null = null;
}
