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

/** So many sets of channels at once; a power of two. */
const SLOTS = 64;
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
    let slot = 0;
    for (let i = 0; i < places.length; i++) {
      const place = places[i];
      // Who is told of events has numbers of them in his ids.
      if (place === undefined || place.sentNumber > 0) return null;
      slot = (slot * 5 + place.channel.index) & (SLOTS - 1);
    }
    let kept = this.#slots[slot];
    if (kept !== undefined && kept.round === this.#round && kept.isFor(places)) return kept.piece;
    kept ??= new Kept();
    this.#slots[slot] = kept;
    kept.standAt(places);
    this.#asked = kept;
    return null;
  }

  /** For who was asked about last. */
  keep(writer: ByteWriter): void {
    const kept = this.#asked;
    if (kept === null || writer.length > MOST_BYTES) return;
    kept.round = this.#round;
    kept.fill(writer);
  }
}
