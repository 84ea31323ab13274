/**
 * Internal channels: sluice's own, for what goes from any process to one that stands in them: events for
 * webhooks, live data for the console. They are channels like all others, with ids, a Reader, fan-out and a
 * life beyond every process, and apart from users in everything else:
 *
 *   name     begins with `*`, which no name of a user has (push-stream spec 3.1); Store.find and Store.open
 *            do not know them
 *   counts   in no statistics page, no list, no limit, no total of the zone; no event tells of them
 *   bound    a number of messages and of bytes of their own, said with each append; no ttl, no eviction
 *            before users' messages have gone
 *   clock    a message of theirs has the second, and takes no tag from those that users see
 *
 * Which there are is fixed; each is made when it is first asked for and stays as long as the file. Called
 * through Store.
 */
import { FLAG_INTERNAL, FLAG_STORED } from "../../message.ts";
import { type Arena, blockWord, channelWord, setWide, wide } from "../memory/arena.ts";
import { blocksForMessage } from "../memory/blocks.ts";
import { probe } from "../memory/hash-table.ts";
import {
  CH_CLASS,
  CH_INCARNATION,
  CH_LAST_ID,
  CH_NEWEST,
  CH_OLDEST,
  CH_STATE,
  CH_STORED_BLOCKS,
  CH_STORED_COUNT,
  CLASS_INTERNAL,
  STATE_LIVE,
} from "../memory/layout-channel.ts";
import {
  HEAD_INTERNAL_BEFORE,
  HEAD_INTERNAL_CHANNELS,
  INTERNAL_PLACES,
  NEVER_SEC,
} from "../memory/layout-header.ts";
import { MSG_ID } from "../memory/layout-message.ts";
import { addMessage } from "../message/publication.ts";
import { fillMessage } from "../message/publish.ts";
import { dropMessage } from "../message/unlinking.ts";
import type { StorePolicy } from "../policy.ts";
import { createChannel } from "./channel-life.ts";
import { ChannelRef } from "./channel-ref.ts";
import { incarnationOf } from "./channels.ts";
import { makeRoom } from "./evict.ts";
import { internalIndex } from "./internal-places.ts";
import { hashName } from "./names.ts";

/** Which there are, by place in HEAD_INTERNAL_CHANNELS. A place is never given to another. */
export const Internal = { webhooks: 0, console: 1, events: 2 } as const;
export type Internal = (typeof Internal)[keyof typeof Internal];

const encoder = new TextEncoder();
const NAMES: readonly Uint8Array[] = Object.keys(Internal).map((name) => encoder.encode(`*${name}`));

/** Messages taken out in one go under the lock: some 20 µs. */
export const FORGET_SLICE = 128;

/**
 * What an internal channel keeps: its oldest messages beyond either go with each append. The newest stays,
 * however long.
 */
export interface InternalBounds {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

export interface InternalMessage {
  readonly data: Uint8Array;
  readonly eventId: Uint8Array | null;
  readonly eventType: Uint8Array | null;
}

/** `*` begins no name of a user. */
const MARK = 0x2a;

export const isInternalName = (name: Uint8Array): boolean => name[0] === MARK;

const found = new ChannelRef();

/** Finds or makes it: its index, or a number below 0 when there is no room. Under the lock. */
export function openInternal(arena: Arena, policy: StorePolicy, place: Internal, nowSec: number): number {
  const { u32, layout } = arena;
  const known = internalIndex(arena, place);
  if (known >= 0) return known;
  const name = NAMES[place]!;
  const hash = hashName(arena, name);
  let index = probe(arena, name, hash, found);
  if (index < 0) index = createChannel(arena, policy, name, hash, CLASS_INTERNAL, nowSec);
  if (index < 0) return index;
  // Of a file whose pages are of different ages (recover-torn.ts).
  u32[channelWord(layout, index) + CH_CLASS] = CLASS_INTERNAL;
  u32[HEAD_INTERNAL_CHANNELS + place] = index + 1;
  return index;
}

/** Main, at open, alone: what there was before is known again, so that it is counted apart. */
export function adoptInternals(arena: Arena, policy: StorePolicy, nowSec: number): void {
  for (const place of Object.values(Internal)) {
    const name = NAMES[place]!;
    if (probe(arena, name, hashName(arena, name), found) >= 0) openInternal(arena, policy, place, nowSec);
  }
}

/** Appends: its id, or 0 when the store has no room for it. Under the lock. Nobody is woken for it. */
export function appendInternal(
  arena: Arena,
  index: number,
  message: InternalMessage,
  bounds: InternalBounds,
  nowSec: number,
): number {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const { data, eventId, eventType } = message;
  const bytes = data.length + (eventId?.length ?? 0) + (eventType?.length ?? 0);
  const blocks = blocksForMessage(layout, bytes);
  if (blocks * layout.blockSize > bounds.maxBytes || !makeRoom(arena, blocks, nowSec)) return 0;
  const id = wide(u32, record + CH_LAST_ID) + 1;
  const flags = FLAG_STORED | FLAG_INTERNAL;
  const block = fillMessage(arena, blocks, id, nowSec, 0, NEVER_SEC, flags, data, eventId, eventType);
  addMessage(arena, block, index, incarnationOf(arena, index));
  trim(arena, record, bounds, nowSec);
  return id;
}

function trim(arena: Arena, record: number, { maxMessages, maxBytes }: InternalBounds, nowSec: number): void {
  const { u32, layout } = arena;
  const mostBlocks = Math.floor(maxBytes / layout.blockSize);
  for (let left = FORGET_SLICE; left > 0; left--) {
    const isOver =
      u32[record + CH_STORED_COUNT]! > maxMessages || u32[record + CH_STORED_BLOCKS]! > mostBlocks;
    const oldest = u32[record + CH_OLDEST]!;
    if (!isOver || oldest === u32[record + CH_NEWEST]) return;
    dropMessage(arena, oldest, nowSec);
  }
}

/** Drops its oldest messages up to this id, a slice at most: how many. Under the lock. */
export function forgetInternal(arena: Arena, place: Internal, upToId: number, nowSec: number): number {
  const { u32, layout } = arena;
  const index = internalIndex(arena, place);
  if (index < 0) return 0;
  const record = channelWord(layout, index);
  for (let dropped = 0; dropped < FORGET_SLICE; dropped++) {
    const oldest = u32[record + CH_OLDEST]!;
    if (oldest === 0 || wide(u32, blockWord(layout, oldest) + MSG_ID) > upToId) return dropped;
    dropMessage(arena, oldest, nowSec);
  }
  return FORGET_SLICE;
}

/** Recovery, when the channels are settled: one that did not survive is made again when it is asked for. */
export function dropLostInternals(arena: Arena): void {
  const { u32, layout } = arena;
  for (let place = 0; place < INTERNAL_PLACES; place++) {
    const index = internalIndex(arena, place);
    if (index < 0) continue;
    const record = channelWord(layout, Math.min(index, layout.channels - 1));
    const isThere = u32[record + CH_STATE] === STATE_LIVE && u32[record + CH_CLASS] === CLASS_INTERNAL;
    if (index < layout.channels && isThere && (u32[record + CH_INCARNATION]! & 1) === 1) continue;
    if (index < layout.channels) {
      const before = wide(u32, HEAD_INTERNAL_BEFORE) + wide(u32, record + CH_LAST_ID);
      setWide(u32, HEAD_INTERNAL_BEFORE, before);
    }
    u32[HEAD_INTERNAL_CHANNELS + place] = 0;
  }
}
