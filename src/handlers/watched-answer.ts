/**
 * One client that watches an answer (answers.ts): to fan-out a held stream like any other, with
 * `answerFormat`. What `context.answer` gives to the handler, which gives it back; endpoint.ts makes the
 * response of it.
 */

import { StreamSubscription } from "../fanout/local-channel.ts";
import { StreamConnection } from "../fanout/streams.ts";
import type { Arrival, Standing } from "../front/location-hooks.ts";
import { SERVER } from "../http/answer.ts";
import { type BreakableSink, pulledResponse } from "../http/direct-answer.ts";
import type { NamedChannel } from "../store/channel/channel-ref.ts";
import { answerFormat, RESET } from "./answer-format.ts";
import type { HandlerHost, Running } from "./host.ts";

const NOTHING = new Uint8Array(0);
/** No line of its own is needed to keep a connection open; proxies close those on which nothing moves. */
const PING = Buffer.from(": \n\n");
const HEADERS = {
  ...SERVER,
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-cache, no-store",
  "X-Accel-Buffering": "no",
};
/** Browsers come back so long after the connection broke; not all of them at once, when a worker has left. */
const LEAST_RETRY_MS = 300;
const RETRY_SPREAD_MS = 1200;

export interface WatchOptions {
  readonly host: HandlerHost;
  readonly channel: NamedChannel;
  /** The id it has already; 0: nothing. */
  readonly afterId: number;
  /** It wanted to go on in something else. */
  readonly isForeign: boolean;
}

export class WatchedAnswer extends StreamConnection implements Running, Standing {
  readonly type = "direct";
  readonly channel: NamedChannel;
  readonly #afterId: number;
  readonly #host: HandlerHost;
  #arrival: Arrival | null = null;
  #departure: (() => void) | null = null;
  #left: () => void = () => undefined;
  readonly #opening: Uint8Array;

  constructor({ host, channel, afterId, isForeign }: WatchOptions) {
    super({ keeper: host.fanout, format: answerFormat, footer: NOTHING });
    this.#host = host;
    this.channel = channel;
    this.#afterId = afterId;
    const retryMs = LEAST_RETRY_MS + Math.floor(Math.random() * RETRY_SPREAD_MS);
    const reset = isForeign ? `event: ${RESET}\ndata: \n\n` : "";
    this.#opening = Buffer.from(`retry: ${retryMs}\n\n${reset}`);
  }

  /** `left` is called once, whoever ended it. */
  response(arrival: Arrival | null, left: () => void): Response {
    this.#arrival = arrival;
    this.#left = left;
    return pulledResponse(this, { headers: HEADERS });
  }

  pull(sink: BreakableSink): void {
    if (this.isEnded) return;
    // In the turn in which it stands there: else the worker may have forgotten the channel.
    const channel = this.#host.fanout.channel(this.channel);
    this.subscriptions = [new StreamSubscription(channel, this, this.#afterId, 0)];
    this.attach(sink);
    this.#host.add(this);
    this.#host.answers.watches(this);
    // At once: the first piece may be long in coming.
    super.send(this.#opening);
    this.#host.fanout.joinStream(this);
    const departure = this.#arrival?.([this.channel.name], this) ?? null;
    if (this.isEnded) departure?.();
    else this.#departure = departure;
  }

  override send(bytes: Uint8Array): boolean {
    const channel = this.subscriptions[0]?.channel;
    const end = channel === undefined ? -1 : answerFormat.endIn(bytes, channel);
    if (end < 0) return super.send(bytes);
    this.#over();
    return super.send(bytes.subarray(0, end));
  }

  ping(): void {
    if (this.isLive) super.send(PING);
  }

  cancel(): void {
    this.closed();
    this.#host.fanout.leaveStream(this);
  }

  goAway(): void {
    this.#over();
  }

  dismiss(): void {
    this.#over();
  }

  /** In the turn after: fan-out is still at it. */
  #over(): void {
    queueMicrotask(() => {
      if (this.isEnded) return;
      this.#host.fanout.leaveStream(this);
      this.end(NOTHING);
    });
  }

  protected override ended(): void {
    this.#host.remove(this);
    this.#host.answers.leaves(this);
    this.#departure?.();
    this.#left();
  }
}
