/**
 * Holds a history against what sluice promises (README): order, nothing twice, nothing lost in silence,
 * counts of what was lost that are right, honest answers. A pure function, so that the checker itself can be
 * checked: test/verify gives it histories with one fault each, and servers with one safety step taken out.
 *
 * A message's number in its channel says where it stands. Readers that are not told numbers are placed by
 * those who are, or by what is stored at the end.
 */
import { type Counts, count } from "./counts.ts";
import type { History, Publish, ReaderEvent, ReaderLine } from "./history.ts";
import { type Place, Places } from "./places.ts";
import { honest, kept, publishOrder } from "./publishing.ts";
import { list, type Violation, violation } from "./story.ts";

export type { Claim, Violation } from "./story.ts";

export interface Verdict {
  readonly violations: readonly Violation[];
  readonly counts: Counts;
}

export function check(history: History): Verdict {
  const places = new Places(history);
  const violations = [
    ...places.violations,
    ...history.lines.flatMap((line) => checkLine(line, history, places)),
    ...publishOrder(history, places),
    ...kept(history, places),
    ...honest(history),
  ];
  return { violations, counts: count(history) };
}

/** One channel of one reader, as it goes along its events. */
interface Course {
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

function checkLine(line: ReaderLine, history: History, places: Places): readonly Violation[] {
  return line.channels.flatMap((channel) => {
    const course: Course = {
      line,
      channel,
      last: null,
      since: Number.POSITIVE_INFINITY,
      told: undefined,
      unplaced: 0,
      latest: null,
      reopened: false,
      life: 0,
      lost: null,
      seen: new Set(),
    };
    const found = line.events.flatMap((event, index) => step(course, event, index, places));
    return line.stays ? [...found, ...atTheEnd(course, history, places)] : found;
  });
}

function step(course: Course, event: ReaderEvent, index: number, places: Places): readonly Violation[] {
  if (event.kind === "open") {
    course.reopened = true;
    const life = places.life(event.at);
    if (life !== course.life) {
      course.seen.clear();
      course.latest = null;
    }
    course.life = life;
    if (event.resumes) return [];
    // Came as a new one: nothing from before is owed, unless it was told that it had to.
    course.last = null;
    course.told = undefined;
    course.unplaced = 0;
    course.lost = null;
    // A poll that names no position begins with this second, and may be given what it had before.
    course.seen.clear();
    course.latest = null;
    course.since = event.at;
    return [];
  }
  if (event.kind === "gap" && event.channel === course.channel) {
    course.lost = null;
    course.told = event.missed === null || course.told === null ? null : (course.told ?? 0) + event.missed;
    return [];
  }
  if (event.kind !== "message" || event.channel !== course.channel) return [];
  return delivered(course, event, index, places);
}

function delivered(
  course: Course,
  { key, id }: ReaderEvent & { kind: "message" },
  index: number,
  places: Places,
): readonly Violation[] {
  const { line, channel } = course;
  const publish = places.published(key);
  const found: Violation[] = [];
  if (publish === null || publish.channel !== channel)
    found.push(
      violation(
        "gapless",
        `${line.name} was given ${key} in ${channel}, which nobody published`,
        line,
        index,
        index,
      ),
    );
  else if (publish.outcome === "refused")
    found.push(
      violation(
        "honest",
        `${line.name} was given ${key}, which its publisher was refused`,
        line,
        index,
        index,
      ),
    );
  const isLost = isLostSince(course, key, id, index, places);
  const isFirst = !course.seen.has(key);
  if (!isFirst && !places.isReborn(key)) found.push(twice(course, key, index));
  course.seen.add(key);
  if (course.lost !== null && isLost === false) found.push(untold(course, course.lost, index));
  if (isLost !== null) course.lost = isLost ? key : null;
  const known = places.isReborn(key) ? null : places.of(key, course.life);
  const place = id === null ? known : { life: course.life, id };
  found.push(...sentOrder(course, key, place !== null, index, places));
  // Nobody was told its number. Those who are told may have been too slow for it, all of them.
  if (place === null) {
    course.unplaced += Number(isFirst);
    return found;
  }
  found.push(
    ...(course.last === null
      ? first(course, place, index, places)
      : next(course, course.last, place, key, index, places)),
  );
  course.last = { place, key, index };
  course.told = undefined;
  course.unplaced = 0;
  course.reopened = false;
  return found;
}

/**
 * What has no number is held against its publishers: who sent a message had the answer to those before it.
 * Two that have numbers are held against each other by these.
 */
function sentOrder(
  course: Course,
  key: string,
  isPlaced: boolean,
  index: number,
  places: Places,
): readonly Violation[] {
  const publish = places.published(key);
  if (publish?.outcome !== "accepted" || places.mayBeLost(key)) return [];
  const { latest, line } = course;
  const isLater = latest === null || publish.sentAt > latest.publish.sentAt;
  if (isLater) course.latest = { publish, index, isPlaced };
  if (isLater || (isPlaced && latest.isPlaced) || publish.answeredAt >= latest.publish.sentAt) return [];
  const fault = "which was sent after its answer";
  const sentence = `${line.name} was given ${key} after ${latest.publish.key}, ${fault}`;
  return [violation("order", sentence, line, latest.index, index)];
}

function twice({ line, channel }: Course, key: string, index: number): Violation {
  const before = line.events.findIndex(
    (event) => event.kind === "message" && event.channel === channel && event.key === key,
  );
  return violation("once", `${line.name} was given ${key} twice`, line, before, index);
}

/**
 * Whether the engine has lost what was given there. Of one that was sent again this is the number that it had
 * before; who is told none has that first, and null where it is given once: nobody can say.
 */
function isLostSince(
  { line, seen }: Course,
  key: string,
  id: number | null,
  index: number,
  places: Places,
): boolean | null {
  if (places.isLost(key, id)) return true;
  if (id !== null || !places.isReborn(key)) return false;
  if (line.events.some((event, at) => at > index && event.kind === "message" && event.key === key))
    return true;
  return seen.has(key) ? false : null;
}

/** The engine of a cluster has lost what it was given, and it goes on in the history that is left. */
function untold({ line, channel }: Course, lost: string, index: number): Violation {
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

/** What was sent after it stood there, and stands before its first message, is missing. */
function first(course: Course, place: Place, index: number, places: Places): readonly Violation[] {
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

function next(
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
function atTheEnd(course: Course, { cuts }: History, places: Places): readonly Violation[] {
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
