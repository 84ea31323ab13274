/**
 * Tells what the dispatch ring says: it has every publish and every deletion of all workers (and, in a
 * cluster, of all nodes), in order. What some webhook wants to know is copied into the internal channel, a
 * slice at a time, and the place in the ring moves with it under the same lock, so nothing is told twice or
 * left out, whoever dies. Publishers do nothing for it.
 *
 * What the ring has is owed to it (store/slots.ts), so a message is not dropped before it was told. Where one
 * is gone all the same, because it was evicted or the ring went round, a `gap` is told in its place.
 */
import { FLAG_DELETION, FLAG_PRESENCE, FLAG_UNTOLD } from "../message.ts";
import { Message } from "../store/message/message-view.ts";
import { RingEntry } from "../store/message/ring.ts";
import type { Store } from "../store/store.ts";
import { GAP } from "../store/webhook/webhook-log.ts";
import type { Noted } from "../store/webhook/webhook-store.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { lifeOf } from "../wire/position.ts";
import { pushDeleted, pushPublished } from "./members.ts";

/** Of members webhooks are told where they are counted (store/members/members.ts). */
const NOT_TOLD = FLAG_UNTOLD | FLAG_PRESENCE;

/** Told under one hold of the lock. */
const NOTES_A_SLICE = 32;
const BYTES_A_SLICE = 128 * 1024;
const ENTRIES_A_SLICE = 1024;
/** Channels whose names are kept. */
const MOST_KNOWN = 8192;

interface Known {
  readonly incarnation: number;
  readonly name: Uint8Array;
  /** Of positions in it; `epoch` is that of the store, which a cluster may change. */
  readonly life: string;
  readonly epoch: number;
  /** What is to be told of it. */
  readonly published: boolean;
  readonly deleted: boolean;
}

export interface TellerOptions {
  readonly store: Store;
  readonly slot: number;
  /** Whether anybody wants to know; the name as it is. */
  readonly wants: (kind: "published" | "deleted", channel: Uint8Array) => boolean;
}

export class Teller {
  readonly #options: TellerOptions;
  readonly #entry = new RingEntry();
  readonly #message = new Message();
  readonly #writer = new ByteWriter();
  readonly #known = new Map<number, Known>();
  readonly #notes: Noted[] = [];
  #bytes = 0;
  /** Entries that could not be read, since the last note. */
  #lost = 0;

  constructor(options: TellerOptions) {
    this.#options = options;
  }

  /** One slice; true: there is more. */
  run(): boolean {
    const { store, slot } = this.#options;
    const { from, to } = store.webhooks.untold;
    if (from >= to) return false;
    this.#notes.length = 0;
    this.#bytes = 0;
    this.#lost = 0;
    const at = this.#read(from, to);
    this.#flushLost();
    // Busy, or another worker's by now: it is told again from where it was.
    return store.webhooks.tell(slot, this.#notes, at, Date.now()) && at < to;
  }

  /** The serial up to which it came. */
  #read(from: number, to: number): number {
    const { store } = this.#options;
    let at = from;
    for (let entries = 0; at < to && entries < ENTRIES_A_SLICE; entries++) {
      if (this.#notes.length >= NOTES_A_SLICE || this.#bytes >= BYTES_A_SLICE) break;
      if (store.entry(at >>> 0, this.#entry)) {
        this.#tell();
        at++;
        continue;
      }
      // The ring went round: a half of it, so that it does not happen again at once.
      const next = Math.max(at + 1, to - Math.floor(store.ringSize / 2));
      this.#lost += next - at;
      at = next;
    }
    return at;
  }

  #tell(): void {
    const { channel: index, incarnation, block, stamp } = this.#entry;
    // No message: a place in a cluster's channel that has moved.
    if (block === 0) return;
    const known = this.#channel(index, incarnation);
    if (known === null) {
      // Of a channel whose record is another's by now. Internal ones stay.
      if (!this.#options.store.webhooks.isInternal(index)) this.#lost++;
      return;
    }
    if (!known.published && !known.deleted) return;
    const message = this.#message;
    if (!this.#options.store.history.read(block, stamp, message)) this.#lost++;
    else if ((message.flags & FLAG_DELETION) !== 0) this.#noteDeleted(known);
    else if (known.published && (message.flags & NOT_TOLD) === 0) this.#notePublished(index, known);
  }

  #noteDeleted({ deleted, name }: Known): void {
    this.#writer.reset();
    pushDeleted(this.#writer);
    if (deleted) this.#note("deleted", name);
  }

  #notePublished(index: number, { name, life }: Known): void {
    this.#writer.reset();
    pushPublished(this.#writer, this.#message, life, this.#options.store.positions.base(index));
    this.#note("published", name, this.#message.time);
  }

  #note(kind: string, channel: Uint8Array, sec = 0): void {
    this.#flushLost();
    const members = this.#writer.copy();
    this.#bytes += members.length;
    this.#notes.push({ kind, channel, members, sec });
  }

  #flushLost(): void {
    if (this.#lost === 0) return;
    const members = new TextEncoder().encode(`"missed":${this.#lost}`);
    this.#notes.push({ kind: GAP, channel: new Uint8Array(0), members });
    this.#lost = 0;
  }

  /** null: its record is another's, or it is internal. */
  #channel(index: number, incarnation: number): Known | null {
    const known = this.#known.get(index);
    const { store, wants } = this.#options;
    if (known?.incarnation === incarnation && known.epoch === store.epoch) return known;
    const name = store.webhooks.nameOf(index, incarnation);
    if (name === null) return null;
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    const found = {
      incarnation,
      name,
      life: lifeOf(store.epoch, [name]),
      epoch: store.epoch,
      published: wants("published", name),
      deleted: wants("deleted", name),
    };
    this.#known.set(index, found);
    return found;
  }
}
