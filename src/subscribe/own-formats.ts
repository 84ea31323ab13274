/**
 * The formats of sluice's own subprotocols: frames of JSON, of MessagePack, and of event stream. Made by
 * format-shelf.ts as those of formats.ts are.
 */
import type { Format, PresenceWords } from "../fanout/format.ts";
import type { LocalChannel } from "../fanout/local-channel.ts";
import { CHANNEL_DELETED_ID } from "../message.ts";
import type { Message } from "../store/message/message-view.ts";
import type { ByteWriter } from "../wire/byte-writer.ts";
import { pushJsonDeleted, pushJsonGap, pushJsonMessage } from "../wire/json-message.ts";
import { packDeleted, packGap, packMessage } from "../wire/msgpack-message.ts";
import type { Position } from "../wire/position.ts";
import { pushPresenceFrame } from "../wire/presence-event.ts";
import { enclosed, numberFor, Place, packed, presenceWords } from "./presence-words.ts";

/** Subprotocol sluice.json.v1. */
export class JsonFormat implements Format {
  readonly binary = false;
  readonly tellsGaps = true;
  readonly key: string;
  /** With several channels the position names them all, so it differs from connection to connection. */
  readonly perConnection: boolean;
  readonly presence: PresenceWords | null;
  readonly #single = new Place();
  constructor(key: string, severalChannels: boolean, tellsPresence = false) {
    this.key = key;
    this.perConnection = severalChannels;
    this.presence = tellsPresence ? presenceWords(pushPresenceFrame) : null;
  }

  message(writer: ByteWriter, m: Message, channel: LocalChannel, at: Position | null): void {
    if (m.id === CHANNEL_DELETED_ID) pushJsonDeleted(writer, channel.name, dataOf(m));
    else
      pushJsonMessage(writer, m, at ?? this.#single.in(channel, m.id, this.presence === null ? 0 : m.number));
  }

  gap(
    writer: ByteWriter,
    channel: LocalChannel,
    missed: number | null,
    upTo: number,
    at: Position | null,
  ): boolean {
    pushJsonGap(writer, channel.name, missed, at ?? this.#single.in(channel, upTo, numberFor(this, channel)));
    return true;
  }
}

/**
 * The frames of a subprotocol as the data of events, for own-frames.ts: they have no line ends, so each is
 * one line.
 */
export class EventFramesFormat implements Format {
  readonly key: string;
  readonly presence: PresenceWords | null;
  readonly perConnection = false;
  readonly binary = false;
  readonly tellsGaps = true;
  readonly #frames: Format;

  constructor(frames: Format, key = "frames") {
    this.key = key;
    const { presence } = frames;
    this.presence = presence ? enclosed(presence, "data: ", "\n\n") : null;
    this.#frames = frames;
  }

  message(writer: ByteWriter, m: Message, channel: LocalChannel): void {
    writer.pushLatin1("data: ");
    this.#frames.message(writer, m, channel, null);
    writer.pushLatin1("\n\n");
  }

  gap(writer: ByteWriter, channel: LocalChannel, missed: number | null, upTo: number): boolean {
    writer.pushLatin1("data: ");
    const isTold = this.#frames.gap(writer, channel, missed, upTo, null);
    writer.pushLatin1("\n\n");
    return isTold;
  }
}

/** Subprotocol sluice.msgpack.v1. */
export class MsgpackFormat implements Format {
  readonly binary = true;
  readonly tellsGaps = true;
  readonly key: string;
  readonly perConnection: boolean;
  readonly presence: PresenceWords | null;
  readonly #single = new Place();
  constructor(key: string, severalChannels: boolean, tellsPresence = false) {
    this.key = key;
    this.perConnection = severalChannels;
    this.presence = tellsPresence ? presenceWords(packed) : null;
  }

  message(writer: ByteWriter, m: Message, channel: LocalChannel, at: Position | null): void {
    if (m.id === CHANNEL_DELETED_ID) writer.pushBytes(packDeleted(channel.name, dataOf(m)));
    else
      writer.pushBytes(
        packMessage(m, at ?? this.#single.in(channel, m.id, this.presence === null ? 0 : m.number)),
      );
  }

  gap(
    writer: ByteWriter,
    channel: LocalChannel,
    missed: number | null,
    upTo: number,
    at: Position | null,
  ): boolean {
    writer.pushBytes(
      packGap(channel.name, missed, at ?? this.#single.in(channel, upTo, numberFor(this, channel))),
    );
    return true;
  }
}

const dataOf = (m: Message): Uint8Array => m.bytes.subarray(m.dataOffset, m.dataOffset + m.dataLength);
