/**
 * Holds a history against what sluice promises (README): order, nothing twice, nothing lost in silence,
 * counts of what was lost that are right, honest answers. A pure function, so that the checker itself can be
 * checked: test/verify gives it histories with one fault each, and servers with one safety step taken out.
 *
 * A message's number in its channel says where it stands. Readers that are not told numbers are placed by
 * those who are, or by what is stored at the end.
 */
import { type Counts, count } from "./counts.ts";
import { atTheEnd, type Course, first, next, untold } from "./course.ts";
import type { History, ReaderEvent, ReaderLine } from "./history.ts";
import { Places } from "./places.ts";
import { honest, kept, publishOrder } from "./publishing.ts";
import { type Violation, violation } from "./story.ts";

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
