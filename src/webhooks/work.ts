/**
 * What the worker with the lease does, some fifty times a second: tells what the ring says, looks who is
 * where, and sends. Made by webhooks.ts when it is this worker's turn, and given up when it is another's; in
 * a cluster it goes on telling and looking where another node sends.
 */
import type { WebhooksConfig } from "../config/model/webhooks.ts";
import type { Store } from "../store/store.ts";
import { follow } from "./follow.ts";
import { type Elsewhere, NodeTurn } from "./node-turn.ts";
import { Occupancy } from "./occupancy.ts";
import { Sender } from "./sender.ts";
import { Teller } from "./teller.ts";

/** Of a turn, for what the ring says and for what is read to be sent. */
const TURN_MS = 2;
/** Of what need not be kept; more wait for the next turn. */
const SLICES_A_TURN = 16;

export interface WebhooksOptions {
  readonly config: WebhooksConfig;
  readonly store: Store;
  readonly slot: number;
  /** Of a cluster: where nodes take turns; null: this is none. */
  readonly elsewhere: Elsewhere | null;
}

export type Wants = (kind: string, channel: Uint8Array) => boolean;
/** By name. */
export type Secrets = ReadonlyMap<string, Uint8Array>;

export class Work {
  readonly #store: Store;
  /** null: nobody wants to know of publishes and deletions. */
  readonly #teller: Teller | null;
  readonly #occupancy: Occupancy;
  readonly #options: WebhooksOptions;
  readonly #secrets: Secrets;
  /** null: this node sends, whoever asks. */
  readonly #turn: NodeTurn | null;
  /** Empty where another node sends. */
  #senders: readonly Sender[] = [];
  #isAgain = false;
  #isOver = false;

  constructor(options: WebhooksOptions, secrets: Secrets, wants: Wants | null) {
    const { config, store, slot, elsewhere } = options;
    this.#options = options;
    this.#secrets = secrets;
    this.#store = store;
    this.#teller = wants === null ? null : new Teller({ store, slot, wants });
    this.#occupancy = new Occupancy(store, config.vacatedAfterMs);
    this.#turn =
      elsewhere === null ? null : new NodeTurn(elsewhere, (name, place) => follow(store, slot, name, place));
    if (this.#turn === null) this.#begin();
  }

  #begin(): void {
    const { config, store, slot } = this.#options;
    this.#senders = config.hooks.flatMap((hook) => {
      const secret = this.#secrets.get(hook.name);
      return (secret === undefined ? null : Sender.of({ hook, secret, store, slot })) ?? [];
    });
  }

  get isIdle(): boolean {
    return this.#senders.every(({ isIdle }) => isIdle);
  }

  get isOver(): boolean {
    return this.#senders.some(({ isOver }) => isOver);
  }

  leave(): void {
    this.#isOver = true;
    for (const sender of this.#senders) sender.leave();
  }

  stop(): void {
    this.#isOver = true;
    for (const sender of this.#senders) sender.stop();
    this.#turn?.stop();
  }

  turn(): void {
    const nowMs = performance.now();
    this.#occupancy.look(nowMs);
    if (this.#turn !== null) this.#takeTurns(this.#turn, nowMs);
    this.#go();
  }

  #takeTurns(turn: NodeTurn, nowMs: number): void {
    turn.look(nowMs);
    const isOurs = turn.isOurs(nowMs);
    if (isOurs && this.#senders.length === 0) this.#begin();
    if (!isOurs && this.#senders.length > 0) {
      for (const sender of this.#senders) sender.stop();
      this.#senders = [];
    }
    for (const { name, position, positionSec } of this.#senders)
      if (positionSec > 0) turn.say(name, position, positionSec);
  }

  /** As far as it comes in a turn; the rest in the next. */
  #go(): void {
    this.#isAgain = false;
    if (this.#isOver) return;
    const endMs = performance.now() + TURN_MS;
    let hasMore = true;
    while (hasMore && performance.now() < endMs) {
      hasMore = this.#teller?.run() ?? false;
      for (const sender of this.#senders) hasMore = sender.look(performance.now()) || hasMore;
    }
    for (let slices = 0; slices < SLICES_A_TURN && this.#store.webhooks.forgetTold(Date.now()); ) slices++;
    if (hasMore) this.#goAgain();
  }

  #goAgain(): void {
    if (this.#isAgain) return;
    this.#isAgain = true;
    setImmediate(() => this.#go());
  }
}
