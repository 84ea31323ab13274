/**
 * `auth_request`: what a backend, or a handler of this server, says about a request that brings neither token
 * nor key. Its answer is a ticket: it counts for equal questions as long as `auth_cache` says, and who asks
 * meanwhile waits for the same answer. So neither long polls nor a crowd that comes back flood a backend.
 * Called by the gate.
 *
 * Everything that the backend is told is part of the question. Nothing it could decide by can differ between
 * two requests that share a ticket.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { QuestionConfig } from "../config/model/access.ts";
import type { LocationConfig } from "../config/model.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { log } from "../log.ts";
import { grantOfAnswer } from "./answered-grant.ts";
import { boundedFetch, type Fetched, TooLarge } from "./bounded-fetch.ts";
import { digestOf } from "./digest.ts";
import { positionArguments, withoutArguments } from "./position-arguments.ts";
import { LET_IN, type Refused, type Verdict } from "./verdict.ts";

const OURS = ["x-original-uri", "x-original-method", "x-channel-id"];

/** How the handler of a location of this server answers; rejects where it does not. */
export type AskLocation = (path: string, located: LocatedRequest, headers: Headers) => Promise<Fetched>;

const MAX_ANSWER_BYTES = 64 * 1024;
const MOST_AT_ONCE = 512;
/** Tickets of a location and worker. */
const MOST_TICKETS = 10_000;
/** A refusal counts for less: it may be the login that follows. */
const REFUSED_MS = 1000;
/**
 * A backend that is not there, or let so many questions time out in a row, is left alone for so long, twice
 * as long each time.
 */
const MOST_LATE = 8;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;
const TELL_EVERY_MS = 1000;

interface Ticket {
  readonly verdict: Verdict;
  readonly endMs: number;
}

export class Question {
  readonly #config: QuestionConfig;
  readonly #role: string;
  readonly #askLocation: AskLocation;
  readonly #positions: ReadonlySet<string>;
  readonly #tickets = new Map<string, Ticket>();
  readonly #underWay = new Map<string, Promise<Verdict>>();
  #lastChannels: readonly string[] = [];
  #lastChannelId = "";
  #toldMs = Number.NEGATIVE_INFINITY;
  #untold = 0;
  #pauseMs = 0;
  /** In a row. */
  #late = 0;
  #pausedUntilMs = 0;

  constructor(config: QuestionConfig, location: LocationConfig, askLocation: AskLocation) {
    this.#config = config;
    this.#role = location.role.kind;
    this.#askLocation = askLocation;
    this.#positions = positionArguments(location);
  }

  /** `channels`: those asked for, as binary strings. */
  ask(located: LocatedRequest, channels: readonly string[]): Verdict | Promise<Verdict> {
    const told = this.#told(located, channels);
    const key = digestOf(...told);
    const ticket = this.#tickets.get(key);
    if (ticket !== undefined) {
      if (ticket.endMs > Date.now()) return ticket.verdict;
      this.#tickets.delete(key);
    }
    const same = this.#underWay.get(key);
    if (same !== undefined) return same;
    if (performance.now() < this.#pausedUntilMs) return refused(Refusals.backendFailed);
    if (this.#underWay.size >= MOST_AT_ONCE) return refused(Refusals.accessBusy);
    const verdict = this.#answer(located, this.#headers(told), channels).then((outcome) => {
      this.#keep(key, outcome);
      return outcome;
    });
    const settled = verdict.finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, settled);
    return settled;
  }

  /**
   * What it is told: the values of the listed fields, "" for one that is not there, and what is asked for.
   * Made for each request.
   */
  #told(located: LocatedRequest, channels: readonly string[]): readonly string[] {
    const told: string[] = [];
    for (const name of this.#config.headers) told.push(located.header(name) ?? "");
    const query = withoutArguments(located.rawQuery, this.#positions);
    told.push(
      located.rawUrlPath + (query === "" ? "" : `?${query}`),
      located.method,
      this.#channelId(channels),
    );
    return told;
  }

  #headers(told: readonly string[]): Headers {
    const headers = new Headers();
    const names = this.#config.headers;
    // An empty field is told as none is.
    names.forEach((name, at) => {
      if (told[at] !== "") headers.set(name, told[at] ?? "");
    });
    OURS.forEach((name, at) => {
      headers.set(name, told[names.length + at] ?? "");
    });
    headers.set("x-role", this.#role);
    return headers;
  }

  /**
   * Ids that cannot stand in a field are percent-encoded, as they are in a URI. The same channels are asked
   * for again and again.
   */
  #channelId(channels: readonly string[]): string {
    if (channels !== this.#lastChannels) {
      this.#lastChannels = channels;
      this.#lastChannelId = channels.map(encoded).join("/");
    }
    return this.#lastChannelId;
  }

  async #answer(located: LocatedRequest, headers: Headers, channels: readonly string[]): Promise<Verdict> {
    const { to, timeoutMs } = this.#config;
    try {
      const answer = to.startsWith("/")
        ? await inTime(this.#askLocation(to, located, headers), timeoutMs)
        : await boundedFetch(to, headers, { timeoutMs, maxBytes: MAX_ANSWER_BYTES });
      this.#pauseMs = 0;
      this.#late = 0;
      return this.#verdict(answer, channels);
    } catch (error) {
      this.#pauseAfter(error);
      return this.#failed(error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * Down, or hanging: the next clients are told so at once. Not after a single answer that was late or too
   * large: whoever can ask for one would shut out everybody.
   */
  #pauseAfter(error: unknown): void {
    if (error instanceof TooLarge) return;
    if (error instanceof Error && error.name === "TimeoutError" && ++this.#late < MOST_LATE) return;
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2));
    this.#pausedUntilMs = performance.now() + this.#pauseMs;
  }

  #verdict(answer: Fetched, channels: readonly string[]): Verdict {
    const { status, headers } = answer;
    if (status >= 200 && status < 300) {
      const grant = grantOfAnswer(answer, channels);
      return grant ?? this.#failed("it let in, with a body that is no grant");
    }
    if (status === 403) return refused(Refusals.backendForbidden);
    if (status !== 401) return this.#failed(`it was answered with ${status}`);
    const challenge = headers.get("www-authenticate");
    return refused(Refusals.backendUnauthorized, challenge === null ? {} : { "WWW-Authenticate": challenge });
  }

  /** Said once a second at most: whoever can make a backend fail could fill the log. */
  #failed(why: string): Refused {
    const nowMs = performance.now();
    this.#untold++;
    if (nowMs - this.#toldMs >= TELL_EVERY_MS) {
      const to = this.#config.to.split("?", 1)[0] ?? "";
      log("error", "auth_request: nobody can say who may come", { to, why, times: this.#untold });
      this.#toldMs = nowMs;
      this.#untold = 0;
    }
    return refused(Refusals.backendFailed);
  }

  #keep(key: string, verdict: Verdict): void {
    const { cacheMs } = this.#config;
    const nowMs = Date.now();
    const isGood = verdict === LET_IN || !("refusal" in verdict);
    const lifeMs = isGood ? cacheMs : Math.min(cacheMs, REFUSED_MS);
    const grantEndMs = verdict !== LET_IN && "endMs" in verdict ? verdict.endMs : Number.POSITIVE_INFINITY;
    const endMs = Math.min(nowMs + lifeMs, grantEndMs);
    if (endMs <= nowMs) return;
    if (this.#tickets.size >= MOST_TICKETS) {
      const [oldest] = this.#tickets.keys();
      if (oldest !== undefined) this.#tickets.delete(oldest);
    }
    this.#tickets.set(key, { verdict, endMs });
  }
}

/** A handler has a limit of its own, its body has none. */
async function inTime<Value>(answer: Promise<Value>, timeoutMs: number): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new DOMException("it took too long", "TimeoutError")), timeoutMs);
  try {
    return await Promise.race([answer, promise]);
  } finally {
    clearTimeout(timer);
  }
}

const refused = (refusal: Refusal, fields: Refused["fields"] = {}): Refused => ({ refusal, fields });

/** Channel ids are bytes; a field has none but those of a URI. */
const encoded = (name: string): string => {
  let text = "";
  for (const char of name) {
    text += /[A-Za-z0-9._~-]/.test(char)
      ? char
      : `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
};
