/**
 * What a page holds of a channel (Subscription), and what the client knows of it (Channel): several
 * subscriptions may share one channel, and one position. Made by client.ts.
 */
import type { Frame } from "./pipe.ts";
import type * as api from "./sluice.d.ts";

type Events = api.SubscriptionEvents;

export class SluiceError extends Error {
  override readonly name = "SluiceError";
  readonly status: number;
  constructor(reason: string, status: number) {
    super(reason);
    this.status = status;
  }
}

/** What a listener throws is nobody's business here, and must not be lost. */
export function call<What>(listener: (what: What) => void, what: What): void {
  try {
    listener(what);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** In a cluster, positions from here on are moments, which come before messages that are not there yet. */
const MOMENTS = 2 ** 52;

export class Channel {
  readonly name: string;
  readonly subscriptions = new Set<Subscription>();
  /** How many old messages to begin with. */
  last = 0;
  position = "";
  /** Messages come, from where the server has said. */
  isOn = false;
  /** It was asked for on the open connection. */
  isAsked = false;
  #life = "";
  #seen = -1;

  constructor(name: string) {
    this.name = name;
  }

  /** Somebody does not take his messages: they can wait at the server. */
  get isWanted(): boolean {
    for (const { isFull } of this.subscriptions) if (isFull) return false;
    return this.subscriptions.size > 0;
  }

  /** Where a position is known it says more than a number of old messages. */
  get path(): string {
    return this.last > 0 && !this.position ? `${this.name}.b${this.last}` : this.name;
  }

  tell<Event extends keyof Events>(event: Event, what: Events[Event]): void {
    for (const subscription of [...this.subscriptions]) subscription.tell(event, what);
  }

  /** Of several that are told the same (shared.ts): what is up to there was shown before. */
  startAt(position: string): void {
    this.position = position;
    const [, text = ""] = position.split("-");
    // In a cluster a place may be a moment instead, which no message has.
    if (text !== "" && Number(text) < MOMENTS) this.#take(position, false);
  }

  /** What a server says of it. False: it was here before. */
  told(frame: Frame): boolean {
    const { kind, position, missed = null } = frame;
    const channel = this.name;
    if (kind === "deleted") this.tell(kind, { channel, data: new Message(frame).data });
    else if (position === undefined || !this.#take(position, kind === "message")) return false;
    else if (kind === "message") this.tell(kind, new Message(frame));
    else if (kind === "gap") this.tell(kind, { channel, missed });
    else if (kind === "presence") this.tell(kind, { ...frame, channel });
    return true;
  }

  /**
   * Positions only grow within a life of the store: what is behind the last one was here before, and so is a
   * message that is at it.
   */
  #take(position: string, isMessage: boolean): boolean {
    const [life = "", text] = position.split("-");
    const number = Number(text);
    if (life === this.#life && (isMessage ? number <= this.#seen : number < this.#seen)) return false;
    this.#life = life;
    this.#seen = number;
    this.position = position;
    return true;
  }
}

interface Owner {
  left(subscription: Subscription): void;
  changed(): void;
}

export class Subscription implements api.Subscription {
  isFull = false;
  isOver = false;
  readonly #owner: Owner;
  readonly #of: Channel;
  readonly #most: number;
  readonly #listeners = new Map<keyof Events, ((what: never) => void)[]>();
  /** Messages for a loop, or for a listener that is still to come. */
  readonly #waiting: api.Message[] = [];
  #wake = (): void => undefined;
  #error: api.SluiceError | null = null;

  constructor(of: Channel, owner: Owner, most: number) {
    this.#of = of;
    this.#owner = owner;
    this.#most = most;
  }

  get channel(): string {
    return this.#of.name;
  }

  get position(): string {
    return this.#of.position;
  }

  on<Event extends keyof Events>(event: Event, listener: (what: Events[Event]) => void): this {
    const listeners = this.#listeners.get(event) ?? [];
    this.#listeners.set(event, [...listeners, listener]);
    if (event === "message")
      for (let message = this.#next(); message; message = this.#next()) this.tell("message", message);
    return this;
  }

  unsubscribe(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#wake();
    this.#owner.left(this);
  }

  tell<Event extends keyof Events>(event: Event, what: Events[Event]): void {
    const listeners = this.#listeners.get(event);
    if (event === "error") {
      this.#error = what as api.SluiceError;
      this.unsubscribe();
    }
    if (event === "message" && !listeners) this.#keep(what as api.Message);
    for (const listener of listeners ?? []) call(listener as (what: Events[Event]) => void, what);
  }

  #keep(message: api.Message): void {
    this.#waiting.push(message);
    this.#wake();
    if (this.#waiting.length < this.#most) return;
    this.isFull = true;
    this.#owner.changed();
  }

  #next(): api.Message | undefined {
    const message = this.#waiting.shift();
    if (this.isFull && this.#waiting.length <= this.#most / 2) {
      this.isFull = false;
      this.#owner.changed();
    }
    return message;
  }

  /** Ends with the subscription, and ends it when the loop is left. */
  async *[Symbol.asyncIterator](): AsyncGenerator<api.Message, void, undefined> {
    try {
      for (;;) {
        const message = this.#next();
        if (message) yield message;
        else if (this.#error) throw this.#error;
        else if (this.isOver) return;
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } finally {
      this.unsubscribe();
    }
  }
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class Message implements api.Message {
  readonly #frame: Frame;
  constructor(frame: Frame) {
    this.#frame = frame;
  }
  get channel(): string {
    return this.#frame.channel ?? "";
  }
  get data(): string {
    return this.#frame.data ?? decoder.decode(this.bytes);
  }
  get bytes(): Uint8Array {
    const { data, data_base64: base64 = "" } = this.#frame;
    return data === undefined
      ? Uint8Array.from(atob(base64), (unit) => unit.charCodeAt(0))
      : encoder.encode(data);
  }
  json<Value>(): Value {
    return JSON.parse(this.data);
  }
  get id(): number {
    return this.#frame.id ?? 0;
  }
  get position(): string {
    return this.#frame.position ?? "";
  }
  get time(): number {
    return this.#frame.time ?? 0;
  }
  get tag(): number {
    return this.#frame.tag ?? 0;
  }
  get eventId(): string | null {
    return this.#frame.event_id ?? null;
  }
  get eventType(): string | null {
    return this.#frame.event_type ?? null;
  }
  get traceparent(): string | null {
    return this.#frame.traceparent ?? null;
  }
}
