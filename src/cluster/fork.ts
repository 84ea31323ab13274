/**
 * What an incarnation of the engine means for this node: whether its history is the one that was read here
 * (the entry says how far it reached), and what was read that is not in it. Also notices entries that were
 * trimmed away before this node read them. Used by log-reader.ts.
 *
 *   cursor T-N   entry `i` of a new term, previous T, fork f
 *     f >= N     the history that was read here goes on
 *     f <  N     T-(f+1) … T-N never were: lost with the primary of before
 *   previous below T: the new primary has never heard of T at all, and everything of T is lost
 */
import { log } from "../log.ts";
import { BUSY } from "../store/outcome.ts";
import type {
  Cursor,
  Fork as HistoryFork,
  LogPlace,
  ReplicaStore,
  Rest,
  Torn,
} from "../store/replica/replica-store.ts";
import type { Calls } from "./engine-connection.ts";
import type { Entry } from "./entry.ts";
import type { ShardKeys } from "./keys.ts";
import type { Rejoin } from "./rejoin.ts";

const BUSY_MS = 5;
/** Channels asked for in one go. */
const ASKED_AT_ONCE = 1000;

export interface ForkOptions {
  readonly replica: ReplicaStore;
  readonly shard: number;
  readonly keys: ShardKeys;
  readonly isOfShard: (name: Uint8Array) => boolean;
  readonly rejoin: Rejoin;
  /** Entries were trimmed away that this node has not read. */
  readonly broken: () => void;
}

export class Fork {
  readonly #options: ForkOptions;
  /** The last entry. */
  #term = 0;
  #n = 0;
  /**
   * Entries that this node should have read were trimmed: what its channels lack is found out when it has
   * caught up.
   */
  #isBroken = false;
  /** Where it was when the engine was asked for counters. */
  #asked: Cursor = { term: 0, n: 0 };

  constructor(options: ForkOptions) {
    this.#options = options;
  }

  /** An ordinary entry is about to be applied. */
  follow(place: LogPlace): void {
    const { term, n, shard } = place;
    this.#know(shard);
    const before = this.#term;
    const last = this.#n;
    if (before !== 0 && (term !== before || n !== last + 1)) this.#break(before, last, term, n);
    this.#term = term;
    this.#n = n;
  }

  /** An entry that cannot be read; of a message it is told that it is missed. */
  passOver({
    term,
    n,
    shard,
    isMessage,
  }: Pick<LogPlace, "term" | "n" | "shard"> & { isMessage: boolean }): void {
    this.#know(shard);
    const before = this.#term;
    const last = this.#n;
    if (before !== 0 && (isMessage || term !== before || n !== last + 1)) this.#isBroken = true;
    this.#term = term;
    this.#n = n;
  }

  /** The first entry of an incarnation is about to be applied. */
  async meet(
    redis: Calls,
    { place, fork, base, epoch }: Extract<Entry, { kind: "incarnation" }>,
  ): Promise<void> {
    this.#know(place.shard);
    const term = this.#term;
    const n = this.#n;
    if (await this.#options.rejoin.takeOver(epoch, base)) {
      // What came before it in the history of others was not read here.
      if (fork.n > 0) this.#break(term, n, place.term, place.n);
    } else if (term !== 0) {
      if (fork.term > term || (fork.term === term && fork.n > n)) this.#break(term, n, place.term, place.n);
      else if (fork.term < term || fork.n < n) await this.#cut(redis, fork, base);
    }
    this.#options.replica.noteIncarnation(place.shard, { term: place.term, base, fork, begin: place });
    this.#term = place.term;
    this.#n = place.n;
  }

  /**
   * Of another epoch than what was read here, though no entry said so: it is read from its beginning. True:
   * it is.
   */
  async isAnother(epoch: number): Promise<boolean> {
    if (!(await this.#options.rejoin.takeOver(epoch, 0))) return false;
    await this.#options.rejoin.beginAnew();
    this.#isBroken = true;
    return true;
  }

  /** Everything that there is was read. */
  async caughtUp(redis: Calls, published: () => void): Promise<void> {
    if (!this.#isBroken) return;
    const { replica, shard, isOfShard } = this.#options;
    const channels = replica.channels(isOfShard);
    if (channels === null) return;
    // What was appended since the last read is no loss: its entries are still to come, and would be passed
    // over. When nothing has come since it was asked before, they do not come.
    const { top } = replica.shard(shard);
    const { term, n } = replica.cursor(shard);
    const isLast = term === this.#asked.term && n === this.#asked.n;
    this.#asked = { term, n };
    let isComplete = true;
    for await (const [channel, rest] of this.#ask(redis, channels)) {
      if (rest === null) continue;
      if (rest.counter.last > top && !isLast) {
        isComplete = false;
        continue;
      }
      while (!replica.reach(channel, rest.counter)) await Bun.sleep(BUSY_MS);
    }
    this.#isBroken = !isComplete;
    published();
  }

  /** A reader begins at the store's cursor, whoever moved it there. */
  #know(shard: number): void {
    const { replica } = this.#options;
    if (replica.isAt(shard, this.#term, this.#n)) return;
    const { term, n } = replica.cursor(shard);
    this.#term = term;
    this.#n = n;
  }

  #break(term: number, n: number, nextTerm: number, nextN: number): void {
    log(
      "warn",
      "the log was trimmed further than this node had read: subscribers of channels that lack messages " +
        "are told",
      {
        read: `${term}-${n}`,
        next: `${nextTerm}-${nextN}`,
      },
    );
    this.#isBroken = true;
    this.#options.broken();
  }

  async #cut(redis: Calls, fork: HistoryFork, base: number): Promise<void> {
    const { replica, isOfShard } = this.#options;
    let torn = replica.tornChannels(fork, isOfShard);
    for (; torn === null; torn = replica.tornChannels(fork, isOfShard)) await Bun.sleep(BUSY_MS);
    let lost = 0;
    for await (const [channel, found] of this.#ask(redis, torn)) {
      const rest = atFork(found, base);
      let outcome = BUSY;
      while (outcome === BUSY) {
        outcome = replica.cutTail(channel, rest, fork, base, Date.now());
        if (outcome === BUSY) await Bun.sleep(BUSY_MS);
      }
      lost += outcome;
    }
    log("warn", "the engine came back without the end of the log: subscribers who had it are told", {
      messages: lost,
      channels: torn.length,
      fork: `${fork.term}-${fork.n}`,
    });
  }

  /** What the engine knows of channels; null: nothing. */
  async *#ask(redis: Calls, channels: readonly Torn[]): AsyncGenerator<readonly [Torn, Known | null]> {
    for (let from = 0; from < channels.length; from += ASKED_AT_ONCE) {
      const some = channels.slice(from, from + ASKED_AT_ONCE);
      const said = await Promise.all(
        some.map(({ name }) =>
          redis.callBuffer("HMGET", this.#options.keys.counter(name), "p", "b", "o", "q", "z"),
        ),
      );
      for (const [at, channel] of some.entries()) yield [channel, known(said[at])];
    }
  }
}

/** A counter, and where it stood before it began anew in this incarnation. */
interface Known {
  readonly counter: Rest;
  readonly last: number;
  readonly published: number;
}

function known(said: unknown): Known | null {
  if (!Array.isArray(said)) return null;
  const [last, base, published, before, count] = said.map((part) =>
    part === null ? 0 : Number(String(part)),
  );
  if (!last || base === undefined || published === undefined) return null;
  return { counter: { last, base, published }, last: before ?? 0, published: count ?? 0 };
}

/**
 * How it stood when the incarnation began whose positions begin at `base`; null: it is in a later one by now.
 */
function atFork(found: Known | null, base: number): Rest | null {
  if (found === null) return { last: 0, published: 0, base };
  const { counter, last, published } = found;
  if (counter.base < base) return counter;
  return counter.base === base && last < base ? { last, published, base } : null;
}
