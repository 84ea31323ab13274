/**
 * Whose arrival is still to be told in the events channel: `client_subscribed` comes after the connection's
 * old messages (push-stream spec 7), but before anything else is told of it. Made by fanout.ts. Everything
 * happens in the turn in which a connection joins, so there is one at a time; without an events channel there
 * is none.
 */
import type { Store } from "../store/store.ts";
import type { Subscription } from "./local-channel.ts";

export class Arrivals {
  readonly #store: Store;
  #arrived: readonly Subscription[] | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  /** They stand in all their channels and are counted there. */
  expect(subscriptions: readonly Subscription[]): void {
    if (this.#store.eventsChannel >= 0) this.#arrived = [...subscriptions];
  }

  /** They have their old messages, or somebody is about to leave in the middle of them. */
  tell(): void {
    const arrived = this.#arrived;
    if (arrived === null) return;
    this.#arrived = null;
    for (const { channel } of arrived) this.#store.subscribers.tellOf(channel.index, channel.incarnation);
  }
}
