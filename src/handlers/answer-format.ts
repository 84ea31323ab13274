/**
 * What watchers of an answer are sent: server-sent events whose ids are positions, so that a client can go on
 * where it stopped, on any worker. The last one, `end` or `error`, is followed by a comment line of its own,
 * by which the connection knows that it may close: no piece can have such a line, as each of its lines begins
 * with "data: ". Made once a worker; used by watched-answer.ts.
 */
import type { Format } from "../fanout/format.ts";
import type { LocalChannel } from "../fanout/local-channel.ts";
import { CHANNEL_DELETED_ID } from "../message.ts";
import type { Message } from "../store/message/message-view.ts";
import type { ByteWriter } from "../wire/byte-writer.ts";
import { compileEventStream, pushGapEvent } from "../wire/event-stream.ts";
import type { Position } from "../wire/position.ts";

export const END = "end";
export const ERROR = "error";
/** Before all of an answer, to a client that wants to go on somewhere else. */
export const RESET = "reset";

const FINAL = ":\n\n";
const FINAL_TAIL = Buffer.from(`\n${FINAL}`);
const stream = compileEventStream("~text~", "whole");

class AnswerFormat implements Format {
  readonly key = "answer";
  readonly perConnection = false;
  readonly binary = false;
  readonly tellsGaps = true;
  /** Of these the last word was written to somebody. */
  readonly #over = new WeakSet<LocalChannel>();
  /** Used again for each message. */
  readonly #at: { life: string; positions: number[] } = { life: "", positions: [0] };

  message(writer: ByteWriter, m: Message, channel: LocalChannel): void {
    if (m.id === CHANNEL_DELETED_ID) {
      this.#over.add(channel);
      writer.pushLatin1(`event: ${ERROR}\ndata: the answer was deleted\n\n${FINAL}`);
      return;
    }
    stream.render(writer, m, this.#place(channel, m.id));
    if (!isFinal(m)) return;
    this.#over.add(channel);
    writer.pushLatin1(FINAL);
  }

  /**
   * How many of these bytes belong to the answer: up to behind its last word, or -1 where that is not among
   * them. A piece may follow that was on its way when another worker called the answer off. Only looked for
   * once there is one.
   */
  endIn({ buffer, byteOffset, length }: Uint8Array, channel: LocalChannel): number {
    if (!this.#over.has(channel)) return -1;
    const at = Buffer.from(buffer, byteOffset, length).indexOf(FINAL_TAIL);
    return at < 0 ? -1 : at + FINAL_TAIL.length;
  }

  gap(writer: ByteWriter, channel: LocalChannel, missed: number | null, upTo: number): boolean {
    pushGapEvent(writer, channel.name, missed, this.#place(channel, upTo));
    return true;
  }

  #place(channel: LocalChannel, id: number): Position {
    this.#at.life = channel.life.text;
    this.#at.positions[0] = channel.base + id;
    return this.#at;
  }
}

export const answerFormat = new AnswerFormat();

/** Whether nothing follows this message. */
export function isFinal({ bytes, eventIdLength, eventTypeLength }: Message): boolean {
  if (eventTypeLength !== END.length && eventTypeLength !== ERROR.length) return false;
  const start = Math.max(eventIdLength, 0);
  const type = Buffer.from(bytes.buffer, bytes.byteOffset + start, eventTypeLength).toString("latin1");
  return type === END || type === ERROR;
}
