/**
 * `context.subscribe`: the messages of channels as an async iterator. To fan-out it is one more held stream,
 * whose socket is the handler: while messages lie unread it lags, and reads on from the store when they were
 * taken, so a slow handler costs no queue (promise P4).
 */
import type { Message, Subscription } from "sluice";
import type { Fanout } from "../fanout/fanout.ts";
import { type LocalChannel, StreamSubscription } from "../fanout/local-channel.ts";
import { StreamConnection } from "../fanout/streams.ts";
import type { StreamSink } from "../http/direct-answer.ts";
import { Refusals } from "../http/errors.ts";
import { ChannelRef } from "../store/channel/channel-ref.ts";
import { LastSearch } from "../store/message/last-search.ts";
import { BUSY } from "../store/outcome.ts";
import type { Store } from "../store/store.ts";
import { atHandler } from "./failure.ts";
import type { HandlerHost } from "./host.ts";
import { decodeMessages, messageFormat } from "./message-format.ts";
import { channelBytes } from "./publishing.ts";
import { RefusedError } from "./refused-error.ts";

const NOTHING = new Uint8Array(0);
const ref = new ChannelRef();

/**
 * Throws a RefusedError when a channel cannot be stood in. `left` is called once, when it has ended by
 * whatever cause.
 */
export function openSubscription(
  host: HandlerHost,
  channels: readonly string[],
  last: number,
  left: (feed: Feed) => void,
): Feed {
  const { store } = host.ingest;
  const limit = host.config.limits.maxChannelsPerRequest;
  if (channels.length === 0) throw atHandler(new RefusedError(Refusals.noChannel));
  if (limit > 0 && channels.length > limit)
    throw atHandler(new RefusedError(Refusals.tooManyChannelsInRequest));
  const nowSec = Math.floor(Date.now() / 1000);
  const names = channels.map((channel) => channelBytes(host, channel));
  const feed = new Feed(host.fanout, left);
  const places: StreamSubscription[] = [];
  for (const name of names) {
    const index = store.open(name, nowSec, ref);
    if (index === BUSY) throw atHandler(new RefusedError(Refusals.busy));
    if (index === -1) throw atHandler(new RefusedError(Refusals.tooManyChannels));
    if (index < 0) throw atHandler(new RefusedError(Refusals.noRoomForChannel));
    const { incarnation } = ref;
    const isNamedTwice = ({ channel }: StreamSubscription): boolean =>
      channel.index === index && channel.incarnation === incarnation;
    if (places.some(isNamedTwice)) continue;
    const channel = host.fanout.channel({ index, incarnation, name });
    const newest = store.publishedCount(index);
    const after = last > 0 ? beforeLast(store, channel, last, newest) : newest;
    // Gone by now: it is told of its end, and of nothing that its record's next owner has. Pairs with
    // retireChannel.
    const isThere = store.isLive(index, incarnation);
    places.push(new StreamSubscription(channel, feed, isThere ? after : 0, isThere ? newest : 0));
  }
  feed.begin(places);
  return feed;
}

/** The id before the last `count` stored messages. */
function beforeLast(
  store: Store,
  { index, incarnation }: LocalChannel,
  count: number,
  newest: number,
): number {
  const known = store.history.beforeLastStored(index, incarnation, count, newest);
  if (known >= 0) return known;
  const search = new LastSearch(store, index, incarnation, count, newest);
  search.run(Number.MAX_SAFE_INTEGER);
  return search.afterId;
}

type Result = IteratorResult<Message, undefined>;
const DONE: Result = { done: true, value: undefined };

/** The stream's socket: what was written and not taken yet is at most one write of fan-out. */
class Inbox implements StreamSink {
  readonly #missed = new Map<string, number>();
  /** Taken from the back. */
  #unread: Message[] = [];
  #reader: PromiseWithResolvers<Result> | null = null;
  /** Fan-out waits for it while something is unread. */
  #room: PromiseWithResolvers<number> | null = null;
  #isOver = false;
  /**
   * Ended by the handler, by its request or with its channels; otherwise it fell behind, and that is told.
   */
  isInOrder = false;
  deletions = 0;

  next(): Promise<Result> {
    const value = this.#unread.pop();
    if (value !== undefined) {
      if (this.#unread.length === 0) this.#makeRoom();
      return Promise.resolve({ done: false, value });
    }
    if (this.#isOver) return this.isInOrder ? Promise.resolve(DONE) : Promise.reject(fellBehind());
    if (this.#reader !== null)
      return Promise.reject(
        atHandler(new Error("somebody waits for the next message of this subscription already")),
      );
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  /** What was not taken is gone. */
  discard(): void {
    this.#unread = [];
  }

  over(): void {
    this.#isOver = true;
    this.#makeRoom();
    const reader = this.#reader;
    this.#reader = null;
    if (this.isInOrder) reader?.resolve(DONE);
    else reader?.reject(fellBehind());
  }

  #makeRoom(): void {
    this.#room?.resolve(0);
    this.#room = null;
  }

  write(bytes: Uint8Array): number | Promise<number> {
    // A copy: fan-out uses its buffer again.
    const { messages, deletions } = decodeMessages(new Uint8Array(bytes), this.#missed);
    this.deletions += deletions;
    this.#unread = messages.toReversed().concat(this.#unread);
    const reader = this.#reader;
    const value = reader === null ? undefined : this.#unread.pop();
    if (reader !== null && value !== undefined) {
      this.#reader = null;
      reader.resolve({ done: false, value });
    }
    return this.flush();
  }

  flush(): number | Promise<number> {
    if (this.#unread.length === 0) return 0;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  end(): void {
    // Feed.ended has seen to it.
  }

  start(): void {
    // Every write is taken at once.
  }
}

export class Feed extends StreamConnection {
  readonly inbox = new Inbox();
  readonly #fanout: Fanout;
  readonly #left: (feed: Feed) => void;
  #channels = 0;

  constructor(fanout: Fanout, left: (feed: Feed) => void) {
    super({ keeper: fanout, format: messageFormat, footer: NOTHING });
    this.#fanout = fanout;
    this.#left = left;
  }

  begin(places: readonly StreamSubscription[]): void {
    this.subscriptions = places;
    this.#channels = places.length;
    this.attach(this.inbox);
    this.#fanout.joinStream(this);
  }

  /** Idempotent. */
  close(): void {
    this.inbox.isInOrder = true;
    this.inbox.discard();
    this.#fanout.leaveStream(this);
    this.end(NOTHING);
  }

  protected override ended(): void {
    if (this.inbox.deletions >= this.#channels) this.inbox.isInOrder = true;
    this.inbox.over();
    this.#left(this);
  }
}

const fellBehind = (): Error =>
  atHandler(new Error("the subscription ended: nothing was taken from it for a minute"));

/** What the handler is given: nothing of the stream behind it. */
export function iterable(feed: Feed): Subscription {
  return {
    close: () => feed.close(),
    [Symbol.asyncIterator]: () => ({
      next: () => feed.inbox.next(),
      return: async () => {
        feed.close();
        return DONE;
      },
    }),
  };
}
