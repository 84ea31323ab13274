/**
 * Sends one webhook its events: a subscriber of the internal channel whose position is in the store. One
 * batch is under way at a time, so events are in order, and the position moves when the receiver has said
 * that it took them, so each is told at least once. What is not told stays where it is, in the store: a
 * receiver that is dead costs a batch here and its backlog there.
 *
 *   gathering ──► sending ──► gathering          2xx: the position moves
 *                    └──► waiting ──► sending    anything else: the same batch again, after 100 ms to 20 s
 *
 * Made by webhooks.ts in the worker that has the lease; `look` is called some fifty times a second.
 */
import type { WebhookConfig } from "../config/model/webhooks.ts";
import { log } from "../log.ts";
import { ChannelRef } from "../store/channel/channel-ref.ts";
import { Internal } from "../store/channel/internal-channels.ts";
import { Message } from "../store/message/message-view.ts";
import { FOUND, GONE, type Reader } from "../store/message/reader.ts";
import type { Store } from "../store/store.ts";
import type { HookState } from "../store/webhook/webhook-store.ts";
import { Batch } from "./batch.ts";
import { type Delivery, deliver } from "./delivery.ts";
import { Interest } from "./interest.ts";

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 20_000;
/** A position that moved over what the webhook does not want is written so often. */
const WRITE_MS = 1000;
/** What is said of a receiver that fails is said again so often. */
const SAY_AGAIN_MS = 60_000;

export interface SenderOptions {
  readonly hook: WebhookConfig;
  readonly secret: Uint8Array;
  readonly store: Store;
  readonly slot: number;
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #batch: Batch;
  readonly #message = new Message();
  readonly #stop = new AbortController();
  #reader: Reader | null = null;
  #state: HookState;
  /** What was written of it last. */
  #written: HookState;
  #writtenMs = Number.NEGATIVE_INFINITY;
  #phase: "gathering" | "sending" | "waiting" = "gathering";
  #body: Uint8Array<ArrayBuffer> | null = null;
  /** When the first event of the batch was found. */
  #sinceMs = 0;
  #retryMs = 0;
  #tries = 0;
  #saidMs = Number.NEGATIVE_INFINITY;
  #saidGapMs = Number.NEGATIVE_INFINITY;
  #positionSec = 0;
  #isLeaving = false;
  /** Another worker sends, or there is no such webhook. */
  isOver = false;

  /** null: the store knows nothing of this webhook. */
  static of(options: SenderOptions): Sender | null {
    const state = options.store.webhooks.state(options.hook.name);
    return state === null ? null : new Sender(options, state);
  }

  private constructor(options: SenderOptions, state: HookState) {
    const { hook, store } = options;
    this.#options = options;
    this.#state = state;
    this.#written = state;
    this.#batch = new Batch(hook.name, store.epoch.toString(36), new Interest(hook), {
      events: hook.batchEvents,
      bytes: hook.batchBytes,
    });
    this.#tries = state.failingSec > 0 ? 1 : 0;
  }

  /** Everything up to this id is done with. */
  get position(): number {
    return this.#written.position;
  }

  get name(): string {
    return this.#options.hook.name;
  }

  /** When what is at the position was noted; 0: that is not known. */
  get positionSec(): number {
    return this.#positionSec;
  }

  /** Nothing is under way. */
  get isIdle(): boolean {
    return this.#phase !== "sending";
  }

  /** Begins nothing any more; what is under way ends. */
  leave(): void {
    this.#isLeaving = true;
  }

  stop(): void {
    this.#isLeaving = true;
    this.#stop.abort();
  }

  /** performance.now(). True: there is more to do at once. */
  look(nowMs: number): boolean {
    this.#write(nowMs);
    if (this.#phase === "sending" || this.#isLeaving || this.isOver) return false;
    if (this.#phase === "waiting") {
      if (nowMs >= this.#retryMs) this.#send();
      return false;
    }
    const mayHaveMore = this.#gather(nowMs);
    const { events, isFull } = this.#batch;
    if (events > 0 && (isFull || nowMs - this.#sinceMs >= this.#options.hook.batchMs)) this.#send();
    return mayHaveMore && this.#phase === "gathering";
  }

  #gather(nowMs: number): boolean {
    const reader = this.#open();
    if (reader === null) return false;
    const batch = this.#batch;
    const before = batch.events;
    const outcome = batch.fill(reader, this.#message);
    // Of a channel that is no more: it is opened anew.
    if (outcome === GONE) this.#reader = null;
    if (before === 0 && batch.events > 0) this.#sinceMs = nowMs;
    // What it does not want is done with.
    if (batch.events === 0 && batch.lastId !== this.#state.position) this.#moveTo(batch);
    return outcome === FOUND;
  }

  #moveTo({ lastId, lastSec }: Batch): void {
    this.#state = { ...this.#state, position: lastId };
    this.#positionSec = lastSec;
  }

  /** null: not now. */
  #open(): Reader | null {
    // What was read of a channel that is no more is sent before the one that is in its place is read.
    if (this.#reader !== null || this.#batch.events > 0) return this.#reader;
    const { store } = this.#options;
    const ref = new ChannelRef();
    const index = store.internal.open(Internal.webhooks, Date.now(), ref);
    if (index < 0) return null;
    const lastId = store.publishedCount(index);
    // The channel was lost, and begins anew.
    const isLost = this.#state.position > lastId;
    this.#reader = store.history.reader(index, ref.incarnation, isLost ? lastId : this.#state.position);
    this.#batch.begin(isLost ? lastId : this.#state.position);
    if (isLost) this.#batch.lose(null);
    return this.#reader;
  }

  #send(): void {
    const { hook, secret } = this.#options;
    this.#phase = "sending";
    this.#body ??= this.#batch.body;
    void deliver({ hook, secret, body: this.#body, signal: this.#stop.signal }).then((delivery) =>
      this.#delivered(delivery),
    );
  }

  #delivered(delivery: Delivery): void {
    if (this.#stop.signal.aborted) return;
    if (delivery.isTaken) this.#taken(delivery);
    else this.#failed(delivery);
    this.#writtenMs = Number.NEGATIVE_INFINITY;
    this.#write(performance.now());
  }

  #taken({ status }: Delivery): void {
    const { events, gaps, lastId } = this.#batch;
    this.#moveTo(this.#batch);
    const state = this.#state;
    if (state.failingSec > 0) this.#sayAgain(state.failingSec);
    if (gaps > 0) this.#sayGap();
    this.#state = {
      ...state,
      sentEvents: state.sentEvents + events,
      sentBatches: state.sentBatches + 1,
      gaps: state.gaps + gaps,
      failingSec: 0,
      status,
      takenSec: nowSec(),
    };
    this.#tries = 0;
    this.#body = null;
    this.#batch.begin(lastId);
    this.#phase = "gathering";
  }

  #sayGap(): void {
    const nowMs = performance.now();
    if (nowMs - this.#saidGapMs < SAY_AGAIN_MS) return;
    this.#saidGapMs = nowMs;
    const { hook } = this.#options;
    log("warn", "events are lost to a webhook, which was told of the gap", { webhook: hook.name });
  }

  #failed({ status, why }: Delivery): void {
    const state = this.#state;
    const failingSec = state.failingSec || nowSec();
    this.#state = { ...state, failed: state.failed + 1, failingSec, status };
    this.#phase = "waiting";
    const nowMs = performance.now();
    this.#retryMs = nowMs + waitMs(this.#tries++);
    if (nowMs - this.#saidMs < SAY_AGAIN_MS) return;
    this.#saidMs = nowMs;
    log("warn", "a webhook cannot be told, and is tried again", { webhook: this.#options.hook.name, why });
  }

  #sayAgain(failingSec: number): void {
    // A batch that needed a second try is no news where nothing was said of the first.
    if (this.#saidMs === Number.NEGATIVE_INFINITY) return;
    this.#saidMs = Number.NEGATIVE_INFINITY;
    log("info", "a webhook is told again", {
      webhook: this.#options.hook.name,
      failedForSec: nowSec() - failingSec,
    });
  }

  #write(nowMs: number): void {
    if (this.#state === this.#written || this.isOver || nowMs - this.#writtenMs < WRITE_MS) return;
    const { store, slot, hook } = this.#options;
    const outcome = store.webhooks.write(slot, hook.name, this.#state);
    if (outcome === "busy") return;
    if (outcome === "over") this.isOver = true;
    this.#written = this.#state;
    this.#writtenMs = nowMs;
  }
}

const nowSec = (): number => Math.floor(Date.now() / 1000);

/** Twice as long each time, and up to a half shorter, so that many do not come at once. */
function waitMs(tries: number): number {
  const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries);
  return longest * (1 - Math.random() / 2);
}
