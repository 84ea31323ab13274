/**
 * Who may stand where: the checks of push-stream spec 4.1 (5), (6) in their order, first failure wins, then the missing channels are made. The
 * same for every transport; a WebSocket's refusal travels in a close frame instead.
 */
import type { Config, LocationConfig } from "../config/model.ts";
import { type Refusal, Refusals } from "../errors.ts";
import type { Store } from "../store/store.ts";
import { nameRefusal, parseChannelsPath } from "../wire/channels-path.ts";

export interface Seat {
  readonly index: number;
  readonly name: Uint8Array;
  /** How many of the last stored messages were asked for by `.bN`; 0 = none. */
  readonly backtrack: number;
}

/** The channels of a request, each once, in path order; or why not. */
export function admit(
  store: Store,
  config: Config,
  location: LocationConfig,
  path: string,
): readonly Seat[] | Refusal {
  const { limits } = config;
  const parsed = parseChannelsPath(path, limits.maxChannelsPerRequest);
  if (parsed === "empty") return Refusals.noChannel;
  if (parsed === "too many") return Refusals.tooManyChannelsInRequest;
  for (const name of parsed.names) {
    const refusal =
      nameRefusal(name, limits.maxChannelIdLength) ?? standingRefusal(store, config, location, name);
    if (refusal !== null) return refusal;
  }
  const nowSec = Math.floor(Date.now() / 1000);
  const seats: Seat[] = [];
  for (let i = 0; i < parsed.names.length; i++) {
    const name = parsed.names[i];
    if (name === undefined) continue;
    const index = store.open(name, nowSec);
    if (index === -1) return Refusals.tooManyChannels;
    if (index < 0) return Refusals.noRoom;
    // A channel named twice is one subscription: nobody wants a message twice (promise P1).
    if (!seats.some((seat) => seat.index === index))
      seats.push({ index, name, backtrack: parsed.backtracks[i] ?? 0 });
  }
  return seats;
}

function standingRefusal(
  store: Store,
  { limits }: Config,
  location: LocationConfig,
  name: Uint8Array,
): Refusal | null {
  if (!location.authorizedChannelsOnly && limits.maxSubscribersPerChannel === 0) return null;
  const index = store.find(name);
  if (location.authorizedChannelsOnly && (index < 0 || store.storedCount(index) === 0))
    return Refusals.couldNotCreate;
  const full =
    limits.maxSubscribersPerChannel > 0 &&
    index >= 0 &&
    store.subscriberCount(index) >= limits.maxSubscribersPerChannel;
  return full ? Refusals.tooManySubscribers : null;
}
