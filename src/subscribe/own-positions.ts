/**
 * `?sluice_positions=8z4i41cj12-2..9abc-7`: a place for each channel of the request by itself, in path order,
 * none where it is empty. Whoever asks so gets frames (own-frames.ts, and the WebSocket subprotocols), each
 * with the position of its own channel, and can come back with any other choice of channels. The token of a
 * whole connection is good for its channels only; browsers' EventSource knows no other.
 */
import { queryArgument } from "../config/location/variables.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { parsePosition } from "../wire/position.ts";
import type { Seat } from "./admit.ts";
import type { Asked } from "./asked.ts";

const ARGUMENT = "sluice_positions";
const NAMED = /(?:^|&)sluice_positions(?:=|&|$)/;
const SEPARATOR = ".";
/** A position that cannot be read is one all the same, of which nothing is known. */
const UNREADABLE = { life: "", positions: [] } as const;

const NOTHING: Asked = { time: null, tag: null, eventId: null, token: null };

/** null: the request is not of this kind. */
export function askedByQuery(rawQuery: string, maxChannels: number): Asked | null {
  if (!rawQuery.includes(ARGUMENT) || !NAMED.test(rawQuery)) return null;
  const text = queryArgument(rawQuery, ARGUMENT);
  return askedOf(text === "" ? [] : text.split(SEPARATOR, maxChannels + 1));
}

/** None at all, or one for each channel. */
export const askedOf = (positions: readonly string[]): Asked => ({
  ...NOTHING,
  each: positions.map((text) => (text === "" ? NOTHING : { ...NOTHING, token: tokenOf(text) })),
});

const tokenOf = (text: string): Asked["token"] => parsePosition(text, 1) ?? UNREADABLE;

/** What was asked for the channel at this place. */
export const askedAt = ({ each }: Asked, place: number): Asked => each?.[place] ?? NOTHING;

/** With one too few or too many it is not known which belongs to which. */
export function countRefusal({ each }: Asked, seats: readonly Seat[]): Refusal | null {
  const isWhole = each === undefined || each.length === 0 || each.length === seats.length;
  return isWhole ? null : Refusals.otherPositions;
}
