/**
 * Says in the log that channels find no room, at most once in a while: whoever is refused may come a thousand
 * times a second. Asked once a second by each worker, which tells of what happened to its own clients.
 */
import { log } from "../log.ts";
import type { Store } from "./store.ts";

const QUIET_MS = 30_000;

export class RoomWatch {
  readonly #store: Store;
  #told = 0;
  #quietUntilMs = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  look(nowMs: number): void {
    const refused = this.#store.roomless - this.#told;
    if (refused === 0 || nowMs < this.#quietUntilMs) return;
    this.#told += refused;
    this.#quietUntilMs = nowMs + QUIET_MS;
    const { channelRecords, channelRecordsUsed } = this.#store.totals(Date.now());
    log("warn", "no room for another channel; store.channels and store.size say how many there may be", {
      refused,
      channel_records: channelRecords,
      used: channelRecordsUsed,
    });
  }
}
