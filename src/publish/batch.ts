/**
 * Many messages in one request: `application/x-ndjson` or `application/x-msgpack` to a publisher location
 * whose path names no channel. All lines are read, and compared with what is granted, before any is stored:
 * one that is faulty costs all of them, and nothing was done. Then each has a result of its own, in order.
 * Part of an endpoint.
 */

import type { LocatedRequest } from "../config/location/located-request.ts";
import type { Config, LocationConfig } from "../config/model.ts";
import type { Judge, Lease, LocationHooks, OfferedDraft } from "../front/location-hooks.ts";
import { ANTI_CACHE } from "../http/answer.ts";
import { type Answer, SharedAnswer } from "../http/direct-answer.ts";
import { Refusals } from "../http/errors.ts";
import { type Refusal, retryAfterSec } from "../http/refusal.ts";
import { traceOf } from "../http/traceparent.ts";
import type { HeaderSet } from "./answer-headers.ts";
import { type Fault, type Line, LineReader } from "./batch-line.ts";
import { type Form, type FoundLine, linesOf, type RawLine } from "./batch-reader.ts";
import { readBody } from "./body.ts";
import { keyWith } from "./idempotency.ts";
import { type Ingest, marksFor } from "./ingest.ts";
import { encoded, encodedAll, type LineOutcome, Results, resultOfFault } from "./own-form.ts";
import { type Place, placesOf, putAll } from "./put.ts";
import type { Replies } from "./replies.ts";

const FORMS: readonly (readonly [type: string, form: Form])[] = [
  ["application/x-ndjson", "json"],
  ["application/x-msgpack", "msgpack"],
];
const TYPE_OF = { json: "application/x-ndjson", msgpack: "application/x-msgpack" } as const;
const TYPE_OF_FAULTS = { json: "application/json", msgpack: "application/x-msgpack" } as const;

/** Of a batch, where the location takes bodies of any length. */
const MOST_BYTES = 64 * 1024 * 1024;
/** Faults that are told one by one. */
const MOST_FAULTS = 100;
/** Others have their turn after so long. */
const TURN_MS = 4;
/** Of those that need no parsing, between two looks at the clock. */
const UNTIMED_LINES = 16;

interface NumberedFault {
  readonly line: number;
  readonly fault: Fault;
}

/** Why nothing is published: one reason for all of it, or what is wrong with some of the lines. */
type Refused =
  | Refusal
  | { readonly faults: readonly NumberedFault[]; readonly faulty: number; readonly lines: number };

export class BatchPublishing {
  readonly #ingest: Ingest;
  readonly #location: LocationConfig;
  readonly #hooks: LocationHooks | null;
  readonly #replies: Replies;
  readonly #reader: LineReader;
  readonly #results: Results;
  readonly #maxMessages: number;
  readonly #maxBytes: number;

  constructor(
    ingest: Ingest,
    config: Config,
    location: LocationConfig,
    hooks: LocationHooks | null,
    replies: Replies,
  ) {
    this.#ingest = ingest;
    this.#location = location;
    this.#hooks = hooks;
    this.#replies = replies;
    this.#reader = new LineReader(config, ingest.store.maxMessageBytes);
    this.#results = new Results(ingest.store);
    this.#maxMessages = config.limits.maxMessagesPerRequest;
    this.#maxBytes = Math.min(MOST_BYTES, location.maxBodyBytes || MOST_BYTES);
  }

  /**
   * null: it is none, or none is taken here. A guard that has not said for which channels it lets somebody in
   * has seen none.
   */
  formOf(located: LocatedRequest): Form | null {
    const isSeen = located.grant !== null || (this.#location.code?.authorize ?? null) === null;
    if (!this.#location.batch || !isSeen) return null;
    const type = located.header("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
    return FORMS.find(([known]) => known === type)?.[1] ?? null;
  }

  async handle(
    located: LocatedRequest,
    headers: HeaderSet,
    form: Form,
    isDeclared: boolean,
  ): Promise<Answer> {
    let body: Uint8Array | "too large";
    try {
      // What is here already lies in bytes that the next request uses again.
      const now = located.bodyNow();
      body = now === null ? await readBody(located, isDeclared, this.#maxBytes) : new Uint8Array(now);
    } catch (error) {
      return this.#replies.bodyFailed(error, headers);
    }
    if (body === "too large" || body.length > this.#maxBytes) return this.#replies.tooLarge(headers);
    const lines = await this.#read(body, form);
    if (!Array.isArray(lines)) return this.#refuse(lines, headers, form);
    const refusal = this.#notGranted(lines, this.#hooks?.lease(located) ?? null);
    if (refusal !== null) return this.#refuse(refusal, headers, form);
    const outcomes = await this.#publish(located, lines);
    const later = allLater(outcomes);
    if (later !== null) return this.#replies.refuse(later, headers);
    return this.#replies.onDisk(this.#answer(located, headers, form, outcomes), headers);
  }

  async #read(body: Uint8Array, form: Form): Promise<Line[] | Refused> {
    const lines: Line[] = [];
    const faults: NumberedFault[] = [];
    let messages = 0;
    let faulty = 0;
    let turnMs = performance.now();
    let untimed = 0;
    for (const raw of linesOf(body, form)) {
      const line = this.#line(raw, body);
      messages += "status" in line ? 1 : line.names.length;
      if (messages > this.#maxMessages) return Refusals.tooManyMessages;
      if (!("status" in line)) lines.push(line);
      else if (++faulty <= MOST_FAULTS) faults.push({ line: raw.number, fault: line });
      // A clock costs as much as a line that needs no parsing.
      if ("found" in raw && ++untimed % UNTIMED_LINES !== 0) continue;
      if (performance.now() - turnMs < TURN_MS) continue;
      await new Promise(setImmediate);
      turnMs = performance.now();
    }
    if (faulty > 0) return { faults, faulty, lines: lines.length + faulty };
    return lines.length > 0 ? lines : Refusals.emptyMessage;
  }

  #line(raw: RawLine | FoundLine, body: Uint8Array): Line | Fault {
    if ("found" in raw) return this.#reader.plain(raw.channel, body, raw.found, raw.length);
    const { fields, dataOf } = raw;
    return "status" in fields && "code" in fields ? (fields as Fault) : this.#reader.read(fields, dataOf);
  }

  /** What is granted, and how often, line by line; each counts as a request. */
  #notGranted(lines: readonly Line[], lease: Lease | null): Refused | null {
    if (lease === null) return null;
    const faults: NumberedFault[] = [];
    let faulty = 0;
    for (const [at, { names }] of lines.entries()) {
      const fault = lease.refusalOf(names);
      if (fault?.code === Refusals.tooManyRequests.code) return fault;
      if (fault !== null && ++faulty <= MOST_FAULTS) faults.push({ line: at + 1, fault });
    }
    return faulty > 0 ? { faults, faulty, lines: lines.length } : null;
  }

  async #publish(located: LocatedRequest, lines: readonly Line[]): Promise<readonly LineOutcome[]> {
    const { user } = located;
    const trace = traceOf(located.header("traceparent"));
    const judge = this.#hooks?.judge(located) ?? null;
    const judged =
      judge === null
        ? lines.map((line) => this.#places(line, user, trace))
        : await this.#judged(judge, lines, user, trace);
    const places: Place[] = [];
    for (const each of judged) if (!("status" in each)) for (const place of each) places.push(place);
    await putAll(this.#ingest, places, located, this.#ingest.quota?.of(located.peer) ?? "yes");
    return judged;
  }

  #places(
    line: Line,
    user: string | null,
    ofAll: Uint8Array | null,
    changed: OfferedDraft | null = null,
  ): readonly Place[] {
    const { names, eventId, eventType, sentKey } = line;
    const trace = line.trace ?? ofAll;
    line.stored = this.#location.storeMessages;
    // The data are looked at by nobody else: nearly always not at all.
    if (trace !== null || this.#ingest.marksOf)
      line.marks = marksFor(this.#ingest, user, null, line.data, trace);
    if (sentKey !== null) line.key = keyWith(sentKey, line.data, eventId, eventType);
    if (changed === null) return placesOf(names, line, line);
    const { stored, marks, key } = line;
    return placesOf(names, { ...changed, stored, marks, key });
  }

  /** In order, and each on its way before the first is waited for, as messages that come one by one are. */
  #judged(
    judge: Judge,
    lines: readonly Line[],
    user: string | null,
    ofAll: Uint8Array | null,
  ): Promise<(readonly Place[] | Refusal)[]> {
    return Promise.all(
      lines.map(async (line) => {
        const { names, data, eventId, eventType } = line;
        const said = await judge(names, { data, eventId, eventType, trace: line.trace ?? ofAll });
        return "status" in said ? said : this.#places(line, user, ofAll, said);
      }),
    );
  }

  #answer(located: LocatedRequest, headers: HeaderSet, form: Form, outcomes: readonly LineOutcome[]): Answer {
    const init = headers.ofType(TYPE_OF[form]);
    const body = encodedAll(form, this.#results, outcomes);
    return located.isDirect ? new SharedAnswer(init, body) : new Response(body, init);
  }

  #refuse(refused: Refused, headers: HeaderSet, form: Form): Response {
    if ("status" in refused) return this.#replies.refuse(refused, headers);
    const { faults, faulty, lines } = refused;
    const [first] = faults;
    const isOne = faults.every(({ fault }) => fault.status === first?.fault.status);
    const { code, explain } = Refusals.faultyBatch;
    const status = isOne ? (first?.fault.status ?? 400) : 400;
    const told = faults.map(({ line, fault }) => ({ line, ...resultOfFault(fault) }));
    const map = { status, code, explain, lines, faulty, faults: told };
    this.#replies.countRefusal(status);
    return new Response(encoded(form, map), {
      status,
      headers: {
        ...ANTI_CACHE,
        "Content-Type": TYPE_OF_FAULTS[form],
        "X-Nginx-PushStream-Explain": explain ?? code,
        ...headers.fields,
      },
    });
  }
}

/**
 * Nothing of it is in, for a reason that passes: said as of one message, so that whoever sends again does.
 */
function allLater(outcomes: readonly LineOutcome[]): Refusal | null {
  let later: Refusal | null = null;
  for (const outcome of outcomes) {
    if ("status" in outcome) return null;
    for (const { refusal } of outcome) {
      if (refusal === null || retryAfterSec(refusal) === 0 || refusal.status < 500) return null;
      later = refusal;
    }
  }
  return later;
}
