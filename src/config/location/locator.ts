/**
 * Finds the location of a request. The plugins of app.ts each ask the one locator of the worker, which
 * remembers the last request, so a request is matched once.
 *
 * Which server of the configuration it is for is server-names.ts's; which location it ends in is search.ts's.
 * A configuration of one server without steps, which most are, pays for neither.
 */
import { fieldOf, type Incoming } from "../../http/incoming.ts";
import type { Callers } from "../../http/peer.ts";
import type { Config, Role } from "../model.ts";
import {
  type AddressSource,
  asksWho,
  type Door,
  doorOf,
  NO_DOOR,
  type PeerSource,
  UnknownPeer,
} from "../server/door.ts";
import { compileServerNames, type ServerChooser } from "../server/server-names.ts";
import { LocatedRequest } from "./located-request.ts";
import { Maps } from "./maps.ts";
import { TOO_LONG } from "./rewrite.ts";
import { compilePlace, LocationRoad, type Place, type Redirect } from "./search.ts";
import { NOWHERE, type Spot, spotOf } from "./url-spot.ts";

export class Locator {
  readonly #places: readonly Place[];
  readonly #road: LocationRoad;
  readonly #roles: readonly Role["kind"][];
  readonly #choose: ServerChooser | null;
  /** By index of Config.locations. */
  readonly #asksWho: readonly boolean[];
  readonly #doors = new Map<object, Door>();
  /**
   * Of requests that are handed in again: meanwhile the connection may be gone, which takes nothing from who
   * was let on.
   */
  readonly #kept = new WeakMap<Incoming, Callers>();
  /** Those that were sent on, which are not looked for once more. */
  readonly #sentOn = new WeakMap<Incoming, LocatedRequest>();
  /** Somebody is in one of those. */
  #hasMarked = false;
  #spot: Spot = NOWHERE;
  #lastRequest: Incoming | null = null;
  #last: LocatedRequest | null = null;
  #lastUnknown: UnknownPeer | null = null;

  constructor(config: Pick<Config, "locations" | "servers" | "listeners" | "maps">) {
    const { locations, servers } = config;
    this.#asksWho = locations.map(asksWho);
    this.#roles = locations.map((location) => location.role.kind);
    const names = servers[0]?.setVariables ?? new Set();
    const maps = config.maps.length === 0 ? null : new Maps(config.maps, names);
    this.#places = servers.map((server) => compilePlace(server, config, maps));
    this.#road = new LocationRoad(config);
    this.#choose = servers.length > 1 ? compileServerNames(config) : null;
  }

  /** Tells which address a listening server is for, and who knows its clients if it does not. */
  listens(server: AddressSource, address: string, source?: PeerSource): void {
    this.#doors.set(server, doorOf(server, address, source));
  }

  /** Call before handing a request in a second time. */
  keepCallers({ request, knownCallers }: LocatedRequest): void {
    if (knownCallers !== null) this.#kept.set(request, knownCallers);
    this.#hasMarked = true;
  }

  /**
   * Sends a request to another place of its server. It is to be handed in a second time, and then is there.
   */
  sendOn(located: LocatedRequest, to: Redirect): void {
    this.#road.redirect(located, located.place, to);
    // Who that is and what he may was for the location it came from.
    located.grant = null;
    located.granted = null;
    located.user = null;
    this.#sentOn.set(located.request, located);
    this.keepCallers(located);
  }

  /**
   * Matches a request for the claims that follow in the same turn. null: nobody may look at it any further
   * (400), as its path is malformed, or nobody can say whose it is; `unknown` then has the reason.
   */
  look(request: Incoming, server: AddressSource | null): LocatedRequest | null {
    this.#lastRequest = request;
    this.#last = null;
    this.#lastUnknown = null;
    try {
      const sentOn = this.#hasMarked ? this.#sentOn.get(request) : undefined;
      this.#last = sentOn ?? this.#locate(request, this.#doorOf(server));
    } catch (error) {
      if (!(error instanceof UnknownPeer)) throw error;
      this.#lastUnknown = error;
    }
    return this.#last;
  }

  /** Why the last look was at nobody's request; null: the path was at fault, or nothing. */
  get unknown(): UnknownPeer | null {
    return this.#lastUnknown;
  }

  /** The request in its location if that has the role; null: it is another plugin's, or no location's. */
  claim(role: Role["kind"], request: Incoming, server: AddressSource | null): LocatedRequest | null {
    if (request !== this.#lastRequest) this.look(request, server);
    const located = this.#last;
    return located !== null && this.#roles[located.index] === role ? located : null;
  }

  /** Lets go of the last request: called when it was given to an endpoint that keeps what it needs. */
  forget(): void {
    this.#lastRequest = null;
    this.#last = null;
  }

  /** Throws UnknownPeer. */
  #locate(request: Incoming, door: Door): LocatedRequest | null {
    const { exchange } = request;
    const url = exchange === undefined ? request.url : exchange.target;
    const spot = url === this.#spot.url ? this.#spot : spotOf(url);
    this.#spot = spot;
    const place = this.#places[this.#choose === null ? 0 : this.#serverFor(request, door)];
    const { path, query } = spot;
    // The last answer is kept there, too.
    const match = place?.find(path);
    if (place === undefined || match === null || match === undefined) return null;
    const kept = this.#hasMarked ? (this.#kept.get(request) ?? null) : null;
    const located = new LocatedRequest(request, path, query, match, door, place, kept);
    if (match.isTooLong) {
      located.returned = TOO_LONG;
      return located;
    }
    this.#road.lead(located, place);
    // Now: of a client that resets its connection the kernel knows nothing afterwards (getpeername(2),
    // ENOTCONN).
    if (this.#asksWho[located.index] === true) void located.peer;
    return located;
  }

  #doorOf(server: AddressSource | null): Door {
    if (server === null) return NO_DOOR;
    return this.#doors.get(server) ?? doorOf(server, "", undefined);
  }

  #serverFor(request: Incoming, { address }: Door): number {
    return this.#choose?.(address, fieldOf(request, "host") ?? "") ?? 0;
  }
}
