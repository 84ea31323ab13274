/**
 * Statistics locations (push-stream spec 5): what is known of one channel, of several, of all, or of the
 * whole server. Read from the shared store, so any worker answers for all.
 */
import { hostname } from "node:os";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { locationValue } from "../config/location/location-values.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { Config, LocationConfig } from "../config/model.ts";
import { ANTI_CACHE, type HeaderFields, headerOnly, NOSNIFF, refuse } from "../http/answer.ts";
import { Refusals } from "../http/errors.ts";
import { type ChannelCounts, countsByName, zoneCounts } from "../store/channel/channel-statistics.ts";
import { Counter } from "../store/counters.ts";
import type { Store } from "../store/store.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { parseChannelsPath } from "../wire/channels-path.ts";
import type { StatisticsFormat, SummaryStatistics, WorkerStatistics } from "../wire/statistics.ts";
import { negotiate } from "../wire/statistics-format.ts";
import type { ChannelListings } from "./channel-listing.ts";
import { liveSlots } from "./live-slots.ts";
import { type OtherWorkers, othersTurn } from "./other-turns.ts";

const STAR = 0x2a;

// Defined by the build script, hence the `typeof`: started from source they do not exist.
declare const SLUICE_VERSION: string;
declare const SLUICE_COMMIT: string;

/** On every answer but 405 (spec 5.1): which server this is, in the dialect's own fields. */
const WHICH_SERVER = {
  "X-Nginx-PushStream-Tag": typeof SLUICE_VERSION === "string" ? SLUICE_VERSION : "source",
  "X-Nginx-PushStream-Commit": typeof SLUICE_COMMIT === "string" ? SLUICE_COMMIT : "source",
} as const;

export class StatisticsEndpoint {
  readonly #store: Store;
  readonly #config: Config;
  readonly #channelsPath: CompiledValue;
  readonly #listings: ChannelListings;
  readonly #others: OtherWorkers;
  readonly #writer = new ByteWriter();
  readonly #sniffing: HeaderFields;

  constructor(others: OtherWorkers, config: Config, location: LocationConfig, listings: ChannelListings) {
    this.#store = others.store;
    this.#others = others;
    this.#config = config;
    this.#sniffing = location.nosniff ? NOSNIFF : {};
    this.#channelsPath = locationValue(location, location.channelsPath);
    this.#listings = listings;
  }

  /** A promise while other workers are waited for, and for a list of very many channels. */
  handle(located: LocatedRequest): Response | Promise<Response> {
    if (located.method !== "GET") return headerOnly(405, { Allow: "GET" });
    const others = othersTurn(this.#others);
    return others === null ? this.#look(located) : others.then(() => this.#look(located));
  }

  #look(located: LocatedRequest): Response | Promise<Response> {
    const format = negotiate(located.header("accept"));
    const path = parseChannelsPath(this.#channelsPath(located), this.#config.limits.maxChannelsPerRequest);
    if (path === "too many") return refuse(Refusals.tooManyChannelsInRequest, WHICH_SERVER);
    if (path === "empty")
      return this.#tell(format, (writer) => format.summary(writer, summaryOf(this.#store)));
    return this.#answer(path.names, format, located);
  }

  /** Left to right; the first ALL or `*` decides the whole answer (spec 5.1). */
  #answer(
    names: readonly Uint8Array[],
    format: StatisticsFormat,
    located: LocatedRequest,
  ): Response | Promise<Response> {
    const maxLength = this.#config.limits.maxChannelIdLength;
    const found: ChannelCounts[] = [];
    for (const name of names) {
      const prefix = prefixAsked(name);
      if (prefix !== null) return this.#list(prefix, format, located);
      if (maxLength > 0 && name.length > maxLength) {
        return refuse(Refusals.channelIdTooLarge, WHICH_SERVER);
      }
      const counts = countsByName(this.#store, name);
      if (counts === "busy") return refuse(Refusals.busy, WHICH_SERVER);
      if (counts !== null) found.push(counts);
    }
    const [only, second] = found;
    if (only === undefined) return headerOnly(404, WHICH_SERVER);
    if (second === undefined) return this.#tell(format, (writer) => format.single(writer, only));
    const zone = zoneCounts(this.#store, hostname(), Date.now());
    return this.#tell(format, (writer) => format.group(writer, zone, found));
  }

  #list(prefix: Uint8Array, format: StatisticsFormat, located: LocatedRequest): Response | Promise<Response> {
    const listed = this.#listings.list(format, prefix, located.request.signal);
    const answer = (body: Awaited<typeof listed>): Response => {
      if (body === "busy") return refuse(Refusals.busy, WHICH_SERVER);
      // Nobody reads the answer to an asker who is gone.
      return body === null ? headerOnly(408, WHICH_SERVER) : this.#answerWith(body, format);
    };
    return listed instanceof Promise ? listed.then(answer) : answer(listed);
  }

  #answerWith(body: Uint8Array<ArrayBuffer>, { contentType }: StatisticsFormat): Response {
    return new Response(body, {
      headers: { "Content-Type": contentType, ...ANTI_CACHE, ...WHICH_SERVER, ...this.#sniffing },
    });
  }

  #tell(format: StatisticsFormat, write: (writer: ByteWriter) => void): Response {
    this.#writer.reset();
    write(this.#writer);
    return this.#answerWith(this.#writer.copy(), format);
  }
}

/** `ALL`: every channel; `text*…`: those that start with the text; anything else is a name. */
function prefixAsked(name: Uint8Array): Uint8Array | null {
  if (name.length === 3 && name[0] === 0x41 && name[1] === 0x4c && name[2] === 0x4c) return new Uint8Array(0);
  const star = name.indexOf(STAR);
  return star < 0 ? null : name.subarray(0, star);
}

/** The whole server (spec 5.5). */
export function summaryOf(store: Store): SummaryStatistics {
  const nowMs = Date.now();
  const totals = store.totals(nowMs);
  const nowSec = Math.floor(nowMs / 1000);
  const workers: WorkerStatistics[] = [];
  for (const slot of liveSlots(store)) {
    const pid = store.workers.slotPid(slot);
    if (pid === 0) continue; // died since
    workers.push({
      pid,
      subscribers: store.counters.get(slot, Counter.SUBSCRIBERS),
      uptimeSec: nowSec - store.workers.slotStartedSec(slot),
    });
  }
  return {
    ...zoneCounts(store, hostname(), nowMs),
    published: totals.published,
    stored: totals.stored,
    messagesInTrash: totals.messagesInTrash,
    channelsInDelete: totals.channelsInDelete,
    channelsInTrash: totals.channelsInTrash,
    subscribers: totals.subscribers,
    ...(store.replica === null ? {} : { nodes: store.replica.others.nodes }),
    workers,
  };
}
