/**
 * A held HTTP response as an object: what Bun pulls, what fan-out writes to, what is timed and drained. Made
 * by stream.ts for the location's own format, and by own-frames.ts for clients that want frames.
 */

import { StreamConnection } from "../fanout/streams.ts";
import type { Arrival, Standing } from "../front/location-hooks.ts";
import type { StreamSink } from "../http/direct-answer.ts";
import type { Seat } from "./admit.ts";
import type { Farewell } from "./farewell.ts";
import { GzipSink } from "./gzip-sink.ts";
import { type Clocked, clockFired, type LifeEnd, startClock } from "./keep-alive.ts";
import type { Line } from "./line.ts";
import type { HeldForm, Wish } from "./stream-form.ts";
import type { Held } from "./timer-wheel.ts";

/** What those have beside the rest whose end is set, watched or told to somebody. */
class Ending {
  lifeEnd: LifeEnd | null = null;
  line: Line | null = null;
  departure: (() => void) | null = null;
}

/**
 * A held stream in all its roles: the source of Bun's direct ReadableStream, the connection that fan-out
 * writes to, and what is timed and drained. One object, because ten thousand of them are idle most of the
 * time.
 */
export class HeldStream extends StreamConnection<HeldForm> implements Clocked, Standing {
  /** On the prototype, like every field that is the same for all. */
  get type(): "direct" {
    return "direct";
  }
  /** What fan-out writes is the same object for all, and views are made anew for other bytes. */
  get sharesBytes(): boolean {
    return true;
  }
  nextHeld: Held | null = null;
  previousHeld: Held | null = null;
  dueTick = 0;
  /** What it asked for, until it is pulled; then how it ends. */
  #wish: Wish | Ending | null;

  constructor(form: HeldForm, wish: Wish) {
    super(form);
    this.#wish = wish;
  }

  get lifeEnd(): LifeEnd | null {
    return this.#wish instanceof Ending ? this.#wish.lifeEnd : null;
  }
  set lifeEnd(end: LifeEnd | null) {
    this.#ending.lifeEnd = end;
  }
  get #ending(): Ending {
    if (this.#wish instanceof Ending) return this.#wish;
    const ending = new Ending();
    this.#wish = ending;
    return ending;
  }

  /** Called once, when the response goes out. */
  pull(sink: StreamSink): void {
    const { hub, pingMs, ttlMs } = this.terms;
    const wish = this.#wish;
    // Cancelled before it began: nobody would ever tell that it has to leave.
    if (wish === null || wish instanceof Ending || this.isEnded) return;
    this.#wish = null;
    const { line } = wish;
    if (line !== null) this.#ending.line = line;
    const prelude = this.terms.seat(this, wish);
    this.attach(sink);
    // A channel could not be made again since it was admitted: there is nothing to wait for.
    if (this.subscriptions.length === 0) {
      this.end(this.footer);
      return;
    }
    hub.held.enter(this);
    startClock(hub.held, this, pingMs, ttlMs);
    hub.fanout.joinStream(this, prelude);
    if (wish.arrival !== null) this.#tellArrival(wish.arrival, namesOf(wish.seats));
  }

  /** Its hook hears of it once it stands, and of its end even if that came in the same turn. */
  #tellArrival(arrival: Arrival, names: readonly Uint8Array[]): void {
    const departure = arrival(names, this);
    if (this.isEnded) departure();
    else this.#ending.departure = departure;
  }

  /** The client closed; Bun has ended the sink. */
  cancel(): void {
    this.closed();
    this.terms.hub.fanout.leaveStream(this);
  }

  get gzipLevel(): number {
    return this.terms.location.gzip?.level ?? 1;
  }

  /** Footer, end of body. */
  goAway(farewell: Farewell | null): void {
    this.terms.hub.fanout.leaveStream(this);
    this.end(farewell === null ? this.footer : this.terms.lastBytes(farewell));
  }

  fire(): void {
    clockFired(this.terms.hub.held, this, this.terms.pingMs);
  }

  ping(): void {
    if (this.isLive) this.send(this.terms.ping);
  }

  expire(): void {
    this.goAway(null);
  }

  dismiss(why: "ended" | "revoked"): void {
    this.terms.hub.fanout.leaveStream(this);
    this.end(this.terms.dismissal(why));
  }

  protected override ended(): void {
    const { hub } = this.terms;
    const wish = this.#wish;
    wish?.line?.release();
    hub.held.remove(this);
    if (wish instanceof Ending) wish.departure?.();
  }
}

const namesOf = (seats: readonly Seat[]): readonly Uint8Array[] => seats.map(({ name }) => name);

/** The same for a client that takes gzip. What differs is where its bytes go. */
export class GzippedStream extends HeldStream {
  override get sharesBytes(): boolean {
    return false;
  }

  override pull(sink: StreamSink): void {
    super.pull(new GzipSink(sink, this.gzipLevel));
  }
}

/**
 * A long poll of frames: a stream that ends with the turn in which it was given something. What comes after
 * is for the next one, which begins where the frames of this one say.
 */
export class OnceStream extends HeldStream {
  readonly #isGzip: boolean;
  #isServed = false;

  constructor(form: HeldForm, wish: Wish, isGzip: boolean) {
    super(form, wish);
    this.#isGzip = isGzip;
  }

  override get sharesBytes(): boolean {
    return !this.#isGzip;
  }

  override pull(sink: StreamSink): void {
    super.pull(this.#isGzip ? new GzipSink(sink, this.gzipLevel) : sink);
  }

  override send(bytes: Uint8Array): boolean {
    this.#served();
    return super.send(bytes);
  }

  override sendShared(bytes: Uint8Array): void {
    this.#served();
    super.sendShared(bytes);
  }

  override caughtUp(): void {
    super.caughtUp();
    if (this.#isServed) this.#endSoon();
  }

  #served(): void {
    if (!this.#isServed && this.isLive) this.#endSoon();
    this.#isServed = true;
  }

  /** Not while it lags: what it reads on from the store it has to be given first. */
  #endSoon(): void {
    queueMicrotask(() => {
      if (this.isLive) this.goAway(null);
    });
  }
}
