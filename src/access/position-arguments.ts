/**
 * Arguments of a query that say where a subscriber stands. They change with every poll and decide nothing
 * about who may come, so a backend that is asked is not told of them, and polls that differ in nothing else
 * are one question. Used by question.ts.
 */
import type { LocationConfig } from "../config/model.ts";

/** Those that are looked at without being named in the configuration (subscribe/inquiry.ts). */
const ALWAYS = ["lasteventid", "last-event-id", "eventid"];

/** Names in lower case: those that the location's position options name. */
export function positionArguments(location: LocationConfig): ReadonlySet<string> {
  const { role, lastReceivedMessageTime, lastReceivedMessageTag, lastEventId } = location;
  if (role.kind !== "subscriber") return new Set();
  const names = new Set(ALWAYS);
  const texts = [lastReceivedMessageTime, lastReceivedMessageTag, lastEventId];
  for (const text of texts)
    for (const [, name = ""] of (text ?? "").matchAll(/\barg_(\w+)/gi)) names.add(name.toLowerCase());
  // One that chooses the channels is no position, whatever else it is used for.
  for (const [, name = ""] of location.channelsPath.matchAll(/\barg_(\w+)/gi))
    names.delete(name.toLowerCase());
  return names;
}

export function withoutArguments(query: string, names: ReadonlySet<string>): string {
  if (query === "" || names.size === 0) return query;
  const isLeft = (pair: string): boolean => !names.has((pair.split("=", 1)[0] ?? "").toLowerCase());
  return query.split("&").filter(isLeft).join("&");
}
