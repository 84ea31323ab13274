/**
 * Who may stand where: the checks of push-stream spec 4.1 (5), (6) in their order, first failure wins, then
 * the missing channels are made, if somebody will stand in them. The same for every transport; a WebSocket's
 * refusal travels in a close frame instead.
 */
import type { Config, LocationConfig } from "../config/model.ts";
import type { MayMake } from "../front/channel-quota.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { ChannelRef, type NamedChannel } from "../store/channel/channel-ref.ts";
import { countsByName } from "../store/channel/channel-statistics.ts";
import { BUSY } from "../store/outcome.ts";
import type { Store } from "../store/store.ts";
import { nameRefusal, parseChannelsPath } from "../wire/channels-path.ts";

const ref = new ChannelRef();
/** An even incarnation is that of no channel. */
const NEVER_LIVES = 0;
/** What Store.find says, and what is said here beside its answers. */
const NOT_THERE = -1;
const MAY_NOT = -100;

export interface Seat extends NamedChannel {
  /** How many of the last stored messages were asked for by `.bN`; 0 = none. */
  readonly backtrack: number;
}

/** The channels of a request, each once, in path order; or why not. */
export function admit(
  store: Store,
  config: Config,
  location: LocationConfig,
  path: string,
  mayMake: MayMake,
): readonly Seat[] | Refusal {
  const { limits } = config;
  const parsed = parseChannelsPath(path, limits.maxChannelsPerRequest);
  if (parsed === "empty") return Refusals.noChannel;
  if (parsed === "too many") return Refusals.tooManyChannelsInRequest;
  let wildcards = 0;
  for (const name of parsed.names) {
    const isWildcard = store.isWildcard(name);
    const refusal =
      nameRefusal(name, limits.maxChannelIdLength) ??
      standingRefusal(store, config, location, name, isWildcard);
    if (refusal !== null) return refusal;
    if (isWildcard) wildcards++;
  }
  if (hasTooManyWildcards(location, wildcards, parsed.names.length)) return Refusals.tooManyWildcards;
  const nowSec = Math.floor(Date.now() / 1000);
  const seats: Seat[] = [];
  for (let i = 0; i < parsed.names.length; i++) {
    const name = parsed.names[i];
    if (name === undefined) continue;
    const index = openFor(store, name, nowSec, mayMake);
    if (index === MAY_NOT) return Refusals.tooManyChannelsCreated;
    if (index === BUSY) return Refusals.busy;
    if (index === -1) return Refusals.tooManyChannels;
    if (index < 0) return Refusals.noRoomForChannel;
    // A channel named twice is one subscription: nobody wants a message twice (promise P1).
    if (!isAmong(seats, name))
      seats.push({ index, incarnation: ref.incarnation, name, backtrack: parsed.backtracks[i] ?? 0 });
  }
  return seats;
}

/**
 * As Store.open, or MAY_NOT. A poll makes nothing, although spec 3.5 lets it: there is nothing that it needs
 * a channel for, and anybody may ask for any number of them. A channel that is not there is a seat of its own
 * in which nothing is ever found.
 */
function openFor(store: Store, name: Uint8Array, nowSec: number, mayMake: MayMake): number {
  if (mayMake === "yes") return store.open(name, nowSec, ref);
  const found = store.find(name, ref);
  if (found !== NOT_THERE) return found;
  if (mayMake !== "no") return mayMake() ? store.open(name, nowSec, ref) : MAY_NOT;
  ref.set(0, NEVER_LIVES);
  return 0;
}

/**
 * The channel that was just found or made. Loops in here, as a function for each channel of each of ten
 * thousand clients is garbage.
 */
function isAmong(seats: readonly Seat[], name: Uint8Array): boolean {
  const { index, incarnation } = ref;
  for (const seat of seats) {
    if (seat.index !== index || seat.incarnation !== incarnation) continue;
    if (incarnation !== NEVER_LIVES || Buffer.compare(seat.name, name) === 0) return true;
  }
  return false;
}

/** Spec 4.1 (6), what depends on the channel itself. */
function standingRefusal(
  store: Store,
  { limits: { maxSubscribersPerChannel } }: Config,
  { authorizedChannelsOnly, allowConnectionsToEventsChannel }: LocationConfig,
  name: Uint8Array,
  isWildcard: boolean,
): Refusal | null {
  // A wildcard channel needs no authorisation of its own: the request has another channel that has it (spec
  // 3.6).
  const needsStored = authorizedChannelsOnly && !isWildcard;
  const eventsChannel = allowConnectionsToEventsChannel ? -1 : store.eventsChannel;
  if (!needsStored && maxSubscribersPerChannel === 0 && eventsChannel < 0) return null;
  const counts = countsByName(store, name);
  if (counts === "busy") return Refusals.busy;
  if (counts === null) return needsStored ? Refusals.couldNotCreate : null;
  if (needsStored && counts.stored === 0) return Refusals.couldNotCreate;
  if (maxSubscribersPerChannel > 0 && counts.subscribers >= maxSubscribersPerChannel) {
    return Refusals.tooManySubscribers;
  }
  // It is never another's: the events channel lives as long as the store is open.
  return store.find(name, ref) === eventsChannel ? Refusals.eventsChannelNotAllowed : null;
}

/** Spec 3.6: no more than the location allows, and not alone; without a limit there is no rule at all. */
const hasTooManyWildcards = (
  { wildcardChannelMaxQtd }: LocationConfig,
  wildcards: number,
  all: number,
): boolean =>
  wildcardChannelMaxQtd > 0 && wildcards > 0 && (wildcards > wildcardChannelMaxQtd || wildcards === all);
