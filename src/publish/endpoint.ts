/**
 * One publisher location (push-stream spec 2): POST and PUT publish, GET tells about channels, DELETE (admin)
 * removes them. Made once per location and worker by plugin.ts; steps and their order are those of spec 2.1.
 */
import { binaryBytes } from "../config/binary-text.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { Config, LocationConfig } from "../config/model.ts";
import type { Judge, LocationHooks, OfferedDraft } from "../front/location-hooks.ts";
import type { Answer } from "../http/direct-answer.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { spend } from "../http/spent-bytes.ts";
import { traceOf } from "../http/traceparent.ts";
import type { Marks } from "../message.ts";
import { AnswerHeaders, type HeaderSet } from "./answer-headers.ts";
import { AskedChannels } from "./asked-channels.ts";
import { BatchPublishing } from "./batch.ts";
import { readBody, wholeBody } from "./body.ts";
import { ChannelInfo } from "./channel-info.ts";
import { Deletion } from "./deletion.ts";
import { type Draft, type Ingest, ingestPatiently, marksFor, openTarget, type Target } from "./ingest.ts";
import { KnownTargets } from "./known-targets.ts";
import { refusalOf } from "./put.ts";
import { Replies } from "./replies.ts";
import { ToldPublishing, type Wish } from "./told.ts";

/** What the store takes. */
const MAX_EVENT_NAME_BYTES = 65_534;

export class PublisherEndpoint {
  readonly #location: LocationConfig;
  readonly #maxBodyBytes: number;
  readonly #headers: AnswerHeaders;
  readonly #ingest: Ingest;
  readonly #judges: LocationHooks | null;
  readonly #asked: AskedChannels;
  readonly #replies: Replies;
  readonly #info: ChannelInfo;
  readonly #batch: BatchPublishing;
  readonly #told: ToldPublishing;
  /** null: nobody may delete here. */
  readonly #deletion: Deletion | null;
  readonly #known = new KnownTargets();

  constructor(
    config: Config,
    location: LocationConfig,
    admin: boolean,
    ingest: Ingest,
    hooks: LocationHooks | null = null,
  ) {
    const allow = admin ? "GET, POST, PUT, DELETE" : "GET, POST, PUT";
    this.#judges = hooks?.judges === true ? hooks : null;
    this.#location = location;
    this.#maxBodyBytes = location.maxBodyBytes > 0 ? location.maxBodyBytes : Number.POSITIVE_INFINITY;
    this.#headers = new AnswerHeaders(location, allow);
    this.#ingest = ingest;
    this.#asked = new AskedChannels(config, location);
    this.#replies = new Replies(ingest, allow);
    this.#info = new ChannelInfo(ingest, this.#asked, this.#replies);
    this.#batch = new BatchPublishing(ingest, config, location, hooks, this.#replies);
    this.#told = new ToldPublishing(ingest);
    this.#deletion = admin
      ? new Deletion(
          ingest,
          this.#asked,
          this.#replies,
          this.#maxBodyBytes,
          config.messages.channelDeletedText,
        )
      : null;
  }

  handle(located: LocatedRequest): Answer | Promise<Answer> {
    const headers = this.#headers.of(located);
    // nginx looks at the declared length before it asks the module anything: no channel is made, and every
    // method gets it (2.1 (1)).
    const declared = located.declaredBytes;
    if (declared > this.#maxBodyBytes) return this.#replies.tooLarge(headers);
    switch (located.method) {
      case "POST":
      case "PUT":
        return this.#publish(located, headers, declared >= 0);
      case "GET":
        return this.#info.tell(located, headers);
      case "OPTIONS":
        return new Response(null, headers.empty);
      case "DELETE":
        return this.#deletion?.handle(located, headers, declared >= 0) ?? this.#replies.notAllowed(headers);
      default:
        return this.#replies.notAllowed(headers);
    }
  }

  // --- publish: channels are made in path order before the body is looked at (spec 2.1 (7), 2.4)
  // --------------------------- What makes a function for later stands in a method of its own: the engine
  // makes the environment of such functions whenever their method is called, and most publishes need none but
  // the one that waits for the body.

  #publish(located: LocatedRequest, headers: HeaderSet, isDeclared: boolean): Answer | Promise<Answer> {
    const targets = this.#targets(this.#asked.path(located), located);
    if ("status" in targets) return this.#notTargeted(located, headers, isDeclared, targets);
    const body = located.bodyNow();
    if (body !== null) return this.#append(located, headers, targets, this.#ours(body));
    const whole = wholeBody(located, isDeclared);
    return whole === null
      ? this.#appendChunks(located, headers, targets)
      : this.#appendWhole(located, headers, targets, whole);
  }

  #notTargeted(
    located: LocatedRequest,
    headers: HeaderSet,
    isDeclared: boolean,
    refusal: Refusal,
  ): Answer | Promise<Answer> {
    if (refusal === Refusals.busy) return this.#publishLater(located, headers, isDeclared);
    const form = refusal === Refusals.noChannel ? this.#batch.formOf(located) : null;
    if (form !== null) return this.#batch.handle(located, headers, form, isDeclared);
    return this.#replies.refuse(refusal, headers);
  }

  /**
   * What is here already lies in bytes that the next request uses again; a hook, and an order that others
   * give, take their time.
   */
  #ours(body: Uint8Array): Uint8Array {
    return this.#isDoneAtOnce ? body : new Uint8Array(body);
  }
  get #isDoneAtOnce(): boolean {
    return this.#judges === null && !this.#ingest.order;
  }

  #publishLater(located: LocatedRequest, headers: HeaderSet, isDeclared: boolean): Promise<Answer> {
    return this.#replies.later(located, headers, () => this.#publish(located, headers, isDeclared));
  }

  #appendWhole(
    located: LocatedRequest,
    headers: HeaderSet,
    targets: readonly Target[],
    whole: Promise<Uint8Array>,
  ): Promise<Answer> {
    return whole.then(
      (body) => {
        const answer = this.#append(located, headers, targets, body);
        // Answered: it is stored or refused. A hook, and an order that others give, may keep it.
        if (this.#isDoneAtOnce && !(answer instanceof Promise)) spend(body);
        return answer;
      },
      (error: unknown) => this.#replies.bodyFailed(error, headers),
    );
  }

  #appendChunks(located: LocatedRequest, headers: HeaderSet, targets: readonly Target[]): Promise<Answer> {
    return readBody(located, false, this.#maxBodyBytes).then(
      (body) =>
        body === "too large"
          ? this.#replies.tooLarge(headers)
          : this.#append(located, headers, targets, body),
      (error: unknown) => this.#replies.bodyFailed(error, headers),
    );
  }

  #targets(path: string, located: LocatedRequest): readonly Target[] | Refusal {
    const known = this.#known.find(this.#ingest.store, path);
    if (known !== null) return known;
    const opened = this.#openTargets(path, located);
    if (!("status" in opened)) this.#known.keep(path, opened);
    return opened;
  }

  #openTargets(path: string, located: LocatedRequest): readonly Target[] | Refusal {
    const nowMs = Date.now();
    const names = this.#asked.names(path);
    if ("status" in names) return names;
    const mayMake = this.#ingest.quota?.of(located.peer) ?? "yes";
    const targets: Target[] = [];
    for (const name of names) {
      const refusal = this.#asked.refusalOf(name);
      if (refusal !== null) return refusal;
      const target = openTarget(this.#ingest.store, name, nowMs, mayMake);
      if ("status" in target) return target;
      targets.push(target);
    }
    return targets;
  }

  #append(
    located: LocatedRequest,
    headers: HeaderSet,
    targets: readonly Target[],
    data: Uint8Array,
  ): Answer | Promise<Answer> {
    if (data.length > this.#maxBodyBytes) return this.#replies.tooLarge(headers);
    if (data.length === 0) return this.#replies.refuse(Refusals.emptyMessage, headers);
    const eventId = headerBytes(located, "event-id");
    const eventType = headerBytes(located, "event-type");
    if (Math.max(eventId?.length ?? 0, eventType?.length ?? 0) > MAX_EVENT_NAME_BYTES)
      return this.#replies.refuse(Refusals.eventNameTooLarge, headers);
    const trace = traceOf(located.header("traceparent"));
    const wish = this.#told.wishOf(located, data, eventId, eventType);
    if (wish !== null && "status" in wish) return this.#replies.refuse(wish, headers);
    const judge = this.#judges?.judge(located) ?? null;
    const marks = this.#marksOf(located, data, trace);
    if (judge !== null)
      return this.#judged(located, headers, targets, wish, judge, marks, {
        data,
        eventId,
        eventType,
        trace,
      });
    const draft = { data, eventId, eventType, stored: this.#location.storeMessages, marks };
    return this.#store(located, headers, targets, wish, draft);
  }

  #marksOf(located: LocatedRequest, data: Uint8Array, trace: Uint8Array | null): Marks | null {
    const ingest = this.#ingest;
    const signature = ingest.marksOf ? located.header("x-sluice-signature") : null;
    return marksFor(ingest, located.user, signature, data, trace);
  }

  #judged(
    located: LocatedRequest,
    headers: HeaderSet,
    targets: readonly Target[],
    wish: Wish | null,
    judge: Judge,
    marks: Marks | null,
    draft: OfferedDraft,
  ): Answer | Promise<Answer> {
    const stored = this.#location.storeMessages;
    const act = (said: OfferedDraft | Refusal): Answer | Promise<Answer> =>
      "status" in said
        ? this.#replies.refuse(said, headers)
        : this.#store(located, headers, targets, wish, { ...said, stored, marks });
    const names = targets.map(({ name }) => name);
    const verdict = judge(names, draft);
    return verdict instanceof Promise ? verdict.then(act) : act(verdict);
  }

  #store(
    located: LocatedRequest,
    headers: HeaderSet,
    targets: readonly Target[],
    wish: Wish | null,
    draft: Draft,
  ): Answer | Promise<Answer> {
    if (wish !== null) return this.#tell(located, headers, targets, wish, draft);
    const refusal = ingestPatiently(this.#ingest, targets, draft, Date.now(), located);
    return refusal instanceof Promise
      ? this.#storedLate(located, headers, targets, refusal)
      : this.#stored(located, headers, targets, refusal);
  }

  async #tell(
    located: LocatedRequest,
    headers: HeaderSet,
    targets: readonly Target[],
    wish: Wish,
    draft: Draft,
  ): Promise<Answer> {
    const places = await this.#told.put(located, targets, wish, draft);
    const refusal = refusalOf(places);
    if (refusal !== null) return this.#replies.notStored(refusal, headers);
    if (wish.form === null) return this.#stored(located, headers, targets, null);
    return this.#replies.onDisk(this.#told.answer(located, headers, wish.form, places), headers);
  }

  #storedLate(
    located: LocatedRequest,
    headers: HeaderSet,
    targets: readonly Target[],
    refusal: Promise<Refusal | null>,
  ): Promise<Answer> {
    return refusal.then((late) => this.#stored(located, headers, targets, late));
  }

  #stored(
    located: LocatedRequest,
    headers: HeaderSet,
    targets: readonly Target[],
    refusal: Refusal | null,
  ): Answer | Promise<Answer> {
    if (refusal !== null) return this.#replies.notStored(refusal, headers);
    if (!this.#location.channelInfoOnPublish) {
      return this.#replies.onDisk(
        located.isDirect ? headers.emptyAnswer : new Response(null, headers.empty),
        headers,
      );
    }
    return this.#replies.onDisk(this.#info.of(located, headers, targets), headers);
  }
}

/** A present but empty header is an empty id, an absent one is none (spec 2.4). */
function headerBytes(located: LocatedRequest, name: string): Uint8Array | null {
  const value = located.header(name);
  return value === null ? null : binaryBytes(value);
}
