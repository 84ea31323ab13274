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
