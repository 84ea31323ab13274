/**
 * Main's book of the kernel's SO_REUSEPORT groups: which place in the array of each group has which socket. A
 * program that chooses among them (steering.ts) names places, and the kernel tells them to nobody, but it
 * keeps to two rules (net/core/sock_reuseport.c):
 *
 *   listen   puts the socket behind the others             [a b c]   + d  →  [a b c d]
 *   close    moves the last one into the place that is free  [a b c d] - b  →  [a d c]
 *
 * So it is enough to look whenever a worker came or went. Two that die within one look are taken in any
 * order; the book may then be wrong about which of the others is where, until those are gone, too.
 */
import { type ListeningSocket, listeningSockets } from "./listening-sockets.ts";

/** New connections to `local` go to one of these places; to all, as the kernel likes, when there are none. */
export interface Steering {
  readonly local: string;
  readonly places: readonly number[];
}

/** A worker, as far as it matters here. */
export interface Member {
  readonly sockets: readonly ListeningSocket[];
}

export interface NextToClose<M extends Member> {
  readonly member: M;
  /** Holds before, and after: no new connection comes to those who are to close. */
  readonly steering: readonly Steering[];
  /** But for a moment, since the only one that stays changes its place: those still to close may get some. */
  readonly hasGap: boolean;
}

/** A table that changes while it is read in pieces may show a socket twice or not at all. */
const MOST_READINGS = 5;

export class SocketGroups {
  /** By place of listening, the inodes as they stand in the kernel's array. */
  readonly #groups = new Map<string, string[]>();
  readonly #read: typeof readTwice;

  constructor(read = readTwice) {
    this.#read = read;
  }

  /** From now on the places where these listen are looked at. */
  know(sockets: readonly ListeningSocket[]): void {
    for (const { local } of sockets) if (!this.#groups.has(local)) this.#groups.set(local, []);
  }

  look(): void {
    const now = this.#read([...this.#groups.keys()]);
    for (const [local, places] of this.#groups) {
      const there = now.flatMap((socket) => (socket.local === local ? [socket.inode] : []));
      const here = new Set(there);
      for (const inode of [...places]) if (!here.has(inode)) takeOut(places, inode);
      for (const inode of there) if (!places.includes(inode)) places.push(inode);
      if (places.length === 0) this.#groups.delete(local);
    }
  }

  /** Where these stand, in the groups in which `others` stand as well. */
  between(staying: readonly Member[], others: readonly Member[]): readonly Steering[] {
    const [stays, leaves] = [inodesOf(staying), inodesOf(others)];
    return this.#shared(stays, leaves).map(([local, places]) => ({ local, places: placesOf(places, stays) }));
  }

  /** No choice any more in these groups. */
  free(members: readonly Member[]): readonly Steering[] {
    const locals = new Set(members.flatMap(({ sockets }) => sockets.map(({ local }) => local)));
    return [...locals].map((local) => ({ local, places: [] }));
  }

  /**
   * Whoever of `leaving` can close without a gap. Where the only one that stays is the last, nobody can; it
   * should then come to the first place, where it remains whoever else closes.
   */
  next<M extends Member>(leaving: readonly M[], staying: readonly Member[]): NextToClose<M> | null {
    const stays = inodesOf(staying);
    const groups = this.#shared(stays, inodesOf(leaving));
    const options = leaving.map((member): NextToClose<M> & { readonly to: number } => {
      const own = inodesOf([member]);
      let [hasGap, to] = [false, 0];
      const steering = groups.map(([local, places]) => {
        const all = placesOf(places, stays);
        const lasting = all.filter((place) => place !== lostPlace(places, own));
        if (lasting.length > 0) return { local, places: lasting };
        if (leaving.length > 1) hasGap = true;
        to += Math.max(0, ...placesOf(places, own));
        return { local, places: all };
      });
      return { member, steering, hasGap, to };
    });
    const best = options.find(({ hasGap }) => !hasGap);
    return best ?? options.toSorted((a, b) => a.to - b.to)[0] ?? null;
  }

  #shared(stays: ReadonlySet<string>, leaves: ReadonlySet<string>): readonly [string, string[]][] {
    const has = (places: string[], inodes: ReadonlySet<string>) => places.some((inode) => inodes.has(inode));
    return [...this.#groups].filter(([, places]) => has(places, stays) && has(places, leaves));
  }
}

/** The place that is no longer there when one of `own` is closed: the last one, if any is. */
function lostPlace(places: readonly string[], own: ReadonlySet<string>): number {
  return places.some((inode) => own.has(inode)) ? places.length - 1 : -1;
}

function takeOut(places: string[], inode: string): void {
  const place = places.indexOf(inode);
  const last = places.pop();
  if (last !== undefined && last !== inode) places[place] = last;
}

const inodesOf = (members: readonly Member[]): ReadonlySet<string> =>
  new Set(members.flatMap(({ sockets }) => sockets.map(({ inode }) => inode)));

const placesOf = (places: readonly string[], inodes: ReadonlySet<string>): readonly number[] =>
  places.flatMap((inode, place) => (inodes.has(inode) ? [place] : []));

function readTwice(locals: readonly string[]): readonly ListeningSocket[] {
  const key = (sockets: readonly ListeningSocket[]) => sockets.map(({ inode }) => inode).join(" ");
  let before = listeningSockets(locals);
  for (let readings = 1; readings < MOST_READINGS; readings++) {
    const now = listeningSockets(locals);
    if (key(now) === key(before)) return now;
    before = now;
  }
  return before;
}
