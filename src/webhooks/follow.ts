/**
 * Moves a webhook's position to where another node of the cluster has told it, as far as that is known here.
 * Used where this node does not send.
 */
import { ChannelRef } from "../store/channel/channel-ref.ts";
import { Internal } from "../store/channel/internal-channels.ts";
import { Message } from "../store/message/message-view.ts";
import { FOUND } from "../store/message/reader.ts";
import type { Store } from "../store/store.ts";

export interface Followed {
  /** It was this node, in this life or in one before. */
  readonly isOwn: boolean;
  /** Of that node. */
  readonly id: number;
  /** The engine's time of the event that was told last. */
  readonly sec: number;
}

/** What nodes know of each other is so much apart, and a little more. */
const SLACK_SEC = 5;
/** Some 20 ms; the rest the next time. */
const MOST_STEPS = 65_536;

const message = new Message();

export function follow(store: Store, slot: number, name: string, { isOwn, id, sec }: Followed): void {
  const state = store.webhooks.state(name);
  // Nobody knows its place better than the store that it was told from.
  if (state === null || !Number.isFinite(sec) || (isOwn && state.position >= id)) return;
  const ref = new ChannelRef();
  const index = store.internal.open(Internal.webhooks, Date.now(), ref);
  if (index < 0) return;
  const reader = store.history.reader(index, ref.incarnation, state.position);
  for (let steps = 0; steps < MOST_STEPS && reader.next(message, false) === FOUND; steps++) {
    if (message.time >= sec - SLACK_SEC) break;
    reader.accept(message);
  }
  if (reader.lastId > state.position) store.webhooks.write(slot, name, { ...state, position: reader.lastId });
}
