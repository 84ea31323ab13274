/**
 * Answers waiting long polls: each with the first message that it has not seen. Part of a job (delivery.ts).
 */
import { CHANNEL_DELETED_ID } from "../message.ts";
import type { Message } from "../store/message/message-view.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { type Carrier, CLOCK_EVERY, type Load } from "./carrier.ts";
import type { Format } from "./format.ts";
import type { Standing } from "./standing.ts";

export class PollCarrier implements Carrier {
  readonly #standing: Standing;
  readonly #writer = new ByteWriter();
  #at = -1;

  constructor(standing: Standing) {
    this.#standing = standing;
  }

  begin({ channel }: Load): void {
    this.#at = channel.waiting.length - 1;
  }

  run(load: Load, deadlineMs: number): boolean {
    const { channel } = load;
    const { waiting } = channel;
    // Also spares the many channels with a stream each what is made below.
    if (waiting.length === 0 || load.batch.isPresence) return true;
    let format: Format | null = null;
    let message: Message | null = null;
    let body = new Uint8Array(0);
    for (let i = Math.min(this.#at, waiting.length - 1); i >= 0; i = Math.min(i - 1, waiting.length - 1)) {
      const subscription = waiting[i];
      const m = subscription && firstAfter(load, subscription.sentId);
      if (subscription === undefined || m === null || m === undefined) continue;
      if (format !== subscription.poll.format || message !== m) {
        format = subscription.poll.format;
        message = m;
        this.#writer.reset();
        format.message(this.#writer, m, channel, null);
        body = this.#writer.copy();
      }
      this.#standing.leavePoll(subscription);
      subscription.poll.answer(subscription, m, body);
      this.#standing.delivered(1, body.length);
      this.#at = i;
      if (i % CLOCK_EVERY === 0 && this.#standing.nowMs() > deadlineMs) return false;
    }
    return true;
  }
}

function firstAfter({ batch }: Load, id: number): Message | null {
  for (let i = 0; i < batch.count; i++) {
    const m = batch.messages[i];
    if (m !== undefined && (m.id > id || m.id === CHANNEL_DELETED_ID)) return m;
  }
  return null;
}
