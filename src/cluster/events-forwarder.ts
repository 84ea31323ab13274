/**
 * Carries this node's events (store/message/events-outbox.ts) to the log, as messages of the events channel,
 * which all nodes share. Run by the worker that reads the log. Each has an idempotency key of its own, so one
 * whose carrier died before it could strike it off is not told twice.
 */
import { log } from "../log.ts";
import { ChannelRef } from "../store/channel/channel-ref.ts";
import { Internal } from "../store/channel/internal-channels.ts";
import { Message } from "../store/message/message-view.ts";
import { FOUND, type Reader } from "../store/message/reader.ts";
import type { Store } from "../store/store.ts";
import type { ClusterOrder, Put } from "./order.ts";

const LOOK_MS = 20;
const AFTER_REFUSAL_MS = 500;
const MOST_AT_ONCE = 64;
const BRACE = 0x7d;

export interface ForwarderOptions {
  readonly store: Store;
  readonly order: Pick<ClusterOrder, "put">;
  readonly node: string;
  /** Of this run of the node: numbers of events begin again with a new store. */
  readonly life: string;
}

const ref = new ChannelRef();

export class EventsForwarder {
  readonly #options: ForwarderOptions;
  readonly #message = new Message();
  /** What each event gets before its last brace. */
  readonly #member: Buffer;
  /** Done with up to here; 0 = not known. */
  #done = 0;
  #isStopped = false;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#member = Buffer.from(`, "node": ${JSON.stringify(options.node)}}`);
    this.#later(0);
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** The others took it for dead: what it told is over. */
  tellGone(node: string): Promise<void> {
    const data = Buffer.from(JSON.stringify({ type: "node_gone", node }));
    return this.#options.order.put([this.#put(data, Buffer.from("node_gone"), `gone ${node}`)]);
  }

  #later(ms: number): void {
    if (!this.#isStopped) this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    this.#carry().then(
      (isTaken) => this.#later(isTaken ? LOOK_MS : AFTER_REFUSAL_MS),
      (error: unknown) => {
        log("error", "events could not be carried to the log", { error: String(error) });
        this.#later(AFTER_REFUSAL_MS);
      },
    );
  }

  /** False: the engine did not take all of them. */
  async #carry(): Promise<boolean> {
    const { store, order } = this.#options;
    const index = store.internal.open(Internal.events, Date.now(), ref);
    if (index < 0) return true;
    const reader = store.history.reader(index, ref.incarnation, this.#done);
    for (let puts = this.#read(reader); puts.length > 0; puts = this.#read(reader)) {
      await order.put(puts);
      if (this.#isStopped || puts.some(({ refusal }) => refusal !== null)) return false;
      this.#done = this.#message.id;
      while (store.internal.forget(Internal.events, this.#done, Date.now()) !== 0) await Bun.sleep(0);
    }
    return true;
  }

  #read(reader: Reader): Put[] {
    const puts: Put[] = [];
    const message = this.#message;
    let last = this.#done;
    while (puts.length < MOST_AT_ONCE && reader.next(message) === FOUND) {
      if (last > 0 && message.id > last + 1)
        log("warn", "events of this node were lost before the engine took them", {
          events: message.id - last - 1,
        });
      last = message.id;
      reader.accept(message);
      const { bytes, dataOffset, dataLength, eventTypeLength } = message;
      const data = Buffer.from(bytes.subarray(dataOffset, dataOffset + dataLength));
      const type = Buffer.from(bytes.subarray(dataOffset - eventTypeLength, dataOffset));
      if (data.at(-1) !== BRACE) continue;
      puts.push(this.#put(Buffer.concat([data.subarray(0, -1), this.#member]), type, String(message.id)));
    }
    return puts;
  }

  #put(data: Uint8Array, eventType: Uint8Array, number: string): Put {
    const { store, node, life } = this.#options;
    const sent = Bun.hash.wyhash(data);
    const digest = Bun.SHA256.hash(`event ${node} ${life} ${number}`).slice(0, 16);
    return {
      name: store.name(store.eventsChannel),
      data,
      eventId: null,
      eventType,
      stored: true,
      isEvent: true,
      key: {
        digest: new Uint32Array(digest.buffer),
        bodyLow: Number(sent & 0xffff_ffffn),
        bodyHigh: Number(sent >> 32n),
      },
      outcome: 0,
      position: 0,
      isDuplicate: false,
      refusal: null,
    };
  }
}
