/**
 * One run of the fan-out simulation: a real store, one or two workers' fan-outs over it, their subscribers,
 * and an outsider who publishes and deletes without fan-out of his own, at any moment another process could.
 */
import { Fanout } from "../../src/fanout/fanout.ts";
import type { LocalChannel } from "../../src/fanout/local-channel.ts";
import { Counter } from "../../src/store/counters.ts";
import { attachStore, openStore } from "../../src/store/opening.ts";
import type { Store, StorePolicy, StoreShape } from "../../src/store/store.ts";
import { impossibleIn, told } from "../store/events-told.ts";
import type { Client, SocketClient } from "./fanout-clients.ts";
import { FakeClock } from "./fanout-clock.ts";
import { Life } from "./fanout-transcript.ts";

const DELETED_TEXT = Buffer.from("deleted");

export interface Setting {
  readonly shape: StoreShape;
  readonly policy: StorePolicy;
  readonly workers: number;
  readonly names: readonly string[];
  readonly lookMs: number;
  /** Chance in a thousand that another process does something in the middle of a job. */
  readonly unrest: number;
}

/** One worker process: its own mapping of the store, its own topics. */
export class SimulatedWorker {
  readonly world: World;
  readonly store: Store;
  readonly slot: number;
  readonly fanout: Fanout;
  readonly clients = new Set<Client>();
  /** How many of them came in crowds. */
  crowd = 0;
  /** Sockets that stand in some native topic. */
  readonly sockets = new Set<SocketClient>();

  constructor(world: World, store: Store) {
    this.world = world;
    this.store = store;
    this.slot = store.workers.claimSlot(1000 + world.workers.length, world.clock.nowSec);
    world.clock.owner = this.slot;
    this.fanout = new Fanout({
      store,
      slot: this.slot,
      publish: (topic, payload) => this.#publish(topic, payload),
      ringOther: (slot) => world.ring(slot),
      deletedText: DELETED_TEXT,
    });
    world.clock.owner = -1;
  }

  /** Bun's server.publish: 0 when somebody was dropped or nobody was there. */
  #publish(topic: string, payload: string | Uint8Array): number {
    let outcome = 0;
    for (const socket of [...this.sockets]) {
      if (!socket.topics.has(topic)) continue;
      const sent = socket.send(payload);
      if (outcome >= 0) outcome = sent < 0 ? -1 : Math.max(outcome, sent);
    }
    return outcome;
  }

  get open(): Client[] {
    return [...this.clients].filter(({ isOpen }) => isOpen);
  }
}

export class World {
  readonly clock: FakeClock;
  readonly workers: SimulatedWorker[] = [];
  readonly outsider: Store;
  readonly setting: Setting;
  /** Every local channel that was handed out: none may keep anybody in the end. */
  readonly seen = new Set<LocalChannel>();
  readonly trace: string[] = [];
  readonly #main: Store;
  readonly #random: () => number;
  readonly #lives = new Map<string, Life>();
  #published = 0;
  #isBusy = false;

  /** `random` gives 32-bit numbers. */
  constructor(setting: Setting, random: () => number) {
    this.setting = setting;
    this.#random = random;
    this.clock = new FakeClock((below) => this.below(below));
    this.clock.lookMs = setting.lookMs;
    this.#main = openStore(setting.shape, setting.policy).store;
    this.outsider = attachStore(setting.shape.path, setting.policy);
  }

  /** Once the clock is in place. */
  start(): void {
    for (let i = 0; i < this.setting.workers; i++) {
      this.workers.push(new SimulatedWorker(this, attachStore(this.setting.shape.path, this.setting.policy)));
    }
  }

  stop(): void {
    for (const { fanout } of this.workers) fanout.stop();
    this.#main.close();
  }

  below(limit: number): number {
    return limit === 0 ? 0 : this.#random() % limit;
  }

  /** True so many times in a hundred. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length)];
  }

  say(line: string): void {
    this.trace.push(line);
  }

  name(): string {
    return this.pick(this.setting.names) ?? "";
  }

  /** The channel as it is now, made if need be; null when there is no room for it. */
  life(name: string): Life | null {
    const index = this.outsider.open(Buffer.from(name), this.clock.nowSec);
    if (index < 0) return null;
    const key = `${index}.${this.outsider.incarnation(index)}`;
    const known = this.#lives.get(key);
    if (known !== undefined) return known;
    const made = new Life(this.outsider, name, index);
    this.#lives.set(key, made);
    return made;
  }

  publish(store: Store, name: string, stored: boolean, size: number): void {
    const life = this.life(name);
    if (life === null) return;
    const data = `${life.name}:${++this.#published}:`.padEnd(size, "x");
    const bytes = Buffer.from(data, "latin1");
    const id = store.append(life.index, life.incarnation, bytes, null, null, stored, this.clock.nowMs);
    if (id < 0) return;
    if (id !== life.log.push({ stored, data }))
      throw new Error(`${name}: id ${id} after ${life.log.length - 1}`);
  }

  delete(store: Store, name: string): void {
    store.deleteChannel(Buffer.from(name), DELETED_TEXT, this.clock.nowMs);
  }

  /** Somebody who is no worker of this test has changed the store. */
  ringAll(): void {
    this.outsider.workers.ringOthers(-1, (slot) => this.ring(slot));
  }

  /** One bell in ten is lost with a process that dies. */
  ring(slot: number): void {
    if (this.chance(10)) return;
    this.clock.later(slot, () => this.workers.find((worker) => worker.slot === slot)?.fanout.rung());
  }

  /** Called wherever another process may come between two steps of a worker. */
  meanwhile(): void {
    if (this.#isBusy || this.below(1000) >= this.setting.unrest) return;
    this.#isBusy = true;
    const name = this.name();
    if (this.chance(8)) {
      this.say(`  meanwhile ${name} is deleted`);
      this.delete(this.outsider, name);
    } else {
      const count = 1 + this.below(this.chance(10) ? 100 : 3);
      this.say(`  meanwhile ${count} messages to ${name}`);
      for (let i = 0; i < count; i++)
        this.publish(this.outsider, name, this.chance(60), 10 + this.below(200));
    }
    this.ringAll();
    this.#isBusy = false;
  }

  /** Counts change with the subscribers at once, so they are right after every step. */
  checkCounts(): void {
    const standing = new Map<string, number>();
    for (const worker of this.workers) {
      const { open } = worker;
      const counted = worker.store.counters.get(worker.slot, Counter.SUBSCRIBERS);
      if (counted !== open.length) {
        throw new Error(`worker ${worker.slot} counts ${counted} subscribers, ${open.length} are open`);
      }
      for (const { transcript } of open) {
        for (const { life, ended } of transcript.stands) {
          if (!ended) standing.set(life.key, (standing.get(life.key) ?? 0) + 1);
        }
      }
    }
    for (const life of this.#lives.values()) {
      if (!this.outsider.isLive(life.index, life.incarnation)) continue;
      const counted = this.outsider.subscribers.countOf(life.index);
      const expected = standing.get(life.key) ?? 0;
      if (counted !== expected)
        throw new Error(`${life.name} counts ${counted} subscribers, ${expected} stand there`);
    }
  }

  /** Everybody has left: nothing of them may be kept. */
  checkEmpty(): void {
    for (const { fanout, slot, sockets, store } of this.workers) {
      const kept = [...fanout.standing.channels()];
      if (kept.length > 0) throw new Error(`worker ${slot} keeps ${kept.length} channels`);
      if (sockets.size > 0) throw new Error(`worker ${slot} keeps ${sockets.size} sockets in topics`);
      fanout.closeStuck(performance.now());
      const lagging = store.counters.get(slot, Counter.LAGGING);
      if (lagging !== 0) throw new Error(`worker ${slot} keeps ${lagging} lagging streams`);
    }
    for (const channel of this.seen) {
      const kept =
        Math.abs(channel.standing) +
        channel.behind.size +
        [...channel.joining].length +
        channel.waiting.length +
        channel.streams.reduce((sum, { members }) => sum + members.length, 0) +
        channel.topics.reduce(
          (sum, { shards }) => sum + shards.reduce((n, { sockets }) => n + sockets.length, 0),
          0,
        );
      if (kept > 0)
        throw new Error(`channel ${channel.index}.${channel.incarnation} keeps ${kept} subscriptions`);
      if (channel.busy) throw new Error(`channel ${channel.index}.${channel.incarnation} is busy for ever`);
    }
    this.#checkEvents();
    if (this.clock.waiting > 0) throw new Error(`${this.clock.waiting} tasks are left`);
    if (this.clock.intervals !== this.workers.length) throw new Error(`${this.clock.intervals} intervals`);
  }

  /** Whoever came has left, each channel had a possible life; not when some of the events had to go. */
  #checkEvents(): void {
    const { outsider } = this;
    const index = outsider.eventsChannel;
    if (index < 0 || outsider.storedCount(index) < outsider.publishedCount(index)) return;
    const events = told(outsider);
    const impossible = impossibleIn(events);
    if (impossible !== null) throw new Error(`event ${impossible}`);
    const count = (what: string): number => events.filter((event) => event.startsWith(what)).length;
    if (count("subscribed") !== count("unsubscribed")) {
      throw new Error(`${count("subscribed")} came and ${count("unsubscribed")} left`);
    }
  }
}
