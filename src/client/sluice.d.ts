/**
 * The client of sluice for browsers, Node 22+ and Bun: many channels over one connection, which comes back by
 * itself and goes on where it was. https://… `/sluice.js` of a server, or the package sluice-client. Guide:
 * docs/clients.md.
 */

/** A message of a channel. */
export interface Message {
  readonly channel: string;
  /** As text; what is not UTF-8 in it comes as U+FFFD, and whole in `bytes`. */
  readonly data: string;
  readonly bytes: Uint8Array;
  /** The data read as JSON; throws where it is none. */
  json<Value = unknown>(): Value;
  /** Counts the channel's messages. */
  readonly id: number;
  /** Subscribe with it as `position` to go on behind this message. */
  readonly position: string;
  /** Seconds since 1970. */
  readonly time: number;
  /** Tells messages of one second apart. */
  readonly tag: number;
  readonly eventId: string | null;
  readonly eventType: string | null;
  /** Of W3C trace context, as the publisher gave it. */
  readonly traceparent: string | null;
}

/** Messages are gone for good: more than the server stores were published while nobody listened here. */
export interface Gap {
  readonly channel: string;
  /** null: it cannot be counted. */
  readonly missed: number | null;
}

/**
 * The channel and what was stored in it were deleted. The subscription goes on with what is published next.
 */
export interface Deleted {
  readonly channel: string;
  readonly data: string;
}

/** Somebody came or went, as the server's presence tells it. */
export interface Presence {
  readonly channel: string;
  readonly [field: string]: unknown;
}

/** The server does not let us do something, or did not answer in time. */
export declare class SluiceError extends Error {
  constructor(reason: string, status: number);
  /** That of HTTP; 0: there was no answer. */
  readonly status: number;
}

export interface SubscriptionEvents {
  message: Message;
  gap: Gap;
  deleted: Deleted;
  presence: Presence;
  /** It stands in the channel from here on, for the first time or again. */
  subscribed: { readonly channel: string; readonly position: string };
  /** It does not, and will not: the subscription is over. */
  error: SluiceError;
}

/**
 * One subscription. Listen with `on`, or take the messages one by one: `for await (const message of
 * subscription)`. Messages wait for the loop, and when too many do they wait at the server instead.
 */
export interface Subscription extends AsyncIterable<Message> {
  readonly channel: string;
  /** Behind the last message; "" before it is known. */
  readonly position: string;
  on<Event extends keyof SubscriptionEvents>(
    event: Event,
    listener: (what: SubscriptionEvents[Event]) => void,
  ): this;
  unsubscribe(): void;
}

export interface SubscribeOptions {
  /** How many of the last stored messages to begin with, where no position is known. */
  readonly last?: number;
  /** That of a message (`Message.position`), to go on behind it. */
  readonly position?: string;
}

export interface PublishOptions {
  readonly eventId?: string;
  readonly eventType?: string;
  /** Of W3C trace context; kept with the message. */
  readonly traceparent?: string;
  /** Two publishes with one key are one message; made at random when it is left out. */
  readonly key?: string;
  /** Milliseconds it is tried for, 30,000 unless said otherwise. */
  readonly timeout?: number;
}

export interface Published {
  /** null: the server does not say. */
  readonly position: string | null;
  /** It was published before, by the same key. */
  readonly duplicate: boolean;
}

export type TransportName = "websocket" | "sse" | "poll";

/** `idle`: no channels; `waiting`: it tries again in `retryMs`; `closed`: for good. */
export type State = "idle" | "connecting" | "open" | "waiting" | "closed";

export interface StateChange {
  readonly state: State;
  readonly transport: TransportName;
  /** In a few words, for people. */
  readonly reason: string;
  readonly retryMs: number;
}

/**
 * A token, or how to get one; asked again before the one it gave expires, and when the server does not take
 * it.
 */
export type TokenSource = string | (() => string | Promise<string>);

export interface Options {
  readonly token?: TokenSource;
  /** In the order in which they are tried; all three unless said otherwise. */
  readonly transports?: readonly TransportName[];
  /** Where they are below the address, as in the default configuration: `ws/`, `ev/`, `lp/`, `pub?id=`. */
  readonly paths?: Partial<Record<TransportName | "publish", string>>;
  /** Keeps positions and the transport that works, over a reload of the page: `sessionStorage`. */
  readonly storage?: { getItem(key: string): string | null; setItem(key: string, value: string): void };
  /** Cookies for another origin: "include". */
  readonly credentials?: "include" | "omit" | "same-origin";
  /** Longest wait between two tries, in milliseconds; 30,000 unless said otherwise. */
  readonly maxDelay?: number;
  /** Messages of one subscription that wait for a loop; 1,000 unless said otherwise. */
  readonly maxWaiting?: number;
}

export declare class Sluice {
  constructor(url: string | URL, options?: Options);
  readonly state: State;
  readonly transport: TransportName;
  subscribe(channel: string, listener?: (message: Message) => void): Subscription;
  subscribe(channel: string, options: SubscribeOptions, listener?: (message: Message) => void): Subscription;
  publish(channel: string, data: string | Uint8Array, options?: PublishOptions): Promise<Published>;
  on(event: "state", listener: (change: StateChange) => void): this;
  /** Ends everything. */
  close(): void;
}
