/**
 * One publisher location (push-stream spec 2): POST and PUT publish, GET tells about channels, DELETE (admin) removes them. Made once
 * per location and worker by plugin.ts; steps and their order are those of spec 2.1.
 */
import { hostname } from "node:os";
import { ANTI_CACHE, headerOnly, methodNotAllowed, refuse } from "../answer.ts";
import { binaryBytes } from "../config/binary-text.ts";
import type { LocatedRequest } from "../config/located-request.ts";
import { locationValue } from "../config/location-values.ts";
import type { Config, LocationConfig } from "../config/model.ts";
import type { CompiledValue } from "../config/variables.ts";
import { type Refusal, Refusals } from "../errors.ts";
import { type ChannelCounts, channelCounts, zoneCounts } from "../store/channel-statistics.ts";
import { Counter } from "../store/counters.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { nameRefusal, parseChannelsPath } from "../wire/channels-path.ts";
import { negotiate } from "../wire/statistics-format.ts";
import { type Ingest, ingest, openTarget, type Target } from "./ingest.ts";

const encoder = new TextEncoder();

/** More channels in one path are not worth remembering. */
const REMEMBERED_TARGETS = 8;

export class PublisherEndpoint {
  readonly #config: Config;
  readonly #location: LocationConfig;
  readonly #admin: boolean;
  readonly #allow: string;
  readonly #channelsPath: CompiledValue;
  readonly #ingest: Ingest;
  readonly #writer = new ByteWriter();
  readonly #inits = new Map<string, ResponseInit>();
  #lastPath: string | null = null;
  #lastTargets: readonly Target[] = [];
  readonly #deletedText: Uint8Array;

  constructor(config: Config, location: LocationConfig, admin: boolean, ingest: Ingest) {
    this.#config = config;
    this.#location = location;
    this.#admin = admin;
    this.#allow = admin ? "GET, POST, PUT, DELETE" : "GET, POST, PUT";
    this.#channelsPath = locationValue(location, location.channelsPath);
    this.#ingest = ingest;
    this.#deletedText = encoder.encode(config.messages.channelDeletedText);
  }

  handle(located: LocatedRequest): Response | Promise<Response> {
    switch (located.request.method) {
      case "POST":
      case "PUT":
        return this.#publish(located);
      case "GET":
        return this.#tell(located);
      case "OPTIONS":
        return headerOnly(200);
      case "DELETE":
        return this.#admin ? this.#delete(located) : methodNotAllowed(this.#allow);
      default:
        return methodNotAllowed(this.#allow);
    }
  }

  // --- publish: channels are made in path order before the body is looked at (spec 2.1 (7), 2.4) ---------------------------

  #publish(located: LocatedRequest): Response | Promise<Response> {
    const targets = this.#targets(this.#channelsPath(located));
    if ("status" in targets) return this.#refuse(targets);
    return located.request.arrayBuffer().then(
      (body) => this.#append(located, targets, new Uint8Array(body)),
      (error: unknown) => this.#bodyFailed(error),
    );
  }

  /** A publisher names the same channels again and again, so the last ones are remembered as long as they live. */
  #targets(path: string): readonly Target[] | Refusal {
    const { store } = this.#ingest;
    const known = this.#lastTargets;
    if (path === this.#lastPath && known.every(({ index, incarnation }) => store.isLive(index, incarnation)))
      return known;
    const opened = this.#openTargets(path);
    if (!("status" in opened) && opened.length <= REMEMBERED_TARGETS) {
      this.#lastPath = path;
      this.#lastTargets = opened;
    }
    return opened;
  }

  #openTargets(path: string): readonly Target[] | Refusal {
    const nowMs = Date.now();
    const names = this.#names(path);
    if ("status" in names) return names;
    const targets: Target[] = [];
    for (const name of names) {
      const refusal = nameRefusal(name, this.#config.limits.maxChannelIdLength);
      if (refusal !== null) return refusal;
      const target = openTarget(this.#ingest.store, name, nowMs);
      if ("status" in target) return target;
      targets.push(target);
    }
    return targets;
  }

  #append(located: LocatedRequest, targets: readonly Target[], data: Uint8Array): Response {
    const { maxBodyBytes } = this.#config.limits;
    if (data.length === 0) return this.#refuse(Refusals.emptyMessage);
    // A chunked body declares no length, so the server could not refuse it by its head.
    if (maxBodyBytes > 0 && data.length > maxBodyBytes) return this.#refuse(Refusals.messageTooLarge);
    const refusal = ingest(
      this.#ingest,
      targets,
      {
        data,
        eventId: headerBytes(located, "event-id"),
        eventType: headerBytes(located, "event-type"),
        stored: this.#location.storeMessages,
      },
      Date.now(),
    );
    if (refusal !== null) return this.#refuse(refusal, refusal.status >= 500 ? { Connection: "close" } : {});
    if (!this.#location.channelInfoOnPublish) return headerOnly(200);
    const { store } = this.#ingest;
    return this.#info(
      located,
      targets.map((target) => channelCounts(store, target.index, target.name)),
    );
  }

  /** The sender vanished or sent more than the server takes; either way nothing was published. */
  #bodyFailed(error: unknown): Response {
    const tooLarge = error instanceof Error && /too large|exceed/i.test(error.message);
    return this.#refuse(tooLarge ? Refusals.messageTooLarge : Refusals.badBody);
  }

  // --- information (spec 2.6) ------------------------------------------------------------------------------------------------

  #tell(located: LocatedRequest): Response {
    const names = this.#names(this.#channelsPath(located));
    if ("status" in names) return this.#refuse(names);
    const { store } = this.#ingest;
    const found: ChannelCounts[] = [];
    for (const name of names) {
      const refusal = nameRefusal(name, this.#config.limits.maxChannelIdLength);
      if (refusal !== null) return this.#refuse(refusal);
      const index = store.find(name);
      if (index >= 0) found.push(channelCounts(store, index, name));
    }
    return found.length === 0 ? headerOnly(404) : this.#info(located, found);
  }

  #info(located: LocatedRequest, channels: readonly ChannelCounts[]): Response {
    const format = negotiate(located.header("accept"));
    const writer = this.#writer;
    writer.reset();
    const [only, second] = channels;
    if (only !== undefined && second === undefined) format.single(writer, only);
    else format.group(writer, zoneCounts(this.#ingest.store, hostname(), Date.now()), channels);
    return new Response(writer.copy(), this.#initOf(format.contentType));
  }

  /** Headers made once per content type: Bun copies a Headers object three times faster than it reads a literal (300 of 900 ns). */
  #initOf(contentType: string): ResponseInit {
    const known = this.#inits.get(contentType);
    if (known !== undefined) return known;
    const made = { headers: new Headers({ "Content-Type": contentType, ...ANTI_CACHE }) };
    this.#inits.set(contentType, made);
    return made;
  }

  // --- deletion (spec 2.7) -----------------------------------------------------------------------------------------------------

  #delete(located: LocatedRequest): Response | Promise<Response> {
    const names = this.#names(this.#channelsPath(located));
    if ("status" in names) return this.#refuse(names);
    for (const name of names) {
      const refusal = nameRefusal(name, this.#config.limits.maxChannelIdLength);
      if (refusal !== null) return this.#refuse(refusal);
    }
    return located.request.arrayBuffer().then(
      (body) => this.#remove(names, body.byteLength > 0 ? new Uint8Array(body) : this.#deletedText),
      (error: unknown) => this.#bodyFailed(error),
    );
  }

  #remove(names: readonly Uint8Array[], text: Uint8Array): Response {
    let deleted = 0;
    try {
      for (const name of names) if (this.#ingest.store.deleteChannel(name, text, Date.now())) deleted++;
    } catch (error) {
      // The text is larger than the store: the channel stays, and the request can be made again with less (spec 2.7, 6.5).
      if (error instanceof RangeError) return this.#refuse(Refusals.noRoom);
      throw error;
    } finally {
      if (deleted > 0) this.#ingest.published();
    }
    return deleted > 0 ? refuse(Refusals.channelDeleted) : headerOnly(404);
  }

  #names(text: string): readonly Uint8Array[] | Refusal {
    const path = parseChannelsPath(text, this.#config.limits.maxChannelsPerRequest);
    if (path === "empty") return Refusals.noChannel;
    return path === "too many" ? Refusals.tooManyChannelsInRequest : path.names;
  }

  #refuse(refusal: Refusal, fields: Readonly<Record<string, string>> = {}): Response {
    this.#ingest.store.count(this.#ingest.slot, Counter.REFUSED, 1);
    return refuse(refusal, fields);
  }
}

/** A present but empty header is an empty id, an absent one is none (spec 2.4). */
function headerBytes(located: LocatedRequest, name: string): Uint8Array | null {
  const value = located.header(name);
  return value === null ? null : binaryBytes(value);
}
