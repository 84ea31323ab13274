/**
 * The worker's pump: follows the dispatch ring and sets delivery jobs going. It runs once an event-loop turn,
 * after an own publish or when another worker rings, so that everything published in a turn goes out in one
 * write per connection.
 *
 * Sleeping and waking (the pairs are in store/message/ring.ts): the pump declares itself asleep only after it
 * looked at the ring's head once more, and whoever publishes rings only a worker that was asleep. A slow
 * timer looks too, so that a bell lost with a dying process costs a tenth of a second, not a message.
 */
import { log } from "../log.ts";
import { Counter } from "../store/counters.ts";
import { RingEntry } from "../store/message/ring.ts";
import type { Store } from "../store/store.ts";
import type { CatchUp } from "./catch-up.ts";
import { Job } from "./delivery.ts";
import { dismiss, lostDeletion } from "./dismiss.ts";
import { InHandCarrier } from "./in-hand.ts";
import type { LocalChannel } from "./local-channel.ts";
import { Rests } from "./rests.ts";
import type { Standing } from "./standing.ts";
import type { TopicPublish } from "./topic-carrier.ts";

/** How long each part of a turn may take before other work gets its chance. */
const SLICE_MS = 2;
/**
 * What is written to connections in several channels waits no longer than this for more, however much there
 * is to do.
 */
const HELD_MS = 8;
const SAFETY_LOOK_MS = 100;
/**
 * Finished jobs whose buffers are kept for the next ones; more only run at once when many channels have
 * thousands of sockets each.
 */
const SPARE_JOBS = 8;

/** A channel that could not be read just now is looked at again so much later. */
const BUSY_MS = 1;

export interface PumpOptions {
  readonly publish: TopicPublish;
  /** The deletion message for channels whose own was evicted before it was read. */
  readonly deletedText: Uint8Array;
  /** Called before what may take a slice of a turn: others have something that should not wait for it. */
  readonly beforeWork?: () => void;
}

export class Pump {
  readonly #store: Store;
  readonly #slot: number;
  readonly #standing: Standing;
  readonly #catchUp: CatchUp;
  readonly #options: PumpOptions;
  readonly #entry = new RingEntry();
  /**
   * Channels with something to deliver whose job has not begun. A channel with few subscribers does not wait
   * for a large one.
   */
  readonly #ready: LocalChannel[] = [];
  /** Jobs that are cut into slices, in turn. */
  readonly #running: LocalChannel[] = [];
  /** Since when something waits in standing.held; 0: nothing does. */
  #heldSinceMs = 0;
  readonly #inHand: InHandCarrier;
  readonly #jobs = new Map<LocalChannel, Job>();
  readonly #spare: Job[] = [];
  readonly #rests: Rests;
  readonly #timer: ReturnType<typeof setInterval>;
  #cursor: number;
  #scheduled = false;
  /** When it was first told of what it has not delivered yet; 0: nothing. */
  #dueMs = 0;
  #stopped = false;

  constructor(standing: Standing, catchUp: CatchUp, options: PumpOptions) {
    const { store, slot } = standing;
    this.#store = store;
    this.#slot = slot;
    this.#standing = standing;
    this.#catchUp = catchUp;
    this.#options = options;
    this.#inHand = new InHandCarrier(standing);
    this.#rests = new Rests(store, (channels) => {
      for (const channel of channels) this.#enqueue(channel);
      this.schedule();
    });
    this.#cursor = store.head();
    this.#timer = setInterval(() => this.#look(), SAFETY_LOOK_MS);
  }

  stop(): void {
    this.#stopped = true;
    this.#standing.held.send(this.#standing, Number.POSITIVE_INFINITY);
    clearInterval(this.#timer);
    this.#rests.stop();
  }

  /** Something was published, here or elsewhere: deliver at the end of this turn. */
  schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    setImmediate(() => this.#turn());
  }

  /** The same, and how long it takes is counted. */
  told(): void {
    if (this.#dueMs === 0) this.#dueMs = this.#standing.nowMs();
    this.schedule();
  }

  /** The first channel of this worker is about to be made: the ring is followed from here on. */
  begin(): void {
    this.#cursor = this.#store.head();
    this.schedule();
  }

  /**
   * A deletion that the ring's entry will not tell of, because the channel's record is about to be known as
   * another's.
   */
  end(channel: LocalChannel): void {
    this.#take();
    channel.gone = true;
    this.#enqueue(channel);
    this.schedule();
  }

  #look(): void {
    if (!this.#scheduled && this.#cursor !== this.#store.head()) this.schedule();
  }

  /** What is new, then what was held for more of it, then a slice of what takes long. */
  #turn(): void {
    this.#scheduled = false;
    if (this.#stopped) return;
    const { held, native } = this.#standing;
    native.begin(this.#standing.nowMs());
    this.#options.beforeWork?.();
    const startedMs = this.#standing.nowMs();
    this.#take();
    // Those that begin now had their slice.
    const running = this.#running.length;
    if (!held.isFull) this.#work(this.#ready, this.#ready.length, startedMs);
    this.#send(startedMs);
    if (!held.isFull) this.#work(this.#running, running, this.#standing.nowMs());
    const endedMs = this.#standing.nowMs();
    this.#store.counters.add(this.#slot, Counter.PUMP_US, Math.round((endedMs - startedMs) * 1000));
    if (native.end(endedMs)) this.schedule();
    if (this.#ready.length + this.#running.length > 0 || !held.isEmpty) {
      this.schedule();
      return;
    }
    this.#settled();
    if (this.#rests.isEmpty) this.#store.workers.setCursor(this.#slot, this.#cursor);
    // Nobody stands here: stay awake, so that no publisher spends a bell on a worker with nothing to do.
    if (this.#standing.isEmpty) return;
    if (!this.#store.workers.beginSleep(this.#slot, this.#cursor)) this.schedule();
  }

  /** Nothing of what was published is left to be written; who has no subscribers wrote nothing. */
  #settled(): void {
    if (this.#dueMs > 0 && !this.#standing.isEmpty) this.#standing.fannedOut(this.#dueMs);
    this.#dueMs = 0;
  }

  /** So many jobs from the front of a list, each once, for a slice of time. */
  #work(channels: LocalChannel[], count: number, startedMs: number): void {
    const { native } = this.#standing;
    let deadline = startedMs + SLICE_MS;
    let beganMs = startedMs;
    for (let left = count; left > 0; left--) {
      const channel = channels.shift();
      if (channel === undefined) break;
      channel.queued = false;
      const restMs = channel.busy ? 0 : this.#rests.leftMs(channel, beganMs);
      if (restMs > 0) {
        this.#rests.rest(channel, restMs);
        continue;
      }
      const { ms, aloneMs } = native;
      this.#step(channel, deadline);
      // What Bun sends for it when the turn ends is part of the turn.
      const sendMs = native.ms - ms;
      deadline -= native.aloneMs - aloneMs;
      const nowMs = this.#standing.nowMs();
      channel.fanoutMs += nowMs - beganMs + sendMs;
      if (!channel.busy) this.#rests.paced(channel, nowMs + sendMs);
      if (nowMs > deadline || native.isFull) break;
      beganMs = nowMs;
    }
  }

  /** Sends what is held, once nothing new is left to go with it, or it has waited long. */
  #send(nowMs: number): void {
    const { held } = this.#standing;
    if (held.isEmpty) return;
    if (this.#heldSinceMs === 0) this.#heldSinceMs = nowMs;
    if (this.#ready.length > 0 && !held.isFull && nowMs - this.#heldSinceMs < HELD_MS) return;
    held.send(this.#standing, this.#standing.nowMs() + SLICE_MS);
    if (held.isEmpty) this.#heldSinceMs = 0;
  }

  /** One job, or one slice of it. */
  #step(channel: LocalChannel, deadline: number): void {
    let job = this.#jobs.get(channel);
    if (job === undefined) {
      const { inHand } = channel;
      channel.inHand = null;
      if (inHand !== null && this.#inHand.carry(channel, inHand)) return;
      job = this.#spare.pop() ?? new Job(this.#standing, this.#options.publish, channel);
      if (!job.start(this.#store, channel)) {
        if (job.batch.deletion) this.#deleted(channel, job);
        if (job.batch.isBusy) channel.restUntilMs = this.#standing.nowMs() + BUSY_MS;
        this.#finish(channel, job);
        return;
      }
      this.#jobs.set(channel, job);
      channel.busy = true;
      channel.batched = job.batch.count;
    }
    if (job.run(deadline)) this.#finish(channel, job);
    else this.#enqueue(channel);
  }

  #finish(channel: LocalChannel, job: Job): void {
    this.#jobs.delete(channel);
    if (this.#spare.length < SPARE_JOBS) this.#spare.push(job);
    channel.busy = false;
    this.#catchUp.betweenJobs(channel);
    if (channel.hasMore()) this.#enqueue(channel);
  }

  /** The channel's end was reached, in order. */
  #deleted(channel: LocalChannel, { batch }: Job): void {
    const known = batch.hasText ? batch.messages[0] : undefined;
    dismiss(this.#standing, channel, known ?? lostDeletion(channel, this.#options.deletedText));
    this.#standing.forget(channel);
  }

  #enqueue(channel: LocalChannel): void {
    if (channel.queued) return;
    channel.queued = true;
    (channel.busy ? this.#running : this.#ready).push(channel);
  }

  /** Finds out from the ring which of the channels that have subscribers here have something new. */
  #take(): void {
    const head = this.#store.head();
    if (this.#standing.isEmpty) this.#cursor = head;
    while (this.#cursor !== head) {
      if (!this.#store.entry(this.#cursor, this.#entry)) {
        this.#lapped();
        return;
      }
      this.#cursor = (this.#cursor + 1) >>> 0;
      const channel = this.#standing.channel(this.#entry.channel);
      if (channel === undefined || channel.incarnation !== this.#entry.incarnation) continue;
      channel.lastBlock = this.#entry.block;
      channel.lastStamp = this.#entry.stamp;
      channel.due = true;
      this.#enqueue(channel);
    }
  }

  /** This worker fell a whole ring behind: look into every channel that has subscribers here instead. */
  #lapped(): void {
    this.#cursor = this.#store.head();
    this.#store.counters.add(this.#slot, Counter.LAPPED, 1);
    log("warn", "fell a whole dispatch ring behind; reading the channels instead");
    for (const channel of this.#standing.channels()) {
      channel.due = true;
      if (!this.#store.isLive(channel.index, channel.incarnation)) channel.gone = true;
      this.#enqueue(channel);
    }
  }
}
