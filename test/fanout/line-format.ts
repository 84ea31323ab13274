/**
 * A format that people and tests can read: one line a message, gap or end, with the channel it was encoded
 * for.
 */
import type { Format } from "../../src/fanout/format.ts";
import type { LocalChannel } from "../../src/fanout/local-channel.ts";
import { CHANNEL_DELETED_ID } from "../../src/message.ts";
import type { Message } from "../../src/store/message/message-view.ts";
import type { ByteWriter } from "../../src/wire/byte-writer.ts";
import type { Position } from "../../src/wire/position.ts";

/**
 * "M key id data", "G key missed upTo", "D key", with " @1,2" behind where lines carry positions; key =
 * index.incarnation.
 */
export class LineFormat implements Format {
  readonly key: string;
  readonly tellsGaps: boolean;
  readonly perConnection: boolean;
  readonly binary: boolean;
  constructor(key: string, tellsGaps: boolean, perConnection: boolean, binary: boolean) {
    this.key = key;
    this.tellsGaps = tellsGaps;
    this.perConnection = perConnection;
    this.binary = binary;
  }

  message(writer: ByteWriter, m: Message, { index, incarnation }: LocalChannel, at: Position | null) {
    const data = Buffer.from(m.bytes.subarray(m.dataOffset, m.dataOffset + m.dataLength)).toString("latin1");
    const key = `${index}.${incarnation}`;
    writer.pushLatin1(m.id === CHANNEL_DELETED_ID ? `D ${key}` : `M ${key} ${m.id} ${data}`);
    this.#end(writer, at);
  }

  gap(
    writer: ByteWriter,
    { index, incarnation }: LocalChannel,
    missed: number | null,
    upTo: number,
    at: Position | null,
  ): boolean {
    if (!this.tellsGaps) return false;
    writer.pushLatin1(`G ${index}.${incarnation} ${missed} ${upTo}`);
    this.#end(writer, at);
    return true;
  }

  #end(writer: ByteWriter, at: Position | null): void {
    if ((at !== null) !== this.perConnection) throw new Error(`${this.key}: positions ${at?.positions}`);
    writer.pushLatin1(at === null ? "\n" : ` @${at.positions.join()}\n`);
  }
}
