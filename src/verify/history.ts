/**
 * What happened in a run, as its publishers and readers saw it, with times of one monotonic clock. The
 * checker (checker.ts) judges nothing else: what is not written down here did not happen.
 */

/**
 * What a publisher knows of a message. unknown: the connection broke, or the server said that it cannot tell.
 */
export type Outcome = "accepted" | "refused" | "unknown";

export interface Publish {
  readonly channel: string;
  /** Names the message in all the run: publisher and number. */
  readonly key: string;
  readonly publisher: number;
  /** Milliseconds. */
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly outcome: Outcome;
  /** HTTP status; 0: no answer. */
  readonly status: number;
  /**
   * What the answer said is published in the channel by now; null: it said nothing, or nothing that can be
   * read.
   */
  readonly count: number | null;
}

/**
 * How a reader listens. The last two of a name's kinds differ in what they say of a message, not in how they
 * carry it.
 */
export const LANES = ["sse", "stream", "ws-json", "ws-msgpack", "ws-text", "long-poll", "poll"] as const;
export type Lane = (typeof LANES)[number];

export type ReaderEvent =
  /** Stands there from now on. `resumes`: it said where it was. */
  | { readonly kind: "open"; readonly at: number; readonly lane: Lane; readonly resumes: boolean }
  | {
      readonly kind: "message";
      readonly at: number;
      readonly channel: string;
      readonly key: string;
      /** The number of the message in its channel; null: this lane does not tell. */
      readonly id: number | null;
    }
  /** The server says that messages are lost to this reader; null: it cannot count them. */
  | { readonly kind: "gap"; readonly at: number; readonly channel: string; readonly missed: number | null }
  | { readonly kind: "close"; readonly at: number; readonly why: string };

/** One reader over all its connections: it comes back with its position, and is one line of messages. */
export interface ReaderLine {
  readonly name: string;
  readonly channels: readonly string[];
  readonly events: readonly ReaderEvent[];
  /** It stayed to the end, so it must have everything; others left when they liked. */
  readonly stays: boolean;
}

/** The engine came back without the end of what it had, or without all of it. */
export interface Loss {
  /** What was answered before this moment it still has. Below every moment: it came back empty. */
  readonly keptUntil: number;
  /** It happened between these. */
  readonly from: number;
  readonly until: number;
}

/** It may be in no history any more, or in another place than it had at first: whoever had it is told. */
export const mayBeLost = ({ sentAt, answeredAt }: Publish, losses: readonly Loss[]): boolean =>
  losses.some(({ keptUntil, until }) => answeredAt > keptUntil && sentAt < until);

export interface History {
  readonly publishes: readonly Publish[];
  readonly lines: readonly ReaderLine[];
  /** Keys that are stored at the end, by channel, with their numbers, in order. */
  readonly stored: ReadonlyMap<string, readonly { readonly key: string; readonly id: number | null }[]>;
  /**
   * Moments in which the store's content was lost on purpose: numbers begin again, and positions from before
   * are foreign.
   */
  readonly cuts: readonly number[];
  /** When the engine of a cluster lost messages on purpose; none: it loses nothing. */
  readonly losses: readonly Loss[];
  /** Whether a channel's numbers have no holes; those of a cluster jump at a failover. */
  readonly isDense: boolean;
  /**
   * The server was meant to have room for everything: what is missing in the store at the end is a loss, not
   * an eviction.
   */
  readonly keepsAll: boolean;
}
