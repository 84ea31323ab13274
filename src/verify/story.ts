/**
 * What was found broken, and the shortest part of a history that shows it, as people read it. Part of
 * checker.ts.
 */
import type { Publish, ReaderEvent, ReaderLine } from "./history.ts";
import type { Place, Places } from "./places.ts";

export type Claim =
  | "order"
  | "once"
  | "gapless"
  | "counted"
  | "resumable"
  | "kept"
  | "honest"
  | "bounded"
  | "workers";

export interface Violation {
  readonly promise: Claim;
  readonly sentence: string;
  /** The shortest part of the history that shows it, a line an event. */
  readonly story: readonly string[];
}

/** How many events of a line a story has at most: its ends are what matters. */
const STORY = 12;

export function violation(
  promise: Claim,
  sentence: string,
  line: ReaderLine,
  from: number,
  to: number,
  missing: readonly string[] = [],
  places: Places | null = null,
): Violation {
  const events = line.events.slice(Math.max(0, from), to + 1).map(eventText);
  const short =
    events.length <= STORY
      ? events
      : [...events.slice(0, STORY / 2), `… ${events.length - STORY} more …`, ...events.slice(-STORY / 2)];
  const publishes = missing.slice(0, 3).flatMap((key) => {
    const publish = places?.published(key);
    return publish ? [told(publish, places?.lastOf(key) ?? null)] : [];
  });
  return { promise, sentence, story: [...publishes, ...short] };
}

const ms = (at: number): string => `${at.toFixed(1)} ms`;

export const told = (
  { key, channel, sentAt, answeredAt, outcome, status }: Publish,
  place: Place | null,
): string =>
  `publish ${key} to ${channel}${place === null ? "" : ` (${place.id})`}: sent at ${ms(sentAt)}, ` +
  `${outcome} (${status}) at ${ms(answeredAt)}`;

function eventText(event: ReaderEvent): string {
  switch (event.kind) {
    case "open":
      return `${ms(event.at)} open ${event.lane}${event.resumes ? ", with its position" : ""}`;
    case "message":
      return `${ms(event.at)} ${event.channel} ${event.key}${event.id === null ? "" : ` (${event.id})`}`;
    case "gap":
      return `${ms(event.at)} told of a gap in ${event.channel}: ${event.missed ?? "unknown"}`;
    case "close":
      return `${ms(event.at)} closed: ${event.why}`;
  }
}

export const list = (keys: readonly string[]): string =>
  keys.length === 0
    ? "messages that nobody else saw"
    : keys.length > 3
      ? `${keys.slice(0, 3).join(", ")} and ${keys.length - 3} more`
      : keys.join(", ");
