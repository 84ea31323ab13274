/**
 * The worker's part in who is there: takes those who come and go to the store, and once a second looks who
 * did not come back and which channels have a count to tell. Made by app.ts where the store has a table of
 * members.
 *
 * What cannot be done because another process has the store's lock is done a moment later, in the order in
 * which it happened (store/ledger.ts); what is not done when the worker dies, main does in its place.
 */
import { log } from "../log.ts";
import { ChannelRef } from "../store/channel/channel-ref.ts";
import { Ledger } from "../store/ledger.ts";
import type { MemberStore } from "../store/members/member-store.ts";
import { NO_RECORD } from "../store/members/member-table.ts";
import { BUSY } from "../store/outcome.ts";
import type { Store } from "../store/store.ts";
import type { Identity } from "./identity.ts";

const LOOK_MS = 1000;
/** A line a minute says as much as thousands. */
const TELL_EACH_MS = 60_000;

const found = new ChannelRef();

/** One connection in one channel. */
class Stay {
  index = -1;
  record = NO_RECORD;
}

export class PresenceKeeper {
  readonly members: MemberStore;
  readonly #store: Store;
  readonly #slot: number;
  readonly #ledger = new Ledger(() => undefined);
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #toldMs = new Map<string, number>();
  #isLooking = false;
  #isStopped = false;

  constructor(store: Store, members: MemberStore, slot: number) {
    this.members = members;
    this.#store = store;
    this.#slot = slot;
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** Somebody stands in these channels; the answer is called when he has left. */
  arrive(names: readonly Uint8Array[], who: Identity): () => void {
    if (who.isInfoTooLong) this.#tell("what a grant tells of somebody is longer than presence_info_max");
    const stays = names.map((name) => {
      const stay = new Stay();
      this.#ledger.do(() => this.#join(stay, name, who));
      return stay;
    });
    return () => {
      for (const stay of stays) this.#ledger.do(() => this.#leave(stay));
    };
  }

  /** Somebody polled, and was answered at once: there for as long as he may be away. */
  pass(names: readonly Uint8Array[], who: Identity): void {
    if (who.lingerSec > 0) this.arrive(names, who)();
  }

  #join(stay: Stay, name: Uint8Array, who: Identity): boolean {
    const index = this.#store.find(name, found);
    if (index === BUSY) return false;
    // Deleted since: it will be told so.
    if (index < 0) return true;
    const record = this.members.join(this.#slot, index, found.incarnation, who, Date.now());
    if (record === BUSY) return false;
    stay.index = index;
    stay.record = record;
    if (record === NO_RECORD && this.members.isFull) this.#tell("the table of members is full", true);
    return true;
  }

  #leave({ index, record }: Stay): boolean {
    return record === NO_RECORD || this.members.leave(this.#slot, index, record, Date.now());
  }

  /** A slice a turn, until this second's work is done. */
  look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#leaveLate();
  }

  #leaveLate(): void {
    if (this.#isStopped) return;
    if (this.members.look(Date.now())) this.#tellCounts(this.members.queued);
    else setImmediate(() => this.#leaveLate());
  }

  #tellCounts(left: number): void {
    const told = left === 0 || this.#isStopped ? 0 : this.members.tellCounts(left, Date.now());
    if (told > 0 && left > told) setImmediate(() => this.#tellCounts(left - told));
    else this.#isLooking = false;
  }

  #tell(what: string, isGrave = false): void {
    const nowMs = performance.now();
    if (nowMs - (this.#toldMs.get(what) ?? Number.NEGATIVE_INFINITY) < TELL_EACH_MS) return;
    this.#toldMs.set(what, nowMs);
    const then = isGrave
      ? "channels tell counts alone; store.presence_members is how many have room"
      : "it is left out";
    log("warn", what, { then });
  }

  stop(): void {
    this.#isStopped = true;
    this.#ledger.stop();
    clearInterval(this.#timer);
  }
}
