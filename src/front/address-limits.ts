/**
 * How many requests of one address are answered at a time (`max_connections_per_address`, nginx's
 * limit_conn): streams, long polls and WebSockets for as long as they are held, others until their answer is
 * made. One count a zone and worker, as for channel-quota.ts. Asked by front.ts for each request to a
 * location that has a limit; other locations cost nothing.
 *
 *   enter ──answer without more──► left
 *     │
 *     └──held: stand ──client gone, or ended──► left
 *
 * Between its answer and its standing a held request may get lost without a word (a client that is gone
 * before its stream begins). Its place is given free after a moment; should it stand after all, it is counted
 * again.
 */
import type { AddressLimit } from "../config/location/address-limit.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { LocationConfig } from "../config/model.ts";
import { addressKey } from "../config/server/network.ts";
import { type Answer, HeldAnswer, pulledBodyOf } from "../http/direct-answer.ts";
import type { Incoming } from "../http/incoming.ts";
import type { Arrival, HooksOf, LocationHooks } from "./location-hooks.ts";

/** How long a request may be on its way to its answer, or from a held one's answer to its place. */
const UNANSWERED_MS = 60_000;
const UNSEATED_MS = 5000;

class Zone {
  readonly #counts = new Map<string, number>();
  /** Who is on the way, those who came first before the others. */
  readonly unanswered = new Set<Place>();
  readonly unseated = new Set<Place>();

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string, change: number): void {
    const count = this.of(key) + change;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
  }

  /** Those who got lost. */
  sweep(nowMs: number): void {
    for (const [places, limitMs] of [
      [this.unanswered, UNANSWERED_MS],
      [this.unseated, UNSEATED_MS],
    ] as const) {
      for (const place of places) {
        if (nowMs - place.sinceMs < limitMs) break;
        place.leave();
      }
    }
  }
}

/** One request that is counted. */
export class Place {
  readonly #zone: Zone;
  readonly #key: string;
  /** A handshake: an answer without a body may be the beginning of a socket. */
  readonly #mayUpgrade: boolean;
  #isCounted = true;
  #stands = false;
  sinceMs: number;

  constructor(zone: Zone, key: string, mayUpgrade: boolean, nowMs: number) {
    this.#zone = zone;
    this.#key = key;
    this.#mayUpgrade = mayUpgrade;
    this.sinceMs = nowMs;
    zone.add(key, 1);
    zone.unanswered.add(this);
  }

  /** It is held from now on, until `leave`. */
  stand(): void {
    this.#arrive();
    if (!this.#isCounted) this.#zone.add(this.#key, 1);
    this.#isCounted = true;
    this.#stands = true;
  }

  /** Idempotent. */
  leave(): void {
    this.#arrive();
    if (this.#isCounted) this.#zone.add(this.#key, -1);
    this.#isCounted = false;
    this.#stands = false;
  }

  answered(answer: Answer): void {
    if (this.#stands || !this.#isCounted) return;
    if (!this.#isHeld(answer)) {
      this.leave();
      return;
    }
    this.#arrive();
    this.sinceMs = performance.now();
    this.#zone.unseated.add(this);
  }

  #isHeld(answer: Answer): boolean {
    if (answer instanceof HeldAnswer) return true;
    if (!(answer instanceof Response)) return false;
    return pulledBodyOf(answer) !== undefined || (this.#mayUpgrade && answer.ok);
  }

  #arrive(): void {
    this.#zone.unanswered.delete(this);
    this.#zone.unseated.delete(this);
  }
}

export class AddressLimits {
  readonly #limits: readonly (AddressLimit | null)[];
  readonly #zones = new Map<string, Zone>();
  readonly #places = new WeakMap<Incoming, Place>();

  constructor(locations: readonly Pick<LocationConfig, "addressLimit">[]) {
    this.#limits = locations.map(({ addressLimit }) => addressLimit);
  }

  /**
   * null: there is none, or it is not reached, and the request is counted; else the status to refuse it with.
   */
  enter(located: LocatedRequest): number | null {
    const limit = this.#limits[located.index] ?? null;
    const { peer } = located;
    // Through a unix socket nobody has an address.
    if (limit === null || peer.kind === "unix") return null;
    // It was sent on from another location, where it is counted.
    if (this.#places.has(located.request)) return null;
    const zone = this.#zoneOf(limit.zone);
    const nowMs = performance.now();
    zone.sweep(nowMs);
    const key = addressKey(peer.address);
    if (zone.of(key) >= limit.most) return limit.status;
    this.#places.set(located.request, new Place(zone, key, located.header("upgrade") !== null, nowMs));
    return null;
  }

  #zoneOf(name: string): Zone {
    const zone = this.#zones.get(name) ?? new Zone();
    this.#zones.set(name, zone);
    return zone;
  }

  answered({ request }: LocatedRequest, answer: Answer): void {
    this.#places.get(request)?.answered(answer);
  }

  /** Of a request that may be held; null: it is not counted. */
  placeOf({ request }: LocatedRequest): Place | null {
    return this.#places.get(request) ?? null;
  }

  /** The hooks of all locations, subscribers counted by them. */
  hooksOf(others: HooksOf): HooksOf {
    const all = this.#limits.map((limit, index) =>
      limit === null ? others(index) : new CountedHooks(this, others(index)),
    );
    return (index) => all[index] ?? null;
  }
}

class CountedHooks implements LocationHooks {
  readonly #limits: AddressLimits;
  readonly #other: LocationHooks | null;

  constructor(limits: AddressLimits, other: LocationHooks | null) {
    this.#limits = limits;
    this.#other = other;
  }

  get judges(): boolean {
    return this.#other?.judges === true;
  }

  judge(located: LocatedRequest): ReturnType<LocationHooks["judge"]> {
    return this.#other?.judge(located) ?? null;
  }

  lease(located: LocatedRequest): ReturnType<LocationHooks["lease"]> {
    return this.#other?.lease(located) ?? null;
  }

  /** The connection is counted already. */
  addition(located: LocatedRequest): Arrival | null {
    return this.#other?.addition(located) ?? null;
  }

  arrival(located: LocatedRequest): Arrival | null {
    const other = this.#other?.arrival(located) ?? null;
    const place = this.#limits.placeOf(located);
    if (place === null) return other;
    return (names, standing) => {
      place.stand();
      const departure = other?.(names, standing);
      return (left) => {
        if (left === undefined) place.leave();
        departure?.(left);
      };
    };
  }
}
