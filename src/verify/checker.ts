/**
 * Holds a history against what sluice promises (README): order, nothing twice, nothing lost in silence, counts of what was
 * lost that are right, honest answers. A pure function, so that the checker itself can be checked: test/verify gives it
 * histories with one fault each, and servers with one safety step taken out.
 *
 * A message's number in its channel says where it stands. Readers that are not told numbers are placed by those who are, or
 * by what is stored at the end.
 */
import type { History, Publish, ReaderEvent, ReaderLine } from "./history.ts";

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

export interface Verdict {
  readonly violations: readonly Violation[];
  readonly counts: Counts;
}

export interface Counts {
  accepted: number;
  refused: number;
  unknown: number;
  deliveries: number;
  opens: number;
  resumes: number;
  /** Resumed on another lane than before. */
  moves: number;
  gaps: number;
  /** Of the gaps that were counted. */
  missed: number;
}

/** Where a message stands: the life of the store it was numbered in, and its number. */
interface Place {
  readonly life: number;
  readonly id: number;
}

export function check(history: History): Verdict {
  const places = new Places(history);
  const violations = [
    ...places.violations,
    ...history.lines.flatMap((line) => checkLine(line, history, places)),
    ...publisherOrder(history, places),
    ...kept(history, places),
    ...honest(history),
  ];
  return { violations, counts: count(history) };
}

/** Every message's place, from whoever knows it; and the contradictions between those who say. */
class Places {
  readonly violations: Violation[] = [];
  readonly #byKey = new Map<string, Place>();
  /** channel, life → number → key. */
  readonly #byPlace = new Map<string, Map<number, string>>();
  readonly #order = new Map<string, readonly (readonly [number, string])[]>();
  readonly #publishes = new Map<string, Publish>();
  readonly #cuts: readonly number[];
  readonly #isDense: boolean;

  constructor({ publishes, lines, stored, cuts, isDense }: History) {
    this.#cuts = cuts;
    this.#isDense = isDense;
    for (const publish of publishes) this.#publishes.set(publish.key, publish);
    for (const { name, events } of lines) {
      // Bytes may be read long after the server that sent them is gone: what counts is when the connection was made.
      let life = 0;
      for (const event of events) {
        if (event.kind === "open") life = this.life(event.at);
        if (event.kind === "message" && event.id !== null)
          this.#learn(name, event.channel, event.key, life, event.id);
      }
    }
    for (const [channel, messages] of stored)
      for (const { key, id } of messages)
        if (id !== null) this.#learn("what is stored at the end", channel, key, cuts.length, id);
  }

  life(at: number): number {
    return this.#cuts.filter((cut) => cut <= at).length;
  }

  /** Whether numbers have no holes: what a cut took from the middle of a channel is a hole of which all were told. */
  isDense(life: number): boolean {
    return this.#isDense && life === 0;
  }

  /** Null: nobody was told its number in that life. */
  of(key: string, life: number): Place | null {
    return this.#byKey.get(`${life} ${key}`) ?? null;
  }

  /** Its place in the last life it has one in. */
  lastOf(key: string): Place | null {
    for (let life = this.#cuts.length; life >= 0; life--) {
      const place = this.of(key, life);
      if (place !== null) return place;
    }
    return null;
  }

  published(key: string): Publish | null {
    return this.#publishes.get(key) ?? null;
  }

  /** The greatest number of a channel in a life; 0: none. */
  last(channel: string, life: number): number {
    return this.#sorted(`${channel} ${life}`).at(-1)?.[0] ?? 0;
  }

  /** Keys whose numbers lie between these two, both excluded, in order. */
  between(channel: string, life: number, low: number, high: number): readonly string[] {
    const sorted = this.#sorted(`${channel} ${life}`);
    const keys: string[] = [];
    for (let at = firstAbove(sorted, low); at < sorted.length; at++) {
      const [id, key] = sorted[at] ?? [high, ""];
      if (id >= high) break;
      keys.push(key);
    }
    return keys;
  }

  /** Asked only when everything is learnt. */
  #sorted(name: string): readonly (readonly [number, string])[] {
    const known = this.#order.get(name);
    if (known !== undefined) return known;
    const sorted = [...(this.#byPlace.get(name) ?? [])].toSorted(([one], [other]) => one - other);
    this.#order.set(name, sorted);
    return sorted;
  }

  #learn(who: string, channel: string, key: string, life: number, id: number): void {
    const name = `${channel} ${life}`;
    const numbers = this.#byPlace.get(name) ?? new Map<number, string>();
    this.#byPlace.set(name, numbers);
    const other = numbers.get(id);
    if (other !== undefined && other !== key)
      this.violations.push({
        promise: "order",
        sentence: `${channel} has two messages with number ${id}: ${other} and ${key}`,
        story: [`${who}: ${channel} ${id} ${key}`, `another reader: ${channel} ${id} ${other}`],
      });
    const place = this.of(key, life);
    if (place !== null && place.id !== id)
      this.violations.push({
        promise: "once",
        sentence: `${key} is in ${channel} twice: as ${place.id} and as ${id}`,
        story: [`${who}: ${channel} ${id} ${key}`],
      });
    numbers.set(id, key);
    this.#byKey.set(`${life} ${key}`, { life, id });
  }
}

/** Index of the first entry whose number is above this one. */
function firstAbove(sorted: readonly (readonly [number, string])[], id: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.[0] ?? 0) > id) high = middle;
    else low = middle + 1;
  }
  return low;
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
  reopened: boolean;
  /** Of the store, when this connection was made. */
  life: number;
  /** Keys it was given in this life: behind a cut it is told that nobody knows what it has, and is given what there is. */
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
      reopened: false,
      life: 0,
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
    if (life !== course.life) course.seen.clear();
    course.life = life;
    if (event.resumes) return [];
    // Came as a new one: nothing from before is owed, unless it was told that it had to.
    course.last = null;
    course.told = undefined;
    course.since = event.at;
    return [];
  }
  if (event.kind === "gap" && event.channel === course.channel) {
    course.told = event.missed === null || course.told === null ? null : (course.told ?? 0) + event.missed;
    return [];
  }
  if (event.kind !== "message" || event.channel !== course.channel) return [];
  return delivered(course, event.key, index, places);
}

function delivered(course: Course, key: string, index: number, places: Places): readonly Violation[] {
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
  if (course.seen.has(key)) found.push(twice(course, key, index));
  course.seen.add(key);
  const place = places.of(key, course.life);
  // Nobody was told its number: it can be held against its publisher only.
  if (place === null) return found;
  found.push(
    ...(course.last === null
      ? first(course, place, index, places)
      : next(course, course.last, place, key, index, places)),
  );
  course.last = { place, key, index };
  course.told = undefined;
  course.reopened = false;
  return found;
}

function twice({ line, channel }: Course, key: string, index: number): Violation {
  const before = line.events.findIndex(
    (event) => event.kind === "message" && event.channel === channel && event.key === key,
  );
  return violation("once", `${line.name} was given ${key} twice`, line, before, index);
}

/** What was sent after it stood there, and stands before its first message, is missing. */
function first(course: Course, place: Place, index: number, places: Places): readonly Violation[] {
  if (course.told !== undefined) return [];
  const { line, channel, since } = course;
  const missing = places
    .between(channel, place.life, 0, place.id)
    .filter((key) => (places.published(key)?.sentAt ?? 0) > since);
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
  const { line, channel, told } = course;
  if (place.life !== last.place.life) {
    if (told !== undefined) return [];
    const sentence = `${line.name} came back to ${channel} in another life of the store, and was not told`;
    return [violation("resumable", sentence, line, last.index, index)];
  }
  if (place.id <= last.place.id) {
    if (place.id === last.place.id) return []; // told as twice
    const sentence = `${line.name} was given ${key} (${place.id}) of ${channel} after ${last.key} (${last.place.id})`;
    return [violation("order", sentence, line, last.index, index)];
  }
  const isDense = places.isDense(place.life);
  const isNext = isDense && place.id === last.place.id + 1;
  const keys = isNext ? [] : places.between(channel, place.life, last.place.id, place.id);
  const missing = isDense ? place.id - last.place.id - 1 : keys.length;
  if (missing === 0) {
    if (!told || !isDense) return [];
    const sentence = `${line.name} was told that ${told} of ${channel} are lost, and none is`;
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
  const { line, channel, last, told, since } = course;
  if (told !== undefined) return [];
  const life = cuts.length;
  const end = places.last(channel, life);
  const from = last === null ? 0 : last.place.life === life ? last.place.id : 0;
  const missing = places
    .between(channel, life, from, end + 1)
    .filter((key) => last !== null || (places.published(key)?.sentAt ?? 0) > since);
  if (missing.length === 0) return [];
  const sentence = `${line.name} stayed, and was never given ${list(missing)} of ${channel}`;
  const start = last?.index ?? 0;
  return [violation("gapless", sentence, line, start, line.events.length - 1, missing, places)];
}

/** Messages of one publisher, each sent after the answer to the one before, stand in that order. */
function publisherOrder({ publishes }: History, places: Places): readonly Violation[] {
  const lasts = new Map<string, { publish: Publish; place: Place }>();
  const found: Violation[] = [];
  for (const publish of publishes.toSorted((one, other) => one.sentAt - other.sentAt)) {
    const place = places.lastOf(publish.key);
    if (place === null || publish.outcome !== "accepted") continue;
    const name = `${publish.publisher} ${publish.channel} ${place.life}`;
    const before = lasts.get(name);
    if (before !== undefined && before.place.id > place.id && before.publish.answeredAt <= publish.sentAt)
      found.push({
        promise: "order",
        sentence: `${publish.key} was sent after the answer to ${before.publish.key}, and stands before it`,
        story: [told(before.publish, before.place), told(publish, place)],
      });
    lasts.set(name, { publish, place });
  }
  return found;
}

/** What was accepted is somewhere: a reader saw it, or it is stored, or the store had no room for all. */
function kept({ publishes, stored, cuts, keepsAll }: History, places: Places): readonly Violation[] {
  const last = cuts.at(-1) ?? Number.NEGATIVE_INFINITY;
  const there = new Map(
    [...stored].map(([channel, messages]) => [channel, new Set(messages.map(({ key }) => key))]),
  );
  const found: Violation[] = [];
  for (const publish of publishes) {
    const { channel, key, outcome, sentAt } = publish;
    const keys = there.get(channel);
    if (keys === undefined || sentAt < last) continue;
    if (outcome === "refused" && keys.has(key))
      found.push({
        promise: "honest",
        sentence: `${key} was refused, and is stored`,
        story: [told(publish, places.lastOf(key))],
      });
    if (outcome !== "accepted" || keys.has(key) || !keepsAll) continue;
    found.push({
      promise: "kept",
      sentence: `${key} was accepted, and is not stored at the end though there was room`,
      story: [told(publish, places.lastOf(key))],
    });
  }
  return found;
}

/** What publishers are answered: counts that grow, and statuses that are documented. */
function honest({ publishes, cuts }: History): readonly Violation[] {
  const counts = new Map<string, { publish: Publish; count: number }>();
  const found: Violation[] = [];
  for (const publish of publishes.toSorted((one, other) => one.answeredAt - other.answeredAt)) {
    if (publish.outcome !== "accepted") continue;
    const life = cuts.filter((cut) => cut <= publish.answeredAt).length;
    if (publish.count === null || publish.count < 1) {
      found.push({
        promise: "honest",
        sentence: `${publish.key} was answered ${publish.status} without a count of messages`,
        story: [told(publish, null)],
      });
      continue;
    }
    const name = `${publish.publisher} ${publish.channel} ${life}`;
    const before = counts.get(name);
    if (before !== undefined && before.count >= publish.count && before.publish.answeredAt <= publish.sentAt)
      found.push({
        promise: "honest",
        sentence: `${publish.channel} had ${before.count} messages, and ${publish.count} after one more`,
        story: [told(before.publish, null), told(publish, null)],
      });
    counts.set(name, { publish, count: publish.count });
  }
  return found;
}

function count({ publishes, lines }: History): Counts {
  const counts: Counts = {
    accepted: 0,
    refused: 0,
    unknown: 0,
    deliveries: 0,
    opens: 0,
    resumes: 0,
    moves: 0,
    gaps: 0,
    missed: 0,
  };
  for (const { outcome } of publishes) counts[outcome]++;
  for (const { events } of lines) {
    let lane = "";
    for (const event of events) {
      if (event.kind === "message") counts.deliveries++;
      if (event.kind === "gap") {
        counts.gaps++;
        counts.missed += event.missed ?? 0;
      }
      if (event.kind !== "open") continue;
      counts.opens++;
      if (event.resumes) counts.resumes++;
      if (event.resumes && lane !== event.lane) counts.moves++;
      lane = event.lane;
    }
  }
  return counts;
}

/** How many events of a line a story has at most: its ends are what matters. */
const STORY = 12;

function violation(
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

const told = ({ key, channel, sentAt, answeredAt, outcome, status }: Publish, place: Place | null): string =>
  `publish ${key} to ${channel}${place === null ? "" : ` (${place.id})`}: sent at ${ms(sentAt)}, ${outcome} (${status}) at ${ms(answeredAt)}`;

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

const list = (keys: readonly string[]): string =>
  keys.length === 0
    ? "messages that nobody else saw"
    : keys.length > 3
      ? `${keys.slice(0, 3).join(", ")} and ${keys.length - 3} more`
      : keys.join(", ");
