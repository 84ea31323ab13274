/**
 * Reading a webhook's next batch out of the internal channel: from its position on, what it wants to know, as
 * the JSON that is sent. Used by sender.ts.
 *
 *   {"webhook":"backend","events":[{"id":"1kz4…-17","event":"occupied","channel":"room","time":17…}, … ]}
 *
 * Ids are places in that channel: the same event has the same id however often it is sent, and ids grow. A
 * hole in the ids is what the store could not keep: an event `gap` stands in its place.
 */
import type { Message } from "../store/message/message-view.ts";
import { FOUND, type Reader } from "../store/message/reader.ts";
import { GAP } from "../store/webhook/webhook-log.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { pushJsonString } from "../wire/json-string.ts";
import { type Interest, latin1Of } from "./interest.ts";

export interface BatchBounds {
  readonly events: number;
  readonly bytes: number;
}

const TAIL = "]}";
/** What is read and not wanted, in one go. */
const MOST_STEPS = 4096;

export class Batch {
  readonly #writer = new ByteWriter();
  readonly #head: string;
  readonly #life: string;
  readonly #interest: Interest;
  readonly #bounds: BatchBounds;
  #headLength = 0;
  /** Events in it, and gaps among them. */
  events = 0;
  gaps = 0;
  /** Nothing more goes in. */
  isFull = false;
  /** Everything up to this id is in it, was not wanted, or is lost. */
  lastId = 0;
  /** When that was noted; 0: nothing was read yet. */
  lastSec = 0;

  /** `life`: in front of ids, so that those of another store are others. */
  constructor(name: string, life: string, interest: Interest, bounds: BatchBounds) {
    this.#head = `{"webhook":${JSON.stringify(name)},"events":[`;
    this.#life = life;
    this.#interest = interest;
    this.#bounds = bounds;
  }

  begin(afterId: number): void {
    this.#writer.reset();
    this.#writer.pushLatin1(this.#head);
    this.#headLength = this.#writer.length;
    this.events = 0;
    this.gaps = 0;
    this.isFull = false;
    this.lastId = afterId;
  }

  /**
   * Reads on until it is full or there is nothing more for now: the Reader's last outcome; FOUND: there may
   * be more.
   */
  fill(reader: Reader, message: Message): number {
    for (let steps = 0; !this.isFull && steps < MOST_STEPS; steps++) {
      const outcome = reader.next(message);
      if (outcome !== FOUND) return outcome;
      const lost = message.id - this.lastId - 1;
      if ((lost > 0 && !this.lose(lost)) || !this.#take(message)) return FOUND;
      reader.accept(message);
      this.lastId = message.id;
      this.lastSec = message.time;
    }
    return FOUND;
  }

  /** Tells of a gap; `missed` null: nobody knows how large. False: it is full. */
  lose(missed: number | null): boolean {
    const id = `${this.#life}-${this.lastId}-gap`;
    if (!this.#push(() => this.#writer.pushLatin1(`{"id":"${id}","event":"gap","missed":${missed}}`)))
      return false;
    this.gaps++;
    this.lastId += missed ?? 0;
    return true;
  }

  /** The body as it is sent. */
  get body(): Uint8Array<ArrayBuffer> {
    this.#writer.pushLatin1(TAIL);
    const body = this.#writer.copy();
    this.#writer.length -= TAIL.length;
    return body;
  }

  /** False: it is full. What is not wanted always fits. */
  #take({ bytes, eventIdLength, dataOffset, dataLength, id }: Message): boolean {
    const kind = latin1Of(bytes, eventIdLength, dataOffset);
    if (!this.#interest.wantsOf(kind, bytes, eventIdLength)) return true;
    const isIn = this.#push(() => {
      const writer = this.#writer;
      writer.pushLatin1(`{"id":"${this.#life}-${id}","event":"${kind}",`);
      if (kind !== GAP) {
        writer.pushLatin1('"channel":');
        pushJsonString(writer, bytes, 0, eventIdLength);
        writer.pushLatin1(",");
      }
      writer.pushRange(bytes, dataOffset, dataLength);
      writer.pushLatin1("}");
    });
    if (isIn && kind === GAP) this.gaps++;
    return isIn;
  }

  #push(write: () => void): boolean {
    const writer = this.#writer;
    const before = writer.length;
    if (before > this.#headLength) writer.pushLatin1(",");
    write();
    const isOver = writer.length + TAIL.length > this.#bounds.bytes && this.events > 0;
    if (isOver) writer.length = before;
    else this.events++;
    this.isFull = isOver || this.events >= this.#bounds.events;
    return !isOver;
  }
}
