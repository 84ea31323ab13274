/**
 * One worker's part in telling webhooks: one worker of all has the lease, and it tells what the ring says,
 * looks who is where, and sends. Made by app.ts where there is a `[[webhook]]`; without one nothing of this
 * runs.
 *
 *   publish, deletion ──► ring ──► teller ──┐
 *   first subscriber  ──► (under the lock) ─┼─► internal channel `webhooks` ──► a sender each ──► POST
 *   nobody for 5 s    ──► occupancy ────────┤
 *   member in, out    ──► (under the lock) ─┘
 */
import type { WebhookConfig } from "../config/model/webhooks.ts";
import { causeOf, log } from "../log.ts";
import { type Marks, MOST_BY_BYTES } from "../message.ts";
import type { Store } from "../store/store.ts";
import { binaryName, Interest } from "./interest.ts";
import { secretOf } from "./secret.ts";
import { isSignedBy } from "./signature.ts";
import { type Secrets, type Wants, type WebhooksOptions, Work } from "./work.ts";

const TICK_MS = 20;
/** Of whoever does not send: looks so often whether somebody does. */
const TICKS_BETWEEN_LOOKS = 10;
const encoder = new TextEncoder();
const NOBODY = new Uint8Array(0);

type MarksOf = (by: string | null, signature: string | null, data: Uint8Array) => Marks | null;

/** There are none: what the store keeps for those of before is given back, when nobody sends it any more. */
export function forgetWebhooks(store: Store, slot: number): void {
  const { webhooks } = store;
  const isOurs = webhooks.takeLease(slot, Date.now());
  const isDone = isOurs && webhooks.settle([], false, Date.now());
  if (isOurs) webhooks.endLease(slot);
  if (!isDone) setTimeout(() => forgetWebhooks(store, slot), TICK_MS * TICKS_BETWEEN_LOOKS).unref();
}

export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #names: readonly string[];
  readonly #interests: readonly Interest[];
  readonly #secrets: Secrets;
  /** Of those that are told of publishes: what others publish goes round nowhere. */
  readonly #tellingSecrets: readonly Uint8Array[];
  readonly #tells: boolean;
  readonly #timer: ReturnType<typeof setInterval>;
  #isClaimed = false;
  #ticks = 0;
  /** null: another worker sends. */
  #work: Work | null = null;
  #isLeaving = false;

  constructor(options: WebhooksOptions) {
    this.#options = options;
    const { hooks } = options.config;
    this.#names = hooks.map(({ name }) => name);
    this.#interests = hooks.map((hook) => new Interest(hook));
    this.#secrets = secretsOf(hooks);
    this.#tellingSecrets = hooks.flatMap(({ name, events }) =>
      events.includes("published") ? (this.#secrets.get(name) ?? []) : [],
    );
    this.#tells = hooks.some(({ events }) => events.includes("published") || events.includes("deleted"));
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  /** This worker leaves: what is under way ends, and another one goes on. */
  leave(): void {
    this.#isLeaving = true;
    this.#work?.leave();
    this.#letGo();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#work?.stop();
    this.#work = null;
    this.#options.store.webhooks.endLease(this.#options.slot);
  }

  /**
   * What they have to know of a message that is about to be published; null: they know nothing of publishes.
   */
  get marksOf(): MarksOf | null {
    return this.#tells ? (by, signature, data) => this.#marksOf(by, signature, data) : null;
  }

  #marksOf(by: string | null, signature: string | null, data: Uint8Array): Marks | null {
    if (by === null && signature === null) return null;
    const isUntold = signature !== null && this.#isOwn(signature, data);
    const name = by === null ? NOBODY : encoder.encode(by);
    // A name that nobody can have meant is none.
    return { by: name.length > MOST_BY_BYTES ? NOBODY : name, isUntold, trace: null };
  }

  /** A webhook that publishes what it is told would be told of that, for ever. */
  #isOwn(signature: string, data: Uint8Array): boolean {
    return this.#tellingSecrets.some((secret) => isSignedBy(secret, signature, data));
  }

  #tick(): void {
    if (this.#isLeaving) {
      this.#letGo();
      return;
    }
    const { store, slot } = this.#options;
    const isTurn = this.#work !== null || this.#ticks++ % TICKS_BETWEEN_LOOKS === 0;
    if (!isTurn || !this.#claimed()) return;
    if (!store.webhooks.takeLease(slot, Date.now()) || this.#work?.isOver === true) this.#lose();
    else this.#begun()?.turn();
  }

  /** Its work is another's. */
  #lose(): void {
    this.#work?.stop();
    this.#work = null;
  }

  /**
   * What is under way may take as long as its receiver does; it is another's turn then, or the process is
   * over.
   */
  #letGo(): void {
    if (this.#work !== null && !this.#work.isIdle) {
      this.#options.store.webhooks.takeLease(this.#options.slot, Date.now());
      return;
    }
    this.stop();
  }

  #claimed(): boolean {
    this.#isClaimed ||= this.#options.store.webhooks.claim(this.#names, this.#tells, Date.now());
    return this.#isClaimed;
  }

  /** null: the store is busy. */
  #begun(): Work | null {
    if (this.#work !== null) return this.#work;
    if (!this.#options.store.webhooks.settle(this.#names, this.#tells, Date.now())) return null;
    this.#work = new Work(this.#options, this.#secrets, this.#tells ? this.#wants : null);
    return this.#work;
  }

  readonly #wants: Wants = (kind, channel) => {
    const name = binaryName(channel);
    return this.#interests.some((interest) => interest.wants(kind, name));
  };
}

/** Main has looked (check.ts); a file may be gone since, and the others are told all the same. */
function secretsOf(hooks: readonly WebhookConfig[]): Secrets {
  const secrets = new Map<string, Uint8Array>();
  for (const hook of hooks) {
    try {
      secrets.set(hook.name, secretOf(hook));
    } catch (error) {
      log("error", "a webhook is not told, its secret cannot be had", {
        webhook: hook.name,
        why: causeOf(error),
      });
    }
  }
  return secrets;
}
