/**
 * A worker's fan-out over a small real store, and subscribers that a test fills, drains and closes by hand.
 */
import { expect } from "bun:test";
import { Fanout } from "../../src/fanout/fanout.ts";
import type { Format } from "../../src/fanout/format.ts";
import { LocalChannel, placeOf, StreamSubscription } from "../../src/fanout/local-channel.ts";
import { type TopicPeer, type TopicSocket, TopicSubscription } from "../../src/fanout/topics.ts";
import { type WaitingPoll, WaitingSubscription } from "../../src/fanout/waiting.ts";
import { Counter } from "../../src/store/counters.ts";
import type { Store } from "../../src/store/store.ts";
import type { Position } from "../../src/wire/position.ts";
import { bytes, type Channel, NOW_SEC, text } from "../store/fixture.ts";
import { LineFormat } from "./line-format.ts";
import { TestStream } from "./test-stream.ts";

export const PLAIN = new LineFormat("plain", false, false, false);
export const TELLING = new LineFormat("telling", true, false, false);
export const BINARY = new LineFormat("binary", true, false, true);
export const POSITIONED = new LineFormat("positioned", true, true, false);

export const DELETED_TEXT = bytes("Channel deleted");

/** A Fanout whose native topics are a set of sockets. */
export class TestWorker {
  readonly store: Store;
  readonly slot: number;
  readonly fanout: Fanout;
  readonly sockets = new Set<TestSocket>();
  readonly rung: number[] = [];
  publishes = 0;

  constructor(store: Store) {
    this.store = store;
    this.slot = store.workers.claimSlot(process.pid, NOW_SEC);
    this.fanout = new Fanout({
      store,
      slot: this.slot,
      publish: (topic, payload) => this.#publish(topic, payload),
      ringOther: (slot) => this.rung.push(slot),
      deletedText: DELETED_TEXT,
    });
  }

  #publish(topic: string, payload: string | Uint8Array): number {
    this.publishes++;
    let outcome = 0;
    for (const socket of [...this.sockets]) if (socket.topics.has(topic)) outcome = socket.send(payload);
    return outcome;
  }

  get subscribers(): number {
    return this.store.counters.get(this.slot, Counter.SUBSCRIBERS);
  }

  /** As a publish request does it. */
  publish(channel: Channel, ...texts: string[]): void {
    for (const one of texts) channel.append(one);
    this.fanout.published();
  }

  /** Channel as it is in this worker, without touching it. */
  local(channel: Channel): LocalChannel {
    const local = this.fanout.standing.channel(channel.index);
    if (local === undefined) throw new Error("nobody stands there");
    return local;
  }

  stop(): void {
    this.fanout.stop();
  }
}

/** Where to start, per channel; `after` -1 = now, `historyUntil` as in Reading. */
export interface Start {
  readonly after?: number;
  readonly historyUntil?: number;
  /** A stream whose socket is full from the first write on. */
  readonly isFull?: boolean;
  readonly prelude?: Uint8Array;
}

const startOf = (worker: TestWorker, { index }: Channel, { after = -1, historyUntil = 0 }: Start) => ({
  afterId: after < 0 ? worker.store.publishedCount(index) : after,
  historyUntil,
});

export function joinStream(
  worker: TestWorker,
  format: Format,
  channels: readonly Channel[],
  start: Start = {},
): TestStream {
  const stream = new TestStream(worker.fanout, format, bytes("footer\n"));
  for (const channel of channels) {
    const { afterId, historyUntil } = startOf(worker, channel, start);
    const local = worker.fanout.channel(channel);
    stream.subscriptions = [
      ...stream.subscriptions,
      new StreamSubscription(local, stream, afterId, historyUntil),
    ];
  }
  stream.sink.isFull = start.isFull ?? false;
  stream.attach(stream.sink);
  worker.fanout.joinStream(stream, start.prelude);
  return stream;
}

/** Bun's socket and its peer in one. */
export class TestSocket implements TopicPeer, TopicSocket {
  subscriptions: readonly TopicSubscription[] = [];
  readonly topics = new Set<string>();
  readonly frames: (string | Uint8Array)[] = [];
  readonly format: Format;
  readonly worker: TestWorker;
  isOpen = true;
  buffered = 0;
  /** What happens in the middle of a send. */
  onSend: (payload: string | Uint8Array) => void = () => undefined;

  constructor(worker: TestWorker, format: Format) {
    this.worker = worker;
    this.format = format;
  }

  get isInSeveral(): boolean {
    return this.subscriptions.length > 1;
  }
  get socket(): TopicSocket {
    return this;
  }

  place(): Position {
    return placeOf({ text: "life" }, this.subscriptions);
  }

  subscribe(topic: string): void {
    expect(this.isOpen).toBe(true);
    this.topics.add(topic);
    this.worker.sockets.add(this);
  }

  unsubscribe(topic: string): void {
    this.topics.delete(topic);
  }

  send(payload: string | Uint8Array): number {
    if (!this.isOpen) return 0;
    this.onSend(payload);
    if (!this.isOpen) return 0;
    this.frames.push(payload);
    return payload.length;
  }

  getBufferedAmount(): number {
    return this.buffered;
  }

  closeBehind(): void {
    this.worker.fanout.leaveTopics(this, true);
    this.isOpen = false;
  }

  channelDeleted(): void {
    if (this.subscriptions.length === 0) this.closeBehind();
  }

  /** Its end as Bun tells it. */
  close(): void {
    this.isOpen = false;
    this.topics.clear();
    this.worker.sockets.delete(this);
    this.worker.fanout.leaveTopics(this, false);
  }

  take(): string[] {
    return this.frames.splice(0).map((frame) => (typeof frame === "string" ? frame : text(frame)).trimEnd());
  }
}

export function joinSocket(
  worker: TestWorker,
  format: Format,
  channels: readonly Channel[],
  start: Start = {},
): TestSocket {
  const socket = newSocket(worker, format, channels, start);
  worker.fanout.joinTopics(socket);
  return socket;
}

/** Not yet joined. */
export function newSocket(
  worker: TestWorker,
  format: Format,
  channels: readonly Channel[],
  start: Start = {},
): TestSocket {
  const socket = new TestSocket(worker, format);
  for (const channel of channels) {
    const { afterId, historyUntil } = startOf(worker, channel, start);
    const local = worker.fanout.channel(channel);
    socket.subscriptions = [
      ...socket.subscriptions,
      new TopicSubscription(local, socket, afterId, historyUntil),
    ];
  }
  return socket;
}

export class TestPoll implements WaitingPoll {
  subscriptions: readonly WaitingSubscription[] = [];
  readonly answers: string[] = [];
  readonly format: Format;

  constructor(format: Format) {
    this.format = format;
  }

  answer(_subscription: unknown, _message: unknown, body: Uint8Array): void {
    this.answers.push(text(body).trimEnd());
  }
}

export function joinPoll(worker: TestWorker, format: Format, channels: readonly Channel[]): TestPoll {
  const poll = new TestPoll(format);
  for (const channel of channels) {
    const local = worker.fanout.channel(channel);
    poll.subscriptions = [
      ...poll.subscriptions,
      new WaitingSubscription(local, poll, worker.store.publishedCount(channel.index)),
    ];
  }
  worker.fanout.joinPoll(poll);
  return poll;
}

/** A channel object without a worker around it. */
export const localOf = ({ store, index, incarnation, name }: Channel, delivered = 0): LocalChannel =>
  new LocalChannel(store, { index, incarnation, name }, store.positions.base(index), delivered);

/** "M key id data" for messages with these texts from id `from` on. */
export const messages = ({ index, incarnation }: Channel, from: number, ...texts: string[]): string[] =>
  texts.map((one, i) => `M ${index}.${incarnation} ${from + i} ${one}`);

export const gap = ({ index, incarnation }: Channel, missed: number, upTo: number): string =>
  `G ${index}.${incarnation} ${missed} ${upTo}`;

export const deletion = ({ index, incarnation }: Channel): string => `D ${index}.${incarnation}`;
