/**
 * One part of a delivery job: carries the batch to those who stand in the channel in one of three ways
 * (delivery.ts). It remembers where it stopped, because jobs run in slices.
 */
import type { Batch } from "./batch.ts";
import type { LocalChannel } from "./local-channel.ts";

/** What is carried, and to where. */
export interface Load {
  readonly channel: LocalChannel;
  readonly batch: Batch;
}

export interface Carrier {
  /** Another load, from the beginning. */
  begin(load: Load): void;
  /** Works until done or until `deadlineMs`. True when everybody has the batch. */
  run(load: Load, deadlineMs: number): boolean;
}

/** How often a walk over subscribers looks at the clock. */
export const CLOCK_EVERY = 64;

/**
 * A walk reads ahead what it needs of so many subscribers. Between two system calls, which leave little of
 * the processor's caches, memory would be waited for once for each of a subscriber's objects; of those that
 * are read in one go memory gives many at a time. A power of two.
 */
export const READ_AHEAD = 16;

/** Where that goes: the engine would leave out what is read for nothing. */
export const ahead = { seen: 0 };
