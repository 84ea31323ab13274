/** Comparing a store with its model. Every difference is thrown with a sentence that names it. */
import { type Arena, blockWord, wide } from "../../src/store/memory/arena.ts";
import { AGE_OLDEST, HEAD_STORED, HEAD_TRANSIENT } from "../../src/store/memory/layout-header.ts";
import { MSG_AGE_NEWER, MSG_SERIAL } from "../../src/store/memory/layout-message.ts";
import type { Message } from "../../src/store/message/message-view.ts";
import { BUSY } from "../../src/store/outcome.ts";
import { readOn } from "../store/fixture.ts";
import { checkInvariants } from "../store/invariants.ts";
import type { Session } from "./session.ts";
import type { ModelChannel, ModelMessage } from "./store-model.ts";

export function same(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${actual} instead of ${expected}`);
}

/** Everything the store can be asked. */
export function compareAll(s: Session): void {
  const faults = checkInvariants(s.store.arena);
  same(faults.length, 0, `invariants: ${faults.join("; ")}`);
  const { state } = s.model;
  const totals = s.store.totals(s.nowSec * 1000);
  same(totals.channels, s.model.living(false), "channels");
  same(totals.wildcardChannels, s.model.living(true), "wildcard channels");
  same(totals.channelsInDelete, state.deleted.length, "channels in delete");
  same(totals.channelsInTrash, state.trashed.length, "channels in trash");
  same(totals.stored, state.messages.filter((message) => message.stored).length, "stored messages");
  same(totals.published, state.published, "published messages");
  same(totals.evicted, state.evicted, "evicted messages");
  same(byAge(s.store.arena, HEAD_STORED), s.model.byAge(true), "stored messages by age");
  same(byAge(s.store.arena, HEAD_TRANSIENT), s.model.byAge(false), "unstored messages by age");
  same(totals.blocksUsed, totals.blocksTotal - s.model.freeBlocks(), "blocks used");
  const order: number[] = [];
  s.store.eachChannel((index) => order.push(index));
  same(order.join(), state.live.map((channel) => channel.index).join(), "creation order");
  for (const channel of state.live) compareChannel(s, channel);
}

/**
 * The serials of an age list: which message goes next, so what a difference here does is seen only much
 * later.
 */
function byAge({ u32, layout }: Arena, list: number): string {
  const serials: number[] = [];
  for (let block = u32[list + AGE_OLDEST]!; block !== 0; ) {
    const at = blockWord(layout, block);
    serials.push(wide(u32, at + MSG_SERIAL));
    block = u32[at + MSG_AGE_NEWER]!;
  }
  return serials.join();
}

function compareChannel(s: Session, channel: ModelChannel): void {
  const { index } = channel;
  same(s.store.find(channel.name), index, "find");
  same(Buffer.compare(s.store.name(index), channel.name), 0, "name");
  same(s.store.publishedCount(index), channel.lastId, "publishedCount");
  same(s.store.storedCount(index), s.model.stored(channel).length, "storedCount");
  const subscribers = channel.subscribers.reduce((sum, count) => sum + count, 0);
  same(s.store.subscribers.countOf(index), subscribers, "subscriberCount");
  compareReading(s, index, s.store.incarnation(index), 0, s.model.of(channel));
}

/** What a Reader gives after an id, all of it and in order. */
export function compareReading(
  s: Session,
  index: number,
  incarnation: number,
  afterId: number,
  expected: readonly ModelMessage[],
): void {
  let at = 0;
  const outcome = readOn(s.store, index, incarnation, afterId, (message) => {
    const want = expected[at++];
    if (want === undefined) throw new Error(`a Reader met ${message.id}, which should not be there`);
    compareMessage(message, want);
    return true;
  });
  same(at, expected.length, "number of messages read");
  same(outcome === BUSY, false, "a Reader is kept waiting");
}

export function compareMessage(message: Message, want: ModelMessage): void {
  same(message.id, want.id, "id");
  same(message.serial, want.serial, "serial");
  same(message.time, want.time, "time");
  same(message.tag, want.tag, "tag");
  same(message.expires, want.expires, "expires");
  same(message.dataLength, want.data.length, "data length");
  const data = message.bytes.subarray(message.dataOffset, message.dataOffset + message.dataLength);
  same(Buffer.compare(data, want.data), 0, "data");
}
