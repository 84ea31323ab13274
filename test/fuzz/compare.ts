/** Comparing a store with its model. Every difference is thrown with a sentence that names it. */
import { checkInvariants } from "../../src/store/invariants.ts";
import { Message } from "../../src/store/message-view.ts";
import { RefList } from "../../src/store/refs.ts";
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
  same(totals.blocksUsed, totals.blocksTotal - s.model.freeBlocks(), "blocks used");
  const order: number[] = [];
  s.store.eachChannel((index) => order.push(index));
  same(order.join(), state.live.map((channel) => channel.index).join(), "creation order");
  for (const channel of state.live) compareChannel(s, channel);
}

function compareChannel(s: Session, channel: ModelChannel): void {
  const { index } = channel;
  same(s.store.find(channel.name), index, "find");
  same(Buffer.compare(s.store.name(index), channel.name), 0, "name");
  same(s.store.publishedCount(index), channel.lastId, "publishedCount");
  same(s.store.storedCount(index), s.model.stored(channel).length, "storedCount");
  const subscribers = channel.subscribers.reduce((sum, count) => sum + count, 0);
  same(s.store.subscriberCount(index), subscribers, "subscriberCount");
  const refs = new RefList();
  s.store.collect(index, s.store.incarnation(index), 0, true, 1e6, refs);
  compareRefs(s, refs, s.model.of(channel));
}

export function compareRefs(s: Session, refs: RefList, expected: readonly ModelMessage[]): void {
  same(refs.length, expected.length, "number of messages found");
  const message = new Message();
  for (const [at, want] of expected.entries()) {
    same(s.store.read(refs.block(at), refs.stamp(at), message), true, "a message found can be read");
    compareMessage(message, want);
  }
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
