/**
 * One held HTTP response (streaming or eventsource): writes coalesced bytes and owns what happens when the
 * socket is full.
 *
 * Bun's direct stream answers a write, or the flush after it, with a promise when the kernel's buffer is
 * full. From that moment the connection *lags*: it leaves every live set, nothing more is written, and
 * read-on.ts reads on from the store when the promise resolves. So a slow reader costs what one write held,
 * never a queue (promise P4).
 */
import type { StreamSink } from "../http/direct-answer.ts";
import { log } from "../log.ts";
import type { Position } from "../wire/position.ts";
import type { Format } from "./format.ts";
import { KeptSink } from "./kept-sink.ts";
import type { Life } from "./life.ts";
import { placeOf, type StreamSubscription } from "./local-channel.ts";
import { without } from "./one-or-many.ts";

/** What a connection tells its keeper; one keeper serves all connections of a worker. */
export interface StreamKeeper {
  lagged(connection: StreamConnection): void;
  drained(connection: StreamConnection): void;
  /**
   * Uncork this connection once all that is new is written to it (it stands in several channels, whose bytes
   * share one write).
   */
  flushLater(connection: StreamConnection): void;
}

// Bits of one number: a field for each would be 0.06 kB more for every idle stream. Live is who has neither
// of the first two.
const BEHIND = 1;
const ENDED = 2;
/** The promise of a full socket is pending. */
const STALLED = 4;
/** Writes are sent at once, without a flush. */
const DIRECT = 8;
const FLUSH_QUEUED = 16;

/** Of those whose positions are not told. */
const NO_LIFE = { text: "" };

/** What a connection shares with all of its kind. */
export interface StreamTerms {
  readonly keeper: StreamKeeper;
  readonly format: Format;
  /** Sent when the server ends the response (push-stream spec 4.6). */
  readonly footer: Uint8Array;
}

/** What those have who stand in several channels, or did. */
class Several {
  subscriptions: readonly StreamSubscription[];
  /** What its positions count. */
  life: Pick<Life, "text">;
  /** The subscriptions as they were at first, once one of them was deleted; else null. */
  places: readonly StreamSubscription[] | null = null;

  constructor(subscriptions: readonly StreamSubscription[]) {
    this.subscriptions = subscriptions;
    this.life = subscriptions[0]?.channel.life ?? NO_LIFE;
  }
}

const NONE: readonly StreamSubscription[] = [];

/**
 * Of those that only wait each field counts: with eight, as held-stream.ts has, they are 80 bytes, and with
 * one more 112.
 */
export class StreamConnection<T extends StreamTerms = StreamTerms> {
  /** Nearly all have one: for them a list would be 32 bytes more. */
  #standing: StreamSubscription | Several | null = null;
  #marks = 0;
  protected readonly terms: T;
  #sink: StreamSink | null = null;

  constructor(terms: T) {
    this.terms = terms;
  }

  get format(): Format {
    return this.terms.format;
  }

  get subscriptions(): readonly StreamSubscription[] {
    const standing = this.#standing;
    if (standing instanceof Several) return standing.subscriptions;
    return standing === null ? NONE : [standing];
  }
  set subscriptions(list: readonly StreamSubscription[]) {
    if (this.#standing instanceof Several) this.#standing.subscriptions = list;
    else this.#standing = list.length > 1 ? new Several([...list]) : (list[0] ?? null);
  }
  get isInSeveral(): boolean {
    return this.#standing instanceof Several && this.#standing.subscriptions.length > 1;
  }

  get footer(): Uint8Array {
    return this.terms.footer;
  }

  /** Bun has begun to pull the response body. */
  attach(sink: StreamSink): void {
    // With one channel every write is a whole turn's bytes: sent at once, without a flush of its own.
    const isDirect = !this.isInSeveral;
    this.#mark(DIRECT, isDirect);
    if (isDirect) sink.start({ highWaterMark: 1 });
    this.#sink = isDirect ? sink : new KeptSink(sink);
  }

  /** Called once when the connection has ended, whoever ended it. */
  protected ended(): void {
    // for those who hold it
  }

  #is(mark: number): boolean {
    return (this.#marks & mark) !== 0;
  }
  #mark(mark: number, isIt: boolean): void {
    this.#marks = isIt ? this.#marks | mark : this.#marks & ~mark;
  }

  /** It began with one channel: each write leaves at once. */
  get isDirect(): boolean {
    return this.#is(DIRECT);
  }
  get isLive(): boolean {
    return !this.#is(BEHIND | ENDED);
  }
  get isBehind(): boolean {
    return (this.#marks & (BEHIND | ENDED)) === BEHIND;
  }
  get isEnded(): boolean {
    return this.#is(ENDED);
  }

  /** The socket is full: nothing should be written until its keeper is told that it has drained. */
  get isStalled(): boolean {
    return this.#is(STALLED);
  }

  /**
   * Where it stands in all its channels, in path order (for the vector event id). Good until anyone is asked
   * again.
   */
  place(): Position {
    const standing = this.#standing;
    const life = standing instanceof Several ? standing.life : standing?.channel.life;
    return placeOf(life ?? NO_LIFE, this.places);
  }

  /** Those of its channels that its places tell of. */
  get places(): readonly StreamSubscription[] {
    const standing = this.#standing;
    return (standing instanceof Several ? standing.places : null) ?? this.subscriptions;
  }

  /**
   * What the positions of several channels count: known once it has its subscriptions, and needed only where
   * they are told. The positions of one count what their channel does.
   */
  count(life: Life): void {
    if (this.#standing instanceof Several) this.#standing.life = life;
  }

  /**
   * One of several channels was deleted. Its place in the event id stays, or the places behind it would mean
   * other channels.
   */
  lose(subscription: StreamSubscription): void {
    const standing = this.#standing;
    if (!(standing instanceof Several)) return;
    standing.places ??= standing.subscriptions;
    standing.subscriptions = without(standing.subscriptions, subscription);
  }

  /** Reads what the next write to it will, and does nothing (carrier.ts). */
  readAhead(): number {
    return this.#marks + (this.#sink?.readAhead?.() ?? 0);
  }

  /**
   * Writes and flushes at once: one send(2). `bytes` may be reused after the call. False: the socket is full
   * now.
   */
  send(bytes: Uint8Array): boolean {
    if (this.#is(ENDED) || this.#sink === null) return false;
    const written = this.#sink.write(bytes);
    if (typeof written === "number") return this.#is(DIRECT) || this.flush();
    this.#lag(written);
    return false;
  }

  /** Writes now and flushes when its keeper says so, with whatever other channels add. */
  sendShared(bytes: Uint8Array): void {
    if (this.#is(ENDED) || this.#sink === null) return;
    const written = this.#sink.write(bytes);
    if (typeof written !== "number") this.#lag(written);
    else if (!this.#is(FLUSH_QUEUED)) {
      this.#mark(FLUSH_QUEUED, true);
      this.terms.keeper.flushLater(this);
    }
  }

  uncork(): void {
    if (this.#is(FLUSH_QUEUED)) this.flush();
  }

  /** Told by its door, which had kept what it was given for a volley. */
  filled(): void {
    this.flush();
  }

  flush(): boolean {
    this.#mark(FLUSH_QUEUED, false);
    if (this.#is(ENDED) || this.#sink === null) return false;
    const flushed = this.#sink.flush();
    if (typeof flushed === "number") return true;
    this.#lag(flushed);
    return false;
  }

  /** Reads from the store until it has caught up, then becomes live: how every stream begins. */
  startBehind(): void {
    this.#mark(BEHIND, true);
  }

  /** Back in the live set: read-on.ts found nothing more to read. */
  caughtUp(): void {
    this.#mark(BEHIND, false);
  }

  /** Ends the response after `footer` (empty: none). Nothing can be sent afterwards. Idempotent. */
  end(footer: Uint8Array): void {
    if (this.#is(ENDED)) return;
    this.closed();
    if (this.#sink === null) return;
    if (footer.length > 0) this.#own(this.#sink.write(footer));
    this.#own(this.#sink.end());
  }

  /** The client went away: Bun has closed the sink already. */
  closed(): void {
    if (this.#is(ENDED)) return;
    this.#mark(ENDED, true);
    this.ended();
  }

  #lag(pending: Promise<number>): void {
    // Stalled already: a goodbye to a full socket, for which Bun gives the promise that is waited for.
    if (this.#is(ENDED | STALLED)) {
      this.#own(pending);
      return;
    }
    this.#mark(BEHIND | STALLED, true);
    this.terms.keeper.lagged(this);
    pending.then(
      () => this.#drained(),
      () => this.#drained(),
    );
  }

  #drained(): void {
    this.#mark(STALLED, false);
    if (this.isBehind) this.terms.keeper.drained(this);
  }

  /** A promise of the last write of an ended response: its failure means that the peer left first. */
  #own(outcome: unknown): void {
    if (outcome instanceof Promise)
      outcome.catch((error: unknown) =>
        log("debug", "a stream ended before its last bytes left", { error: String(error) }),
      );
  }
}
