/**
 * What a subscriber's request asks for: its channels and the position it last saw, evaluated from the
 * location's options. Compiled once per location by endpoint.ts; a WebSocket asks it again when its socket is
 * open.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import { locationValue, optionalLocationValue } from "../config/location/location-values.ts";
import { type CompiledValue, decodeOnce, queryArgument } from "../config/location/variables.ts";
import type { LocationConfig } from "../config/model.ts";
import type { MayMake } from "../front/channel-quota.ts";
import type { Refusal } from "../http/refusal.ts";
import { admit, type Seat } from "./admit.ts";
import { type Asked, readAsked } from "./asked.ts";
import type { Hub } from "./hub.ts";
import { askedByQuery } from "./own-positions.ts";

/**
 * Clients that can set no header put it there: polyfills `lastEventId`, others one of these. Compared without
 * case.
 */
const EVENT_ID_ARGUMENTS = ["lasteventid", "last-event-id", "eventid"];

export class Inquiry {
  readonly #location: LocationConfig;
  readonly #hub: Hub;
  readonly #channelsPath: CompiledValue;
  readonly #time: CompiledValue | null;
  readonly #tag: CompiledValue | null;
  readonly #eventId: CompiledValue | null;

  constructor(hub: Hub, location: LocationConfig) {
    this.#hub = hub;
    this.#location = location;
    this.#channelsPath = locationValue(location, location.channelsPath);
    this.#time = optionalLocationValue(location, location.lastReceivedMessageTime);
    this.#tag = optionalLocationValue(location, location.lastReceivedMessageTag);
    this.#eventId = optionalLocationValue(location, location.lastEventId);
  }

  path(located: LocatedRequest): string {
    return located.granted ?? this.#channelsPath(located);
  }

  /**
   * A directive replaces its header and never falls back to it (spec 1.4). `speaksOurs`: on our own
   * subprotocols, which no directive knows of, an argument is the position where the location says nothing
   * else; browsers cannot send the header.
   */
  asked(located: LocatedRequest, speaksOurs = false): Asked {
    const own = speaksOurs ? askedByQuery(located.rawQuery, this.#maxChannels) : null;
    if (own !== null) return own;
    const time = this.#time === null ? located.header("if-modified-since") : this.#time(located);
    const tag = this.#tag === null ? located.header("if-none-match") : this.#tag(located);
    const eventId = this.#eventId === null ? this.#lastEventId(located, speaksOurs) : this.#eventId(located);
    return readAsked(time ?? "", tag ?? "", eventId ?? "", this.#maxChannels);
  }

  get #maxChannels(): number {
    return this.#hub.config.limits.maxChannelsPerRequest || 1024;
  }

  /** What a request over HTTP asks for that wants frames; null: it wants what the location has for all. */
  askedFrames({ rawQuery }: LocatedRequest): Asked | null {
    return askedByQuery(rawQuery, this.#maxChannels);
  }

  /**
   * Where ids are ours, also from the query. The header is newer: who reconnects repeats the URL he began
   * with.
   */
  #lastEventId(located: LocatedRequest, speaksOurs: boolean): string | null {
    const header = located.header("last-event-id");
    const isOurs = speaksOurs || this.#location.eventIds === "auto";
    if (!isOurs || (header !== null && header !== "")) return header;
    for (const name of EVENT_ID_ARGUMENTS) {
      const value = queryArgument(located.rawQuery, name);
      if (value !== "") return decodeOnce(value);
    }
    return null;
  }

  admit(path: string, mayMake: MayMake): readonly Seat[] | Refusal {
    return admit(this.#hub.store, this.#hub.config, this.#location, path, mayMake);
  }

  /** For those who will stand in their channels: others may publish there, and count them. */
  mayMake(located: LocatedRequest): MayMake {
    return this.#hub.quota?.of(located.peer) ?? "yes";
  }
}
