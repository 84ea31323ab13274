/**
 * A held HTTP response as an object: what Bun pulls, what fan-out writes to, what is timed and drained. Made
 * by stream.ts for the location's own format, and by own-frames.ts for clients that want frames.
 */

import type { Format } from "../fanout/format.ts";
import { StreamConnection } from "../fanout/streams.ts";
import type { Arrival, Standing } from "../front/location-hooks.ts";
import type { StreamSink } from "../http/direct-answer.ts";
import type { Seat } from "./admit.ts";
import type { Farewell } from "./farewell.ts";
import { GzipSink } from "./gzip-sink.ts";
import type { Held } from "./hub.ts";
import { type Clocked, clockFired, startClock } from "./keep-alive.ts";
import type { Line } from "./line.ts";
import type { HeldForm, Wish } from "./stream-form.ts";
import type { Timed } from "./timer-wheel.ts";

/**
 * A held stream in all its roles: the source of Bun's direct ReadableStream, the connection that fan-out
 * writes to, and what is timed and drained. One object, because ten thousand of them are idle most of the
 * time.
 */
export class HeldStream extends StreamConnection implements Held, Clocked, Standing {
  /** On the prototype, like every field that is the same for all. */
  get type(): "direct" {
    return "direct";
  }
  /** What fan-out writes is the same object for all, and views are made anew for other bytes. */
  get sharesBytes(): boolean {
    return true;
  }
  nextTimed: Timed | null = null;
  previousTimed: Timed | null = null;
  dueTick = 0;
  heldAt = -1;
  lastPingMs = 0;
  endMs = 0;
  #wish: Wish | null;
  #departure: (() => void) | null = null;
  readonly #line: Line | null;
  readonly #form: HeldForm;

  constructor(form: HeldForm, format: Format, wish: Wish, line: Line | null) {
    super(form.hub.fanout, format, form.footer);
    this.#form = form;
    this.#wish = wish;
    this.#line = line;
  }

  /** Called once, when the response goes out. */
  pull(sink: StreamSink): void {
    const { hub, pingMs, ttlMs } = this.#form;
    const wish = this.#wish;
    // Cancelled before it began: nobody would ever tell that it has to leave.
    if (wish === null || this.isEnded) return;
    this.#wish = null;
    const prelude = this.#form.seat(this, wish);
    this.attach(sink);
    // A channel could not be made again since it was admitted: there is nothing to wait for.
    if (this.subscriptions.length === 0) {
      this.end(this.footer);
      return;
    }
    hub.held.add(this);
    startClock(hub.timers, this, pingMs, ttlMs);
    hub.fanout.joinStream(this, prelude);
    if (wish.arrival !== null) this.#tellArrival(wish.arrival, namesOf(wish.seats));
  }

  /** Its hook hears of it once it stands, and of its end even if that came in the same turn. */
  #tellArrival(arrival: Arrival, names: readonly Uint8Array[]): void {
    const departure = arrival(names, this);
    if (this.isEnded) departure();
    else this.#departure = departure;
  }

  /** The client closed; Bun has ended the sink. */
  cancel(): void {
    this.closed();
    this.#form.hub.fanout.leaveStream(this);
  }

  get gzipLevel(): number {
    return this.#form.location.gzip?.level ?? 1;
  }

  /** Footer, end of body. */
  goAway(farewell: Farewell | null): void {
    this.#form.hub.fanout.leaveStream(this);
    this.end(farewell === null ? this.footer : this.#form.lastBytes(farewell));
  }

  fire(): void {
    clockFired(this.#form.hub.timers, this, this.#form.pingMs);
  }

  ping(): void {
    if (this.isLive) this.send(this.#form.ping);
  }

  expire(): void {
    this.goAway(null);
  }

  dismiss(why: "ended" | "revoked"): void {
    this.#form.hub.fanout.leaveStream(this);
    this.end(this.#form.dismissal(why));
  }

  protected override ended(): void {
    const { hub } = this.#form;
    this.#line?.release();
    hub.timers.remove(this);
    hub.held.remove(this);
    this.#departure?.();
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

  constructor(form: HeldForm, format: Format, wish: Wish, line: Line | null, isGzip: boolean) {
    super(form, format, wish, line);
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
