/**
 * Types of sluice's handlers: `sluice types > sluice.d.ts` prints this file. There is nothing to import at
 * run time, so write `import type { Handler } from "sluice"`. The manual is docs/handlers.md.
 */
declare module "sluice" {
  // --- what handlers are given -----------------------------------------------------------------------------

  /**
   * What can be done by whatever runs: for a request, at an interval, for an answer. Its functions may be
   * taken out: `({ sleep }) => …`.
   */
  export interface TaskContext {
    /**
     * Aborts when whoever it is done for went away, when the time limit is over, or when the server is about
     * to stop.
     */
    readonly signal: AbortSignal;
    /**
     * Publishes one message. Rejects when it is refused; the error's `status` says why, as an HTTP status
     * would.
     */
    publish(channel: string, data: string | Uint8Array, options?: PublishOptions): Promise<PublishResult>;
    /**
     * Publishes many messages, in their order. All are looked at first: one that is wrong (no data, a name
     * that nobody may have) rejects the call, and nothing was published. Then each answers for itself.
     */
    publish(messages: readonly ListedMessage[]): Promise<readonly ListedResult[]>;
    /** What is known of a channel; null: there is none. */
    channel(name: string): ChannelStatistics | null;
    /**
     * The messages of one or more channels, from now on, or from the last `last` stored ones on. Whoever
     * takes them slowly gets them from the store, so nothing piles up. Ends when `signal` aborts, when it is
     * closed, or with the last channel.
     */
    subscribe(channel: string | readonly string[], options?: { readonly last?: number }): Subscription;
    /** Resolves after so many milliseconds; rejects when `signal` aborts. */
    sleep(ms: number): Promise<void>;
    /** Writes a line to sluice's log. */
    log(message: string, fields?: Readonly<Record<string, string | number | boolean | null>>): void;
    /**
     * The dictionary `[shared.name]` of the configuration: one for all workers. Throws when there is none.
     */
    shared(name: string): SharedDictionary;
    /**
     * Runs `work` in so many milliseconds, in this worker, with a context of its own; the answer calls it
     * off. A worker that is about to stop runs it at once, with a `signal` that has aborted.
     */
    after(ms: number, work: (context: TaskContext) => unknown): () => void;
    /** Several async iterables as one: each value as it comes. */
    merge<Value>(...sources: readonly AsyncIterable<Value>[]): AsyncIterable<Value>;
  }

  /** One request, and what sluice can do for it. */
  export interface Context extends TaskContext {
    /** The whole request; its body is there already, and no larger than the location's max_body_size. */
    readonly request: Request;
    readonly method: string;
    /** The decoded path. */
    readonly path: string;
    /** What the regex of the location captured: by number ("1", "2", …) and by name. */
    readonly params: Readonly<Record<string, string>>;
    /**
     * Each name means what `$arg_name` means in the configuration: the first one with "=" counts, case does
     * not, "+" is a plus. For the parameters of a form as browsers send them: `new
     * URL(request.url).searchParams`.
     */
    readonly query: URLSearchParams;
    readonly headers: Headers;
    /** "unix:" for a client of a unix socket; never empty. */
    readonly remoteAddress: string;
    /** Who the location's `authorize` said it is, else whom its grant is for; null: nobody said. */
    readonly user: string | null;
    /** What was granted: by a token, a key, a backend, or `authorize`; null: nobody was asked. */
    readonly grant: Grant | null;
    /**
     * An answer that is made once in a channel of its own, however many ask for it, and that clients may
     * leave and come back to: give back what it gives. Without a source: only if it is there already. A
     * request with DELETE calls it off. The manual is docs/handlers.md.
     */
    answer(
      channel: string,
      source?: AnswerSource,
    ): Response | OngoingAnswer | Promise<Response | OngoingAnswer>;
  }

  /** What `answer` gives: nothing can be done with it but to give it back. */
  export interface OngoingAnswer {
    readonly isEnded: boolean;
  }

  /** Text, UTF-8, or one of them with a name for its event; "end", "error" and "reset" are sluice's own. */
  export type AnswerPiece =
    | string
    | Uint8Array
    | { readonly event?: string; readonly data: string | Uint8Array };

  type AnswerPieces = AsyncIterable<AnswerPiece> | Iterable<AnswerPiece>;
  /** The function is called once, where the answer is made; its context goes on when the client has left. */
  export type AnswerSource = AnswerPieces | ((context: TaskContext) => AnswerPieces);

  /** What JSON can say, but for what it leaves out in silence: functions and undefined are refused. */
  export type JsonValue =
    | string
    | number
    | boolean
    | null
    | readonly JsonValue[]
    | { readonly [key: string]: JsonValue };
  /** Comes out as it was put in. Numbers are finite. */
  export type SharedValue = JsonValue | Uint8Array;

  /**
   * Times are in seconds; 0 or none: for ever. Each call throws an error with status 503 when it could not be
   * done in time.
   */
  export interface SharedDictionary {
    /** undefined: there is none, or its time is over. */
    get(key: string): SharedValue | undefined;
    set(key: string, value: SharedValue, ttl?: number): void;
    /** Only if it is not there: whether it was not. */
    add(key: string, value: SharedValue, ttl?: number): boolean;
    /** Only if it is there: whether it was. */
    replace(key: string, value: SharedValue, ttl?: number): boolean;
    /**
     * Adds and gives the sum. `initial` and `ttl` are for one that is not there yet; throws where there is
     * something else than a number.
     */
    incr(key: string, by?: number, initial?: number, ttl?: number): number;
    /** Whether it was there. */
    delete(key: string): boolean;
    /** At most `limit` keys, 1000 unless said, in no order. */
    keys(limit?: number): string[];
    /** Seconds that are left; Infinity: it has no end; undefined: there is none. */
    ttl(key: string): number | undefined;
  }

  /** Channels are exact names, `prefix*`, or `*`; the manual is docs/access.md. */
  export interface Grant {
    readonly sub: string | null;
    readonly subscribe: readonly string[];
    readonly publish: readonly string[];
    /** Seconds since 1970; null: it has no end. */
    readonly exp: number | null;
    /** What others may know of them, as the token or backend has it. */
    readonly info: unknown;
  }

  export interface PublishOptions {
    /** Kept for those who come later; true unless said otherwise. */
    readonly stored?: boolean;
    /** A name by which subscribers can resume, and the `id` of an EventSource. */
    readonly eventId?: string;
    /** The `event` of an EventSource. */
    readonly eventType?: string;
    /** Of W3C trace context, kept with the message; anything else is passed over. */
    readonly traceparent?: string | null;
  }

  export interface ListedMessage extends PublishOptions {
    readonly channel: string | readonly string[];
    readonly data: string | Uint8Array;
    /**
     * Of idempotency, 1 to 256 bytes: the same message with the same key is published once in some minutes.
     */
    readonly key?: string;
  }

  export interface ListedResult {
    /** Where it is in each of its channels; null: it is not in. */
    readonly positions: readonly (string | null)[];
    /** Its key was known in all of them, and the positions are those of the first. */
    readonly duplicate: boolean;
    /** Why it is not in all of them; null: it is. */
    readonly refused: {
      readonly status: number;
      readonly code: string;
      readonly explain: string | null;
    } | null;
  }

  export interface ChannelStatistics {
    readonly channel: string;
    readonly published: number;
    readonly stored: number;
    /** Of all workers. */
    readonly subscribers: number;
  }

  export interface PublishResult extends ChannelStatistics {
    /** 1, 2, 3 … in the channel; in a cluster the position, which grows. */
    readonly id: number;
  }

  export interface Message {
    readonly channel: string;
    /** 1, 2, 3 … in the channel. */
    readonly id: number;
    /** When it was published, in seconds since 1970. */
    readonly time: number;
    readonly data: Uint8Array;
    /** The data as text. */
    readonly text: string;
    readonly eventId: string | null;
    readonly eventType: string | null;
    /** Which trace its publisher said it belongs to (W3C trace context). */
    readonly traceparent: string | null;
    /**
     * Messages of this channel just before this one that are lost: they were dropped from the store before
     * they were read here.
     */
    readonly missed: number;
  }

  export interface Subscription extends AsyncIterable<Message> {
    close(): void;
  }

  // --- the default export: an answer to a request ----------------------------------------------------------

  /**
   * Text or bytes: 200 with that. null, undefined: 204. A Response: that. An async generator: 200, and each
   * `yield` is sent at once; it goes on when the client has room for more, and its `finally` runs when the
   * client has left.
   */
  export type Answer =
    | string
    | Uint8Array
    | Response
    | null
    | undefined
    | OngoingAnswer
    | AsyncIterable<string | Uint8Array>
    | Generator<string | Uint8Array, unknown, unknown>;

  export type Handler = (context: Context) => Answer | Promise<Answer>;

  // --- `export const websocket`: a WebSocket endpoint ------------------------------------------------------

  export interface Socket<Data = unknown> {
    /** Yours. */
    data: Data;
    readonly remoteAddress: string;
    readonly isOpen: boolean;
    /** Bytes that were sent and not taken yet. A client that leaves too many lying is closed. */
    readonly bufferedAmount: number;
    /**
     * Bytes sent; -1: kept until the client has room (`drain` follows); 0: the socket is closed. Text goes
     * out as text, bytes as binary.
     */
    send(data: string | Uint8Array): number;
    ping(data?: string | Uint8Array): void;
    /** 1000, or 3000 to 4999, or what RFC 6455 7.4 says. */
    close(code?: number, reason?: string): void;
    /** Without a goodbye. */
    terminate(): void;
  }

  export interface WebSocketHandler<Data = unknown> {
    open?(socket: Socket<Data>, context: Context): void | Promise<void>;
    message?(socket: Socket<Data>, data: string | Uint8Array): void | Promise<void>;
    /** 1006: it ended without a close frame. */
    close?(socket: Socket<Data>, code: number, reason: string): void | Promise<void>;
    /** There is room again after a `send` that gave -1. */
    drain?(socket: Socket<Data>): void | Promise<void>;
    /**
     * Seconds of silence after which the client is pinged; as much again without an answer, and it is gone.
     * 60; 0: never.
     */
    idleTimeout?: number;
    /** Largest message in bytes; a larger one closes the socket (1009). 1048576. */
    maxPayload?: number;
    /** Subprotocols that are spoken; the first of the client's list that is among them is agreed to. */
    protocols?: readonly string[];
  }

  // --- `export function authorize`: a guard of publishers, subscribers, files and handlers -----------------

  /**
   * true: let in. false: 403. A status (400 to 599), alone or with a sentence. `channels`: let in, to these
   * instead; "news.b5" begins with the last 5 messages. `user`: let in, by this name (1 to 256 bytes), which
   * hooks and the log are told. A grant: let in to what it covers, until it ends; without `subscribe` and
   * `publish` it covers what is asked for.
   */
  export type Authorization =
    | boolean
    | number
    | { readonly status: number; readonly explain?: string }
    | { readonly channels: string | readonly string[]; readonly user?: string }
    | { readonly user: string }
    | Partial<Grant>;

  export interface AuthorizeContext extends Context {
    /** The channels that are asked for. */
    readonly channels: readonly string[];
    readonly role: "publisher" | "subscriber" | "presence" | "files" | "handler" | "proxy";
  }

  export type Authorize = (context: AuthorizeContext) => Authorization | Promise<Authorization>;

  // --- hooks of publishers and subscribers -----------------------------------------------------------------

  export interface SubscribeEvent {
    readonly channels: readonly string[];
    readonly transport: "streaming" | "long-polling" | "eventsource" | "websocket";
    readonly remoteAddress: string;
    /** Who the guard said it is; null: it did not say, or there is none. */
    readonly user: string | null;
  }

  export interface UnsubscribeEvent extends SubscribeEvent {
    readonly durationMs: number;
  }

  export interface OfferedMessage {
    readonly channels: readonly string[];
    readonly data: Uint8Array;
    /** The data as text. */
    readonly text: string;
    readonly eventId: string | null;
    readonly eventType: string | null;
    /** Which trace its publisher says it belongs to (W3C trace context). */
    readonly traceparent: string | null;
  }

  /** What is not named stays. */
  export interface ChangedMessage {
    readonly data?: string | Uint8Array;
    readonly eventId?: string | null;
    readonly eventType?: string | null;
  }

  export interface PublishRefusal {
    readonly status: number;
    readonly explain?: string;
    /**
     * Of a WebSocket: whether it is closed. Left out: a client of sluice.json.v1 or sluice.msgpack.v1 is told
     * in a frame and goes on, any other is closed with 1008, as there are no words for it. With false such a
     * client is not told anything: tell it yourself.
     */
    readonly close?: boolean;
  }

  export type PublishVerdict = undefined | ChangedMessage | PublishRefusal;

  export interface Hooks {
    /** Somebody stands in the channels: a held connection, not a poll that is answered at once. */
    onSubscribe?(event: SubscribeEvent, context: Context): void | Promise<void>;
    /**
     * It has left. The context is that of its `onSubscribe`; its `signal` has aborted, so nothing can be
     * waited for with it.
     */
    onUnsubscribe?(event: UnsubscribeEvent, context: Context): void | Promise<void>;
    /** Before a client's message is published. Without an answer it is published as it is. */
    onPublish?(message: OfferedMessage, context: Context): PublishVerdict | Promise<PublishVerdict>;
  }
}
