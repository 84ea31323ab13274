/**
 * Subscribers of the simulation: what stands where Bun's direct streams, its WebSockets with native topics
 * and held requests stand in the server. They behave as Bun was seen to: a full stream answers a write with
 * one promise until it has room; a full socket queues up to a limit and is closed beyond it, at once or a
 * little later.
 */

import type { Format } from "../../src/fanout/format.ts";
import { placeOf } from "../../src/fanout/local-channel.ts";
import { StreamConnection } from "../../src/fanout/streams.ts";
import type { TopicPeer, TopicSocket, TopicSubscription } from "../../src/fanout/topics.ts";
import type { WaitingPoll, WaitingSubscription } from "../../src/fanout/waiting.ts";
import type { StreamSink } from "../../src/http/direct-answer.ts";
import type { Message } from "../../src/store/message/message-view.ts";
import type { Position } from "../../src/wire/position.ts";
import { Transcript } from "./fanout-transcript.ts";
import type { SimulatedWorker } from "./fanout-world.ts";

const textOf = (payload: string | Uint8Array): string =>
  typeof payload === "string" ? payload : Buffer.from(payload).toString("latin1");

/** What all subscribers of the simulation have. */
export interface Client {
  readonly worker: SimulatedWorker;
  readonly transcript: Transcript;
  /** Its end has not been seen by the server. */
  readonly isOpen: boolean;
  /** The client goes away. */
  leave(): void;
  /** Takes nothing more until it drains. */
  readonly isFull: boolean;
  drain(): void;
  /** Nothing is left to be delivered: throws when something is missing. */
  check(): void;
}

/** Bun's direct stream controller. */
class FakeSink implements StreamSink {
  isOpen = true;
  #direct = false;
  #buffered = "";
  #full: Promise<number> | null = null;
  #empty: () => void = () => undefined;
  readonly #client: Client;
  constructor(client: Client) {
    this.#client = client;
  }

  start(options: { highWaterMark: number }): void {
    this.#direct = options.highWaterMark === 1;
  }

  write(bytes: Uint8Array): number | Promise<number> {
    if (!this.isOpen) return 0;
    const text = textOf(bytes);
    // Nothing but a goodbye may be written to a full stream, because Bun would queue it (promise P4).
    if (this.#full !== null && /^[^DF]/m.test(text)) throw new Error(`written to a full stream: ${text}`);
    this.#buffered += text;
    if (this.#direct) this.#send();
    this.#client.worker.world.meanwhile();
    return this.#full ?? (this.#client.worker.world.chance(8) ? this.#fill() : bytes.length);
  }

  flush(): number | Promise<number> {
    if (!this.isOpen) return 0;
    this.#send();
    return this.#full === null && this.#client.worker.world.chance(3) ? this.#fill() : 0;
  }

  end(): void {
    this.#send();
    this.isOpen = false;
  }

  /** Bun sends what it kept before it resolves the promise. */
  drain(): void {
    if (this.isOpen && this.#full !== null) this.#send();
    this.#full = null;
    this.#empty();
  }

  get isFull(): boolean {
    return this.#full !== null;
  }

  /** Bytes that nobody flushed. */
  get kept(): string {
    return this.#buffered;
  }

  #send(): void {
    const text = this.#buffered;
    this.#buffered = "";
    this.#client.transcript.take(text);
  }

  #fill(): Promise<number> {
    this.#full = new Promise((resolve) => {
      this.#empty = () => resolve(1);
    });
    return this.#full;
  }
}

export class StreamClient extends StreamConnection implements Client {
  readonly worker: SimulatedWorker;
  readonly transcript: Transcript;
  readonly sink = new FakeSink(this);

  constructor(worker: SimulatedWorker, format: Format) {
    super({ keeper: worker.fanout, format, footer: Buffer.from("F\n") });
    this.worker = worker;
    this.transcript = new Transcript(worker.store, `stream ${format.key} of worker ${worker.slot}`);
  }

  get isOpen(): boolean {
    return !this.isEnded;
  }

  get isFull(): boolean {
    return this.sink.isFull;
  }

  join(): void {
    this.attach(this.sink);
    this.worker.fanout.joinStream(this, Buffer.from("H\n"));
  }

  ping(): void {
    if (this.isLive) this.send(Buffer.from("P\n"));
  }

  leave(): void {
    this.sink.isOpen = false;
    this.closed();
    this.worker.fanout.leaveStream(this);
    this.sink.drain();
  }

  drain(): void {
    this.sink.drain();
  }

  check(): void {
    if (this.sink.kept !== "") throw new Error(`never flushed: ${this.sink.kept}`);
    this.transcript.checkComplete();
  }
}

/**
 * Unsent bytes of a full socket count for so much more, so that a handful of messages reaches fan-out's and
 * Bun's limits.
 */
const BYTES_SCALE = 4096;
const CLOSE_BEYOND = 1024 * 1024;

/** Bun's socket and the peer behind it (subscribe/socket-peer.ts) in one. */
export class SocketClient implements TopicPeer, TopicSocket, Client {
  readonly worker: SimulatedWorker;
  readonly transcript: Transcript;
  readonly format: Format;
  subscriptions: readonly TopicSubscription[] = [];
  readonly topics = new Set<string>();
  readonly #closesAtOnce: boolean;
  #state: "open" | "failed" | "closed" = "open";
  #full = false;
  #unsent = 0;

  constructor(worker: SimulatedWorker, format: Format) {
    this.worker = worker;
    this.format = format;
    this.transcript = new Transcript(worker.store, `socket ${format.key} of worker ${worker.slot}`);
    this.#closesAtOnce = worker.world.chance(40);
  }

  get isInSeveral(): boolean {
    return this.subscriptions.length > 1;
  }

  get socket(): TopicSocket {
    return this;
  }

  get isOpen(): boolean {
    return this.#state !== "closed";
  }

  get isFull(): boolean {
    return this.#full;
  }

  join(): void {
    this.worker.fanout.joinTopics(this);
  }

  place(): Position {
    return placeOf({ text: "life" }, this.subscriptions);
  }

  subscribe(topic: string): void {
    if (this.#state === "closed") throw new Error("a closed socket enters a topic");
    this.topics.add(topic);
    this.worker.sockets.add(this);
  }

  unsubscribe(topic: string): void {
    this.topics.delete(topic);
  }

  send(payload: string | Uint8Array): number {
    if (this.#state !== "open") return 0;
    this.worker.world.meanwhile();
    if (this.worker.world.chance(3)) this.#full = true;
    if (this.#full && (this.#unsent + payload.length) * BYTES_SCALE > CLOSE_BEYOND) {
      this.#fail();
      return 0;
    }
    if (this.#full) this.#unsent += payload.length;
    this.transcript.take(textOf(payload));
    return this.#full ? -1 : payload.length;
  }

  getBufferedAmount(): number {
    return this.#unsent * BYTES_SCALE;
  }

  closeBehind(): void {
    this.worker.fanout.leaveTopics(this, true);
    this.#close();
  }

  channelDeleted(): void {
    if (this.subscriptions.length > 0) return;
    this.closeBehind();
  }

  leave(): void {
    this.#close();
    this.worker.fanout.leaveTopics(this, false);
  }

  drain(): void {
    if (this.#state !== "open") return;
    this.#full = false;
    this.#unsent = 0;
    this.worker.fanout.socketDrained(this);
  }

  check(): void {
    if (this.#state !== "open") return;
    this.transcript.checkComplete();
    const topics = this.subscriptions.flatMap(({ shard }) => shard?.topic ?? "none");
    if (topics.sort().join() !== [...this.topics].sort().join()) {
      throw new Error(`stands in ${topics}, is in the native topics ${[...this.topics]}`);
    }
  }

  /** Too slow: Bun drops what does not fit and closes. */
  #fail(): void {
    this.#state = "failed";
    if (this.#closesAtOnce) this.leave();
    else this.worker.world.clock.later(this.worker.slot, () => this.leave());
  }

  #close(): void {
    this.#state = "closed";
    this.#unsent = 0;
    this.topics.clear();
    this.worker.sockets.delete(this);
  }
}

export class PollClient implements WaitingPoll, Client {
  readonly worker: SimulatedWorker;
  readonly transcript: Transcript;
  readonly format: Format;
  subscriptions: readonly WaitingSubscription[] = [];
  isOpen = true;
  readonly isFull = false;

  constructor(worker: SimulatedWorker, format: Format) {
    this.worker = worker;
    this.format = format;
    this.transcript = new Transcript(worker.store, `poll of worker ${worker.slot}`);
  }

  join(): void {
    this.worker.fanout.joinPoll(this);
  }

  /** Exactly one message, the first that could be had on that channel; holes are the next poll's to find. */
  answer(_subscription: WaitingSubscription, _message: Message, body: Uint8Array): void {
    if (!this.isOpen) throw new Error(`answered twice: ${textOf(body)}`);
    this.isOpen = false;
    this.transcript.takeAnswer(textOf(body));
  }

  leave(): void {
    this.isOpen = false;
    const [first] = this.subscriptions;
    if (first !== undefined) this.worker.fanout.leavePoll(first);
  }

  drain(): void {
    // nothing is held back
  }

  check(): void {
    this.transcript.checkWaiting();
  }
}
