/**
 * What both clients do with subscriptions (client.ts, shared.ts, which extend it): they are made, share a
 * Channel by its name, and leave it. Where messages come from, and what a change means, is theirs to say.
 */
import type * as api from "./sluice.d.ts";
import { Channel, call, SluiceError, Subscription } from "./subscription.ts";

export abstract class Subscriber {
  abstract readonly state: api.State;
  /** Of all addresses; ends with a slash. */
  protected readonly base: string;
  protected readonly options: api.Options;
  protected readonly channels = new Map<string, Channel>();
  readonly #listeners: ((change: api.StateChange) => void)[] = [];

  constructor(url: string | URL, options: api.Options) {
    this.base = String(url).replace(/\/?$/, "/");
    this.options = options;
  }

  /** Under which a channel's position is kept. */
  protected abstract key(name: string): string;
  /** From this position on, which was kept, or is asked for by who subscribes. */
  protected abstract startAt(channel: Channel, position: string): void;
  /** Channels came or went. */
  protected abstract change(): void;

  on(_event: "state", listener: (change: api.StateChange) => void): this {
    this.#listeners.push(listener);
    return this;
  }

  protected tell(change: api.StateChange): void {
    for (const listener of this.#listeners) call(listener, change);
  }

  subscribe(
    name: string,
    options: api.SubscribeOptions | ((message: api.Message) => void) = {},
    listener?: (message: api.Message) => void,
  ): Subscription {
    if (typeof options === "function") return this.subscribe(name, {}, options);
    if (this.state === "closed") throw new SluiceError("the client is closed", 0);
    if (!name || name.includes("/")) throw new SluiceError("a channel has a name, without a slash", 0);
    let channel = this.channels.get(name);
    if (!channel) {
      channel = new Channel(name);
      channel.last = options.last ?? 0;
      this.startAt(channel, options.position ?? this.options.storage?.getItem(this.key(name)) ?? "");
      this.channels.set(name, channel);
    }
    const owner = { left: (gone: Subscription) => this.#left(gone), changed: () => this.change() };
    const subscription = new Subscription(channel, owner, this.options.maxWaiting ?? 1000);
    channel.subscriptions.add(subscription);
    if (listener) subscription.on("message", listener);
    this.change();
    return subscription;
  }

  #left(subscription: Subscription): void {
    const channel = this.channels.get(subscription.channel);
    if (!channel?.subscriptions.delete(subscription)) return;
    if (channel.subscriptions.size === 0) this.channels.delete(channel.name);
    this.change();
  }

  protected leaveAll(): void {
    for (const channel of [...this.channels.values()])
      for (const subscription of [...channel.subscriptions]) subscription.unsubscribe();
  }

  protected keep({ name, position }: Channel): void {
    // A full storage is told as what a listener throws.
    call((text) => this.options.storage?.setItem(this.key(name), text), position);
  }
}
