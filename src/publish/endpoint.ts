/**
 * One publisher location (push-stream spec 2): POST and PUT publish, GET tells about channels, DELETE (admin) removes them. Made once
 * per location and worker by plugin.ts; steps and their order are those of spec 2.1.
 */
import { hostname } from "node:os";
import { headerOnly, NO_CACHE, refuse } from "../answer.ts";
import { binaryBytes } from "../config/binary-text.ts";
import type { LocatedRequest } from "../config/located-request.ts";
import type { Config, LocationConfig } from "../config/model.ts";
import { rememberedByUrl } from "../config/url-value.ts";
import type { CompiledValue } from "../config/variables.ts";
import { type Answer, SharedAnswer } from "../direct-answer.ts";
import { type Refusal, Refusals } from "../errors.ts";
import { errorPage } from "../front/error-page.ts";
import type { Judge, LocationHooks, OfferedDraft } from "../front/location-hooks.ts";
import { type ChannelCounts, channelCounts, countsByName, zoneCounts } from "../store/channel-statistics.ts";
import { Counter } from "../store/counters.ts";
import { BUSY } from "../store/outcome.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { nameRefusal, parseChannelsPath } from "../wire/channels-path.ts";
import { negotiate } from "../wire/statistics-format.ts";
import { AnswerHeaders, type HeaderSet } from "./answer-headers.ts";
import { readBody, wholeBody } from "./body.ts";
import { type Draft, type Ingest, ingestPatiently, openTarget, type Target } from "./ingest.ts";
import { KnownTargets } from "./known-targets.ts";
import type { Order } from "./order.ts";

const encoder = new TextEncoder();

/** What the store takes. */
const MAX_EVENT_NAME_BYTES = 65_534;

export class PublisherEndpoint {
  readonly #config: Config;
  readonly #location: LocationConfig;
  readonly #admin: boolean;
  readonly #allow: string;
  readonly #maxBodyBytes: number;
  readonly #headers: AnswerHeaders;
  readonly #channelsPath: CompiledValue;
  readonly #ingest: Ingest;
  readonly #writer = new ByteWriter();
  readonly #hooks: LocationHooks | null;
  readonly #known = new KnownTargets();
  readonly #deletedText: Uint8Array;

  constructor(
    config: Config,
    location: LocationConfig,
    admin: boolean,
    ingest: Ingest,
    hooks: LocationHooks | null = null,
  ) {
    this.#hooks = hooks;
    this.#config = config;
    this.#location = location;
    this.#admin = admin;
    this.#allow = admin ? "GET, POST, PUT, DELETE" : "GET, POST, PUT";
    this.#maxBodyBytes = location.maxBodyBytes > 0 ? location.maxBodyBytes : Number.POSITIVE_INFINITY;
    this.#headers = new AnswerHeaders(location, this.#allow);
    this.#channelsPath = rememberedByUrl(location, location.channelsPath);
    this.#ingest = ingest;
    this.#deletedText = encoder.encode(config.messages.channelDeletedText);
  }

  handle(located: LocatedRequest): Answer | Promise<Answer> {
    const headers = this.#headers.of(located);
    // nginx looks at the declared length before it asks the module anything: no channel is made, and every method gets it (2.1 (1)).
    const declared = located.header("content-length");
    if (Number(declared) > this.#maxBodyBytes) return this.#tooLarge(headers);
    switch (located.method) {
      case "POST":
      case "PUT":
        return this.#publish(located, headers, declared !== null);
      case "GET":
        return this.#tell(located, headers);
      case "OPTIONS":
        return new Response(null, headers.empty);
      case "DELETE":
        return this.#admin ? this.#delete(located, headers, declared !== null) : this.#notAllowed(headers);
      default:
        return this.#notAllowed(headers);
    }
  }

  // --- publish: channels are made in path order before the body is looked at (spec 2.1 (7), 2.4) ---------------------------
  // What makes a function for later stands in a method of its own: the engine makes the environment of such functions whenever their
  // method is called, and most publishes need none but the one that waits for the body.

  #publish(located: LocatedRequest, headers: HeaderSet, isDeclared: boolean): Answer | Promise<Answer> {
    const targets = this.#targets(this.#path(located), located);
    if (targets === Refusals.busy) return this.#publishLater(located, headers, isDeclared);
    if ("status" in targets) return this.#refuse(targets, headers);
    const body = located.bodyNow();
    if (body !== null) return this.#append(located, headers, targets, body);
    const whole = wholeBody(located, isDeclared);
    return whole === null
      ? this.#appendChunks(located, headers, targets)
      : this.#appendWhole(located, headers, targets, whole);
  }

  #publishLater(located: LocatedRequest, headers: HeaderSet, isDeclared: boolean): Promise<Answer> {
    return this.#later(located, headers, () => this.#publish(located, headers, isDeclared));
  }

  #appendWhole(
    located: LocatedRequest,
    headers: HeaderSet,
    targets: readonly Target[],
    whole: Promise<Uint8Array>,
  ): Promise<Answer> {
    return whole.then(
      (body) => this.#append(located, headers, targets, body),
      (error: unknown) => this.#bodyFailed(error, headers),
    );
  }

  #appendChunks(located: LocatedRequest, headers: HeaderSet, targets: readonly Target[]): Promise<Answer> {
    return readBody(located, false, this.#maxBodyBytes).then(
      (body) =>
        body === "too large" ? this.#tooLarge(headers) : this.#append(located, headers, targets, body),
      (error: unknown) => this.#bodyFailed(error, headers),
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
    const names = this.#names(path);
    if ("status" in names) return names;
    const mayMake = this.#ingest.quota?.of(located.peer) ?? "yes";
    const targets: Target[] = [];
    for (const name of names) {
      const refusal = nameRefusal(name, this.#config.limits.maxChannelIdLength);
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
    if (data.length > this.#maxBodyBytes) return this.#tooLarge(headers);
    if (data.length === 0) return this.#refuse(Refusals.emptyMessage, headers);
    const eventId = headerBytes(located, "event-id");
    const eventType = headerBytes(located, "event-type");
    if (Math.max(eventId?.length ?? 0, eventType?.length ?? 0) > MAX_EVENT_NAME_BYTES)
      return this.#refuse(Refusals.eventNameTooLarge, headers);
    const judge = this.#hooks?.judge(located) ?? null;
    if (judge !== null) return this.#judged(located, headers, targets, judge, { data, eventId, eventType });
    const draft = { data, eventId, eventType, stored: this.#location.storeMessages };
    return this.#store(located, headers, targets, draft);
  }

  #judged(
    located: LocatedRequest,
    headers: HeaderSet,
    targets: readonly Target[],
    judge: Judge,
    draft: OfferedDraft,
  ): Answer | Promise<Answer> {
    const stored = this.#location.storeMessages;
    const act = (said: OfferedDraft | Refusal): Answer | Promise<Answer> =>
      "status" in said
        ? this.#refuse(said, headers)
        : this.#store(located, headers, targets, { ...said, stored });
    const names = targets.map(({ name }) => name);
    const verdict = judge(names, draft);
    return verdict instanceof Promise ? verdict.then(act) : act(verdict);
  }

  #store(
    located: LocatedRequest,
    headers: HeaderSet,
    targets: readonly Target[],
    draft: Draft,
  ): Answer | Promise<Answer> {
    const refusal = ingestPatiently(this.#ingest, targets, draft, Date.now(), located);
    return refusal instanceof Promise
      ? this.#storedLate(located, headers, targets, refusal)
      : this.#stored(located, headers, targets, refusal);
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
    if (refusal !== null) return this.#notStored(refusal, headers);
    if (!this.#location.channelInfoOnPublish) {
      return this.#onDisk(
        located.isDirect ? headers.emptyAnswer : new Response(null, headers.empty),
        headers,
      );
    }
    return this.#onDisk(this.#info(located, headers, targets.map(this.#countsOf)), headers);
  }

  readonly #countsOf = (target: Target): ChannelCounts =>
    channelCounts(this.#ingest.store, target) ?? countsOfLost(target);

  /** `sync = "each"`: nobody is told that something is done before that is on the disk. Subscribers may have it already. */
  #onDisk(answer: Answer, headers: HeaderSet): Answer | Promise<Answer> {
    const { onDisk } = this.#ingest;
    return onDisk === null ? answer : this.#answerOnDisk(answer, headers, onDisk());
  }

  #answerOnDisk(answer: Answer, headers: HeaderSet, safe: Promise<boolean>): Promise<Answer> {
    return safe.then((isSafe) => (isSafe ? answer : this.#page(500, headers)));
  }

  /** What does not fit into the store is an error of nginx's core, with its page and the end of the connection (spec 2.3, 6.5). */
  #notStored(refusal: Refusal, headers: HeaderSet): Response {
    const isPage = refusal.status === 500;
    return isPage ? this.#page(500, headers) : this.#refuse(refusal, headers);
  }

  /** Another process keeps the store's lock: again when it comes free, or 503. */
  async #later(
    located: LocatedRequest,
    headers: HeaderSet,
    again: () => Answer | Promise<Answer>,
  ): Promise<Answer> {
    const isFree = await this.#ingest.store.patience.free(located);
    return isFree ? await again() : this.#refuse(Refusals.busy, headers);
  }

  /** The sender vanished, and hears no answer, or sent more than the server takes; either way nothing was published. */
  #bodyFailed(error: unknown, headers: HeaderSet): Response {
    const isTooLarge = error instanceof Error && /too large|exceed/i.test(error.message);
    return isTooLarge ? this.#tooLarge(headers) : headerOnly(400, headers.fields);
  }

  // --- information (spec 2.6) ------------------------------------------------------------------------------------------------

  #tell(located: LocatedRequest, headers: HeaderSet): Answer {
    const names = this.#names(this.#path(located));
    if ("status" in names) return this.#refuse(names, headers);
    const { store } = this.#ingest;
    const found: ChannelCounts[] = [];
    for (const name of names) {
      const refusal = nameRefusal(name, this.#config.limits.maxChannelIdLength);
      if (refusal !== null) return this.#refuse(refusal, headers);
      const counts = countsByName(store, name);
      if (counts === "busy") return this.#refuse(Refusals.busy, headers);
      if (counts !== null) found.push(counts);
    }
    return found.length === 0 ? headerOnly(404, headers.fields) : this.#info(located, headers, found);
  }

  #info(located: LocatedRequest, headers: HeaderSet, channels: readonly ChannelCounts[]): Answer {
    const format = negotiate(located.header("accept"));
    const writer = this.#writer;
    writer.reset();
    const [only, second] = channels;
    if (only !== undefined && second === undefined) format.single(writer, only);
    else format.group(writer, zoneCounts(this.#ingest.store, hostname(), Date.now()), channels);
    const init = headers.ofType(format.contentType);
    // A Response takes the bytes when it is made.
    return located.isDirect ? new SharedAnswer(init, writer.copy()) : new Response(writer.view(), init);
  }

  // --- deletion (spec 2.7) -----------------------------------------------------------------------------------------------------

  #delete(located: LocatedRequest, headers: HeaderSet, isDeclared: boolean): Answer | Promise<Answer> {
    const names = this.#names(this.#path(located));
    if ("status" in names) return this.#refuse(names, headers);
    for (const name of names) {
      const refusal = nameRefusal(name, this.#config.limits.maxChannelIdLength);
      if (refusal !== null) return this.#refuse(refusal, headers);
      const index = this.#ingest.store.find(name);
      if (index >= 0 && index === this.#ingest.store.eventsChannel) {
        return this.#refuse(Refusals.eventsChannelReadOnly, headers);
      }
    }
    return readBody(located, isDeclared, this.#maxBodyBytes).then(
      (body) =>
        body === "too large" ? this.#tooLarge(headers) : this.#remove(located, names, body, headers),
      (error: unknown) => this.#bodyFailed(error, headers),
    );
  }

  /** `before`: of this request are deleted already. */
  #remove(
    located: LocatedRequest,
    names: readonly Uint8Array[],
    body: Uint8Array,
    headers: HeaderSet,
    before = 0,
  ): Answer | Promise<Answer> {
    const text = body.length > 0 ? body : this.#deletedText;
    const { order } = this.#ingest;
    if (order) return this.#removeElsewhere(order, names, text, headers);
    let deleted = 0;
    try {
      for (const [at, name] of names.entries()) {
        const outcome = this.#ingest.store.deleteChannel(name, text, Date.now());
        if (outcome === BUSY) {
          const done = before + deleted;
          const again = () => this.#remove(located, names.slice(at), body, headers, done);
          return this.#later(located, headers, again);
        }
        deleted += outcome;
      }
    } catch (error) {
      // The text is larger than the store: the channel stays, and the request can be made again with less (spec 2.7, 6.5).
      if (error instanceof RangeError) return this.#refuse(Refusals.noRoom, headers);
      throw error;
    } finally {
      if (deleted > 0) this.#ingest.published();
    }
    if (before + deleted === 0) return headerOnly(404, headers.fields);
    return this.#onDisk(refuse(Refusals.channelDeleted, headers.fields), headers);
  }

  async #removeElsewhere(
    order: Order,
    names: readonly Uint8Array[],
    text: Uint8Array,
    headers: HeaderSet,
  ): Promise<Response> {
    const { store } = this.#ingest;
    if (text.length > store.maxMessageBytes) return this.#refuse(Refusals.noRoom, headers);
    const known = names.filter((name) => store.find(name) >= 0);
    if (known.length === 0) return headerOnly(404, headers.fields);
    const refusal = await order.remove(known, text);
    return this.#refuse(refusal ?? Refusals.channelDeleted, headers);
  }

  /** What a guard granted, if there is one (handlers/guard.ts). */
  #path(located: LocatedRequest): string {
    return located.granted ?? this.#channelsPath(located);
  }

  #names(text: string): readonly Uint8Array[] | Refusal {
    const path = parseChannelsPath(text, this.#config.limits.maxChannelsPerRequest);
    if (path === "empty") return Refusals.noChannel;
    return path === "too many" ? Refusals.tooManyChannelsInRequest : path.names;
  }

  #notAllowed({ fields }: HeaderSet): Response {
    return headerOnly(405, { Allow: this.#allow, ...fields });
  }

  #tooLarge(headers: HeaderSet): Response {
    return this.#page(413, headers);
  }

  /** An error of nginx's core: with a body, and the connection ends. */
  #page(status: number, { fields }: HeaderSet): Response {
    this.#countRefusal();
    return errorPage(status, { ...NO_CACHE, ...fields });
  }

  #refuse(refusal: Refusal, { fields }: HeaderSet): Response {
    this.#countRefusal();
    return refuse(refusal, fields);
  }

  #countRefusal(): void {
    this.#ingest.store.count(this.#ingest.slot, Counter.REFUSED, 1);
  }
}

/** Deleted right after the message went in: of what it was, only that message's number is known. */
const countsOfLost = ({ name, lastId }: Target): ChannelCounts => ({
  name,
  published: lastId,
  stored: 0,
  subscribers: 0,
});

/** A present but empty header is an empty id, an absent one is none (spec 2.4). */
function headerBytes(located: LocatedRequest, name: string): Uint8Array | null {
  const value = located.header(name);
  return value === null ? null : binaryBytes(value);
}
