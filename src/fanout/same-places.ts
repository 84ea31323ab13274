/**
 * Bytes that tell where a connection stands in all its channels are made for each connection. But those of a
 * page stand in the same channels, and mostly at the same places in them: what was made for one of them is
 * kept here for the next. For one batch of one channel (stream-carrier.ts).
 *
 * Kept by what such an id consists of, so nothing has to be told of who comes, goes or lags. Where everybody
 * has channels of his own it costs a comparison.
 */
import type { ByteWriter } from "../wire/byte-writer.ts";
import type { LastingSubscription, LocalChannel } from "./local-channel.ts";

/** So many sets of channels at once, as a power of two; and one of two slots for each. */
const SLOT_BITS = 6;
/**
 * Channels of a page are made one after the other, and often so that their numbers lie a power of two apart:
 * all bits of the product count (Knuth, 6.4).
 */
const SPREAD = 0x9e3779b1;
/** Who stands in more, or is sent more, is served as if he were alone: it would be memory. */
const MOST_CHANNELS = 16;
const MOST_BYTES = 4096;
const NOTHING = new Uint8Array(0);

/** What was made for somebody, and where he stood. */
class Kept {
  /** Of which batch; 0: of none. */
  round = 0;
  readonly #channels: LocalChannel[] = [];
  readonly #ids: number[] = [];
  #bytes: Uint8Array<ArrayBuffer> = NOTHING;
  /** What is in them: one object for all who are given it. */
  piece: Uint8Array<ArrayBuffer> = NOTHING;

  isFor(places: readonly LastingSubscription[]): boolean {
    if (places.length !== this.#channels.length) return false;
    for (let i = 0; i < places.length; i++) {
      const place = places[i];
      if (place?.channel !== this.#channels[i] || place?.sentId !== this.#ids[i]) return false;
    }
    return true;
  }

  standAt(places: readonly LastingSubscription[]): void {
    this.round = 0;
    this.#channels.length = 0;
    this.#ids.length = 0;
    for (const { channel, sentId } of places) {
      this.#channels.push(channel);
      this.#ids.push(sentId);
    }
  }

  fill({ bytes, length }: ByteWriter): void {
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(Math.min(2 * length, MOST_BYTES));
    Buffer.prototype.copy.call(bytes, this.#bytes, 0, 0, length);
    this.piece = this.#bytes.subarray(0, length);
  }
}

export class SamePlaces {
  readonly #slots: Kept[] = [];
  #round = 0;
  /** Whose bytes are being made. */
  #asked: Kept | null = null;

  /** Another batch, or another format. */
  begin(): void {
    this.#round++;
  }

  /** What somebody was given who stood there; null: nobody did. Then `keep` what is made for this one. */
  find(places: readonly LastingSubscription[]): Uint8Array<ArrayBuffer> | null {
    this.#asked = null;
    if (places.length > MOST_CHANNELS) return null;
    let hash = 0;
    for (let i = 0; i < places.length; i++) {
      const place = places[i];
      // Who is told of events has numbers of them in his ids.
      if (place === undefined || place.sentNumber > 0) return null;
      hash = Math.imul(hash + place.channel.index + 1, SPREAD);
    }
    const slot = hash >>> (32 - SLOT_BITS);
    const first = this.#kept(slot);
    if (first.round === this.#round && first.isFor(places)) return first.piece;
    const second = this.#kept(slot ^ 1);
    if (second.round === this.#round && second.isFor(places)) return second.piece;
    const asked = first.round === this.#round ? second : first;
    asked.standAt(places);
    this.#asked = asked;
    return null;
  }

  #kept(slot: number): Kept {
    let kept = this.#slots[slot];
    if (kept === undefined) {
      kept = new Kept();
      this.#slots[slot] = kept;
    }
    return kept;
  }

  /** For who was asked about last. */
  keep(writer: ByteWriter): void {
    const kept = this.#asked;
    if (kept === null || writer.length > MOST_BYTES) return;
    kept.round = this.#round;
    kept.fill(writer);
  }
}
