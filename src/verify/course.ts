/**
 * Whether a reader was given everything between one place of a channel and the next, was told how many are
 * missing, and rightly. Part of checker.ts, which leads a Course along a reader's events and asks here at
 * each message that has a place, and at the end.
 */
import type { History, Publish, ReaderLine } from "./history.ts";
import type { Place, Places } from "./places.ts";
import { list, type Violation, violation } from "./story.ts";

/** One channel of one reader, as it goes along its events. */
export interface Course {
  readonly line: ReaderLine;
  readonly channel: string;
  /** The last message it was given; null: none since it came without a position. */
  last: { readonly place: Place; readonly key: string; readonly index: number } | null;
  /** It stood there from this moment on, without a position. */
  since: number;
  /** Told since the last message: how many are lost; null: nobody knows; undefined: nothing. */
  told: number | null | undefined;
  /** Given since the last message, of numbers that nobody was told: they are there between the two. */
  unplaced: number;
  /** Of all it was given, the one that was sent last: what was answered before that stands before it. */
  latest: { readonly publish: Publish; readonly index: number; readonly isPlaced: boolean } | null;
  reopened: boolean;
  /** Of the store, when this connection was made. */
  life: number;
  /** The last message, where the engine has lost it since, and the reader was not told yet. */
  lost: string | null;
  /**
   * Keys it was given in this life: behind a cut it is told that nobody knows what it has, and is given what
   * there is.
   */
  readonly seen: Set<string>;
}

/** What was sent after it stood there, and stands before its first message, is missing. */
export function first(course: Course, place: Place, index: number, places: Places): readonly Violation[] {
  if (course.told !== undefined) return [];
  const { line, channel, since } = course;
  const missing = missingBetween(course, place.life, 0, place.id, places).filter(
    (key) => (places.published(key)?.sentAt ?? 0) > since,
  );
  if (missing.length === 0) return [];
  const start = line.events.findIndex((event) => event.kind === "open" && event.at === since);
  const sentence = `${line.name} stood in ${channel} and was not given ${list(missing)}`;
  return [violation("gapless", sentence, line, start, index, missing, places)];
}

/** What lies between the last message and this one. */
export function next(
  course: Course,
  last: NonNullable<Course["last"]>,
  place: Place,
  key: string,
  index: number,
  places: Places,
): readonly Violation[] {
  const { line, channel, told, unplaced } = course;
  if (place.life !== last.place.life) {
    if (told !== undefined) return [];
    const sentence = `${line.name} came back to ${channel} in another life of the store, and was not told`;
    return [violation("resumable", sentence, line, last.index, index)];
  }
  if (place.id <= last.place.id) {
    if (place.id === last.place.id) return []; // told as twice
    const sentence =
      `${line.name} was given ${key} (${place.id}) of ${channel} after ${last.key} ` + `(${last.place.id})`;
    return [violation("order", sentence, line, last.index, index)];
  }
  const isDense = places.isDense(place.life);
  const isNext = isDense && place.id === last.place.id + 1;
  const keys = isNext ? [] : missingBetween(course, place.life, last.place.id, place.id, places);
  const missing = isDense ? place.id - last.place.id - 1 - unplaced : keys.length;
  if (missing < 0) {
    const sentence =
      `${line.name} was given ${unplaced} of ${channel} between ${last.place.id} and ` + `${place.id}`;
    return [violation("order", sentence, line, last.index, index)];
  }
  if (missing === 0) {
    const isFalse = told === null ? places.losesNothing : told !== undefined && told > 0;
    if (!isFalse || !isDense) return [];
    const number = told === null ? "nobody knows how many" : `${told}`;
    const sentence = `${line.name} was told that ${number} of ${channel} are lost, and none is`;
    return [violation("counted", sentence, line, last.index, index)];
  }
  if (told === undefined) {
    const promise = course.reopened ? "resumable" : "gapless";
    const sentence = `${line.name} was not given ${list(keys)} of ${channel} (${missing}), and not told`;
    return [violation(promise, sentence, line, last.index, index, keys, places)];
  }
  if (told === null || told === missing || !isDense) return [];
  const sentence = `${line.name} was told that ${told} of ${channel} are lost, and it is ${missing}`;
  return [violation("counted", sentence, line, last.index, index, keys, places)];
}

/** Who stayed has everything: the last message of the channel, or was told behind its own last one. */
export function atTheEnd(course: Course, { cuts }: History, places: Places): readonly Violation[] {
  const { line, channel, last, told, since, lost } = course;
  if (told !== undefined) return toldAtTheEnd(course, cuts.length, places);
  if (lost !== null) return [untold(course, lost, line.events.length - 1)];
  const life = cuts.length;
  const end = places.last(channel, life);
  const from = last === null ? 0 : last.place.life === life ? last.place.id : 0;
  const missing = missingBetween(course, life, from, end + 1, places).filter(
    (key) => last !== null || (places.published(key)?.sentAt ?? 0) > since,
  );
  if (missing.length === 0) return [];
  const sentence = `${line.name} stayed, and was never given ${list(missing)} of ${channel}`;
  const start = last?.index ?? 0;
  return [violation("gapless", sentence, line, start, line.events.length - 1, missing, places)];
}

/** It was told, and nothing came any more: the number has to be right all the same. */
function toldAtTheEnd(
  { line, channel, last, told, unplaced }: Course,
  life: number,
  places: Places,
): readonly Violation[] {
  if (last === null || last.place.life !== life || typeof told !== "number" || !places.isDense(life))
    return [];
  const missing = Math.max(0, places.last(channel, life) - last.place.id - unplaced);
  // The last ones may be evicted everywhere, so that nobody knows of them.
  if (told >= missing) return [];
  const sentence =
    `${line.name} was told at the end that ${told} of ${channel} are lost, and it is ` + `${missing}`;
  return [violation("counted", sentence, line, last.index, line.events.length - 1)];
}

/** The engine of a cluster has lost what it was given, and it goes on in the history that is left. */
export function untold({ line, channel }: Course, lost: string, index: number): Violation {
  const fault = "which the engine has lost, and was not told";
  const sentence = `${line.name} was given ${lost} of ${channel}, ${fault}`;
  const before = line.events.findLastIndex((event) => event.kind === "message" && event.key === lost);
  return violation("gapless", sentence, line, before, index);
}

/** Of one that was sent again it may not have been told the number. */
function missingBetween(
  { channel, seen }: Course,
  life: number,
  low: number,
  high: number,
  places: Places,
): readonly string[] {
  const keys = places.between(channel, life, low, high);
  return keys.filter((key) => !places.isReborn(key) || !seen.has(key));
}
