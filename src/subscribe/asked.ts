/**
 * What a request says of its position, and where a subscription starts by it. Read by every endpoint;
 * backlog.ts gets from the one to the other.
 */
import { binaryBytes } from "../config/binary-text.ts";
import type { Missing } from "../wire/gap-field.ts";
import { parseHttpDate } from "../wire/http-date.ts";
import { type Position, parsePosition, parseTag } from "../wire/position.ts";
import type { Search } from "./search.ts";

/** What a request said of its position; null: nothing, or nothing readable. */
export interface Asked {
  readonly time: number | null;
  readonly tag: number | null;
  readonly eventId: Uint8Array | null;
  readonly token: Position | null;
  /** What had to be searched for, by place in the request. */
  readonly found?: ReadonlyMap<number, Found>;
  /** This node of a cluster has not read so far (ahead.ts): nobody can say where that is here. */
  readonly isAhead?: true;
  /**
   * What was asked for each channel by itself, by place; then the rest of this says nothing. Empty: nothing
   * for any.
   */
  readonly each?: readonly Asked[];
}

export interface Found {
  readonly incarnation: number;
  readonly search: Search;
}

/** Where a subscription starts. */
export interface Start {
  /** Serve ids after this one. */
  readonly afterId: number;
  /** Ids up to here are history that was asked for, not owed (see Reading). */
  readonly historyUntil: number;
  /** The newest id when it was looked at. */
  readonly newest: number;
  /**
   * Something newer than the position is gone and cannot be counted: it is from another life of the store or
   * channel, or a time and tag, which say nothing of how many messages lay between.
   */
  readonly unknown: boolean;
}

/** Binary strings as the location's values give them; an empty one is absent. */
export function readAsked(time: string, tag: string, eventId: string, maxChannels: number): Asked {
  return {
    time: time === "" ? null : parseHttpDate(time),
    tag: tag === "" ? null : parseTag(tag),
    eventId: eventId === "" ? null : binaryBytes(eventId),
    token: eventId === "" ? null : parsePosition(eventId, maxChannels),
  };
}

const NONE: readonly Missing[] = [];

/** What the positions alone tell to be missing; of ten thousand polls that wait, nearly none has any. */
export function lostOf(
  channels: readonly { readonly name: Uint8Array }[],
  starts: readonly Start[],
): readonly Missing[] {
  if (!starts.some(({ unknown }) => unknown)) return NONE;
  return channels
    .filter((_, i) => starts[i]?.unknown === true)
    .map(({ name }) => ({ channel: name, missed: null }));
}
