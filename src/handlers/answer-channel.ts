/**
 * What an answer's channel says of it: whether it has begun, and whether its last word is there. For
 * answers.ts and clustered-answers.ts.
 */
import { ChannelRef } from "../store/channel/channel-ref.ts";
import { Message } from "../store/message/message-view.ts";
import { FOUND } from "../store/message/reader.ts";
import type { Store } from "../store/store.ts";
import { isFinal } from "./answer-format.ts";

const message = new Message();
const ref = new ChannelRef();

/** There is such a channel, and something in it. */
export function hasBegun(store: Store, name: Uint8Array): boolean {
  const index = store.find(name);
  return index >= 0 && store.publishedCount(index) > 0;
}

export const hasEnded = (store: Store, name: Uint8Array): boolean => newest(store, name) === "last word";

/** What cannot be read any more is taken for a last word. */
export const isUnfinished = (store: Store, name: Uint8Array): boolean => newest(store, name) === "piece";

function newest(store: Store, name: Uint8Array): "piece" | "last word" | "unknown" {
  const index = store.find(name, ref);
  if (index < 0 || store.publishedCount(index) === 0) return "unknown";
  const reader = store.history.reader(index, ref.incarnation, store.publishedCount(index) - 1);
  if (reader.next(message, true) !== FOUND) return "unknown";
  return isFinal(message) ? "last word" : "piece";
}
