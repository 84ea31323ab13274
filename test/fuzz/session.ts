/**
 * One run of the fuzz test: a store and its model side by side, the program bytes, and what both have come
 * to. Operations and crashes work on it.
 */
import { openStore } from "../../src/store/opening.ts";
import type { Store, StorePolicy, StoreShape } from "../../src/store/store.ts";
import { same } from "./compare.ts";
import { Model, type ModelChannel } from "./store-model.ts";

const POLICY: StorePolicy = {
  messageTtlSec: 40,
  unstoredTtlSec: 5,
  maxStoredPerChannel: 0,
  maxStoredBytesPerChannel: 0,
  channelInactivitySec: 20,
  keyWindowSec: 300,
  maxChannels: 0,
  maxWildcardChannels: 0,
  wildcardPrefix: new Uint8Array(0),
  eventsChannel: new Uint8Array(0),
};

/** Short and long, empty, and with bytes that are no text. */
export const NAMES: readonly Uint8Array[] = [
  new Uint8Array(0),
  ...["a", "b", "c", "news", "x".repeat(116), "y".repeat(117), "z".repeat(600)].map((name) =>
    Buffer.from(name),
  ),
  new Uint8Array([0]),
  new Uint8Array([0, 255, 0]),
  new Uint8Array([255]),
];

/** A reference that somebody still holds, living or not. */
export interface Held {
  index: number;
  incarnation: number;
  channel: ModelChannel;
}

export class Session {
  readonly trace: string[] = [];
  readonly shape: StoreShape;
  readonly #program: Uint8Array;
  #at = 0;
  store: Store;
  model: Model;
  nowSec = 1_000_000;
  held: Held[] = [];
  /** Where a worker that reads the ring has come to. */
  follower = 1;
  /** What the ring must show: by serial. */
  log = new Map<number, { index: number; id: number }>();

  constructor(shape: StoreShape, program: Uint8Array) {
    this.shape = shape;
    this.#program = program;
    this.store = openStore(shape, { ...POLICY }).store;
    this.model = new Model(this.store.arena.layout, { ...POLICY });
  }

  /** True while there is program left to run. */
  goesOn(): boolean {
    return this.#at < this.#program.length;
  }

  byte(): number {
    return this.#program[this.#at++] ?? 0;
  }

  say(line: string): void {
    this.trace.push(line);
  }

  opened(expected: ModelChannel | number, index: number): void {
    if (typeof expected === "number") {
      same(index, expected, "open");
      return;
    }
    same(index >= 0, true, `open answered ${index}`);
    if (expected.index < 0) expected.index = index;
    same(index, expected.index, "index of an open channel");
    same(this.store.positions.base(index), expected.base, "base");
    this.hold(index, expected);
  }

  hold(index: number, channel: ModelChannel): void {
    this.held.push({ index, incarnation: this.store.incarnation(index), channel });
    if (this.held.length > 24) this.held.shift();
  }

  /** A reference somebody holds; mostly, but not always, to a living channel. */
  pick(): Held | undefined {
    const living = this.held.filter((held) => this.isLive(held));
    const byte = this.byte();
    const from = byte % 8 === 0 || living.length === 0 ? this.held : living;
    return from[byte % Math.max(1, from.length)];
  }

  isLive(held: Held): boolean {
    return this.model.state.live.includes(held.channel);
  }

  payload(): Uint8Array {
    const kind = this.byte();
    const length = kind < 200 ? kind : kind < 250 ? (kind - 200) * 40 : kind < 254 ? 5000 : 70_000;
    const fill = this.byte();
    return Uint8Array.from({ length }, (_, at) => (at * 3 + fill) & 255);
  }

  openAgain(kind: string): void {
    const { store, report } = openStore(this.shape, this.model.state.policy);
    same(report.kind, kind, "kind of reopening");
    same(report.dropped, 0, "dropped");
    this.store = store;
    for (let slot = 0; slot < this.shape.workerSlots; slot++) this.model.releaseSlot(slot);
  }
}
