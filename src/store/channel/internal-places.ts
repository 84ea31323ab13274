/**
 * What the rest of store/ asks about internal channels, which are sluice's own (internal-channels.ts says
 * what they are for): which records they have, and what of the zone's counts is theirs. A file of its own
 * because those who ask are imported by who makes them.
 */
import { type Arena, channelWord, wide, wideShared } from "../memory/arena.ts";
import { CH_CLASS, CH_LAST_ID, CLASS_INTERNAL } from "../memory/layout-channel.ts";
import { HEAD_INTERNAL_BEFORE, HEAD_INTERNAL_CHANNELS, INTERNAL_PLACES } from "../memory/layout-header.ts";

export const isInternal = ({ u32, layout }: Arena, index: number): boolean =>
  u32[channelWord(layout, index) + CH_CLASS] === CLASS_INTERNAL;

/**
 * The record of the channel in this place; -1: it was not asked for yet, or a damaged file says what cannot
 * be.
 */
export function internalIndex({ u32, layout }: Arena, place: number): number {
  const link = u32[HEAD_INTERNAL_CHANNELS + place]!;
  return link <= layout.channels ? link - 1 : -1;
}

/** How many there are. */
export function internalCount(arena: Arena): number {
  let count = 0;
  for (let place = 0; place < INTERNAL_PLACES; place++) {
    if (internalIndex(arena, place) >= 0) count++;
  }
  return count;
}

/** Messages ever published to them, which are serials of the zone like all others. */
export function internalPublished(arena: Arena): number {
  const { u32, layout } = arena;
  let published = wide(u32, HEAD_INTERNAL_BEFORE);
  for (let place = 0; place < INTERNAL_PLACES; place++) {
    const index = internalIndex(arena, place);
    if (index >= 0) published += wideShared(u32, channelWord(layout, index) + CH_LAST_ID);
  }
  return published;
}
