/**
 * What the other nodes say of themselves in their heartbeats: their subscribers by channel, and that they are
 * there. Kept by the worker that reads the log; who takes over asks the others to say it all again
 * (heartbeat.ts).
 */
import { ChannelRef } from "../store/channel/channel-ref.ts";
import type { Store } from "../store/store.ts";
import type { Answered } from "./notes.ts";

/** One heartbeat, as JSON in the log. Names are binary text. */
export interface Heartbeat {
  /** Of this run of the node. */
  readonly life: string;
  readonly version: string;
  readonly subscribers: number;
  readonly connections: number;
  readonly workers: number;
  readonly lag: number;
  /** Counts of channels that changed since; all that are not 0 when `isFull`. */
  readonly channels: Readonly<Record<string, number>>;
  readonly isFull: boolean;
  /** Somebody who has just begun to read wants to hear everything. */
  readonly asks: boolean;
  /** The last ask that it has answered with all its notes; of another version, or none: absent. */
  readonly answers?: Answered;
}

export interface OtherNode {
  readonly name: string;
  life: string;
  said: Heartbeat;
  heardMs: number;
  /** Number of the entry. */
  n: number;
  readonly channels: Map<string, number>;
}

const ref = new ChannelRef();

export class Others {
  readonly nodes = new Map<string, OtherNode>();
  readonly #store: Store;
  readonly #sums = new Map<string, number>();

  constructor(store: Store) {
    this.#store = store;
    store.replica?.clearRemoteSubscribers();
  }

  hear(name: string, said: Heartbeat, n: number, nowMs: number): void {
    const known = this.nodes.get(name);
    const node = known ?? { name, life: said.life, said, heardMs: nowMs, n, channels: new Map() };
    if (known === undefined) this.nodes.set(name, node);
    if (said.isFull || node.life !== said.life) this.#forget(node);
    Object.assign(node, { life: said.life, said, heardMs: nowMs, n });
    for (const [channel, count] of Object.entries(said.channels)) this.#count(node, channel, count);
    this.#tell();
  }

  /** Its connections went with it. */
  gone(name: string): void {
    const node = this.nodes.get(name);
    if (node === undefined) return;
    this.#forget(node);
    this.nodes.delete(name);
    this.#tell();
  }

  /** Channels may have been made anew here, with nothing of it. */
  refresh(): void {
    for (const [channel, sum] of this.#sums) this.#write(channel, sum);
  }

  #forget(node: OtherNode): void {
    for (const channel of [...node.channels.keys()]) this.#count(node, channel, 0);
  }

  #count(node: OtherNode, channel: string, count: number): void {
    const sum = (this.#sums.get(channel) ?? 0) - (node.channels.get(channel) ?? 0) + count;
    if (count === 0) node.channels.delete(channel);
    else node.channels.set(channel, count);
    if (sum === 0) this.#sums.delete(channel);
    else this.#sums.set(channel, sum);
    this.#write(channel, sum);
  }

  #write(channel: string, sum: number): void {
    const name = Buffer.from(channel, "latin1");
    const nowSec = Math.floor(Date.now() / 1000);
    // A channel in which somebody stands is there on every node.
    const { replica } = this.#store;
    const index = sum > 0 ? (replica?.open(name, nowSec, ref) ?? -1) : this.#store.find(name, ref);
    if (index >= 0) this.#store.replica?.setRemoteSubscribers(index, ref.incarnation, sum);
  }

  #tell(): void {
    let subscribers = 0;
    for (const { said } of this.nodes.values()) subscribers += said.subscribers;
    this.#store.replica?.setOthers(this.nodes.size + 1, subscribers);
  }
}
