/**
 * How a format tells who comes and goes: each writes events in its own way (wire/presence-event.ts), the rest
 * is the same for all. For formats.ts and own-formats.ts.
 */
import type { Format, PresenceWords } from "../fanout/format.ts";
import type { LocalChannel } from "../fanout/local-channel.ts";
import type { Message } from "../store/message/message-view.ts";
import type { ByteWriter } from "../wire/byte-writer.ts";
import type { Position } from "../wire/position.ts";
import { lostBody, type PresenceEvent, packPresenceFrame } from "../wire/presence-event.ts";

/** Where a connection stands that has nothing but this channel: one object, used again and again. */
export class Place implements Position {
  life = "0";
  readonly positions: number[] = [0];
  readonly numbers: number[] = [0];

  /** `number` 0: it is told of no presence events. */
  in(channel: LocalChannel, id: number, number: number): Position {
    this.life = channel.life.text;
    this.positions[0] = channel.base + id;
    this.numbers[0] = number;
    return this;
  }
}

type Push = (writer: ByteWriter, event: PresenceEvent, at: Position) => void;

export function presenceWords(push: Push): PresenceWords {
  const single = new Place();
  return {
    event: (writer, m, channel, at) => {
      const event = { channel: channel.name, number: m.number, body: bodyOf(m) };
      push(writer, event, at ?? single.in(channel, m.id, m.number));
    },
    lost: (writer, channel, missed, number, at) => {
      const event = { channel: channel.name, number, body: lostBody(missed) };
      push(writer, event, at ?? single.in(channel, channel.delivered, number));
    },
  };
}

/** The words of another, each between these. */
export function enclosed(words: PresenceWords, before: string, after: string): PresenceWords {
  const between = (writer: ByteWriter, push: () => void): void => {
    writer.pushLatin1(before);
    push();
    writer.pushLatin1(after);
  };
  return {
    event: (writer, m, channel, at) => between(writer, () => words.event(writer, m, channel, at)),
    lost: (writer, channel, missed, number, at) =>
      between(writer, () => words.lost(writer, channel, missed, number, at)),
  };
}

export const packed: Push = (writer, event, at) => writer.pushBytes(packPresenceFrame(event, at));

const bodyOf = (m: Message): Uint8Array => m.bytes.subarray(m.dataOffset, m.dataOffset + m.dataLength);

/** Behind which presence event a gap is told. */
export const numberFor = (
  { presence }: Pick<Format, "presence">,
  { deliveredNumber }: LocalChannel,
): number => (presence ? deliveredNumber : 0);
