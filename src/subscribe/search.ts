/**
 * Asking for old messages in a way that has to look at many: an event id of the publisher's, which nothing
 * indexes, or the last N of a channel with holes (store/message/last-search.ts). Done in steps by backlog.ts,
 * the first at once and the others in turns of their own, because such a request may come from anybody and
 * the channel may hold a million.
 */
import { FLAG_STORED } from "../message.ts";
import { Message } from "../store/message/message-view.ts";
import { FOUND, type Reader } from "../store/message/reader.ts";

export interface Search {
  /** The id to be served after. Valid once `run` said so. */
  afterId: number;
  /** It looked for something that is not there. */
  isInVain: boolean;
  /** Looks at so many messages; true when it is over. */
  run(steps: number): boolean;
}

const message = new Message();

/**
 * The first stored message with this event id, up to and including the first whose id is `until` or above
 * (push-stream spec 4.7).
 */
export class EventIdSearch implements Search {
  afterId: number;
  isInVain = true;
  readonly #reader: Reader;
  readonly #eventId: Uint8Array;
  readonly #until: number;

  /** `notFound`: what to be served after when nobody has it. */
  constructor(reader: Reader, eventId: Uint8Array, until: number, notFound: number) {
    this.#reader = reader;
    this.#eventId = eventId;
    this.#until = until;
    this.afterId = notFound;
  }

  run(steps: number): boolean {
    for (let step = 0; step < steps; step++) {
      // BUSY as well: somebody stands still in the middle of an eviction, and what he evicts is the oldest.
      if (this.#reader.next(message, false) !== FOUND) return true;
      this.#reader.accept(message);
      if ((message.flags & FLAG_STORED) === 0) continue;
      if (hasEventId(message, this.#eventId)) {
        this.afterId = message.id;
        this.isInVain = false;
        return true;
      }
      if (message.id >= this.#until) return true;
    }
    return false;
  }
}

function hasEventId(m: Message, eventId: Uint8Array): boolean {
  if (m.eventIdLength !== eventId.length) return false;
  for (let i = 0; i < eventId.length; i++) if (m.bytes[i] !== eventId[i]) return false;
  return true;
}
