/**
 * Locations with `console`, as an Elysia plugin: the page for operators and what it asks for, all below the
 * location's path.
 *
 *   (nothing)  the page        console.js  its script
 *   live       samples and warnings, as events; resumes by Last-Event-ID
 *   about      what runs: version, configuration, workers
 *   channels   ?search= ?sort=   the list        channel ?id=   one
 *   publish    POST ?id=         one message
 *
 * Who may look is said by the location's access rules, passwords and grants; a page of another origin can
 * make a browser publish no more than at a publisher (front/origin-check.ts).
 */
import { Elysia } from "elysia";
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { Locator } from "../config/location/locator.ts";
import type { Config } from "../config/model.ts";
import type { Front } from "../front/front.ts";
import { ANTI_CACHE, headerOnly, methodNotAllowed, refuse } from "../http/answer.ts";
import { Refusals } from "../http/errors.ts";
import { type Ingest, ingestPatiently, openTarget } from "../publish/ingest.ts";
import { consoleFile } from "../web/console-files.ts";
import { ConsoleChannels, SORTS, type Sort } from "./channels.ts";
import { LiveEvents } from "./live.ts";
import { Sampler } from "./sampler.ts";
import { tellWarnings } from "./warnings.ts";

export interface ConsoleOptions {
  readonly config: Config;
  readonly ingest: Ingest;
  readonly locator: Locator;
  readonly front: Front;
  readonly version: string;
}

export class Console {
  readonly #options: ConsoleOptions;
  readonly #live: LiveEvents;
  readonly #channels: ConsoleChannels;
  readonly #sampler: Sampler;
  readonly #untell: () => void;

  /** null: no location is a console, and nothing of it costs anything. */
  static of(options: ConsoleOptions): Console | null {
    return options.config.locations.some(({ role }) => role.kind === "console") ? new Console(options) : null;
  }

  private constructor(options: ConsoleOptions) {
    const { store, slot } = options.ingest;
    this.#options = options;
    this.#live = new LiveEvents(store);
    this.#channels = new ConsoleChannels(store, slot);
    this.#sampler = new Sampler(store, slot);
    this.#untell = tellWarnings(store);
  }

  stop(): void {
    this.#sampler.stop();
    this.#untell();
    this.#live.stop();
  }

  plugin() {
    const { locator, front } = this.#options;
    return new Elysia({ name: "console" }).onRequest(({ request, server }) => {
      const located = locator.claim("console", request, server);
      return located === null ? undefined : front.finish(located, this.#answer(located, request));
    });
  }

  #answer(located: LocatedRequest, request: Request): Response | Promise<Response> {
    const { method } = located;
    const name = located.path.slice(located.path.lastIndexOf("/") + 1);
    const { searchParams: query } = new URL(request.url, "http://console");
    if (name === "publish")
      return method === "POST" ? this.#publish(query.get("id") ?? "", request) : methodNotAllowed("POST");
    if (method !== "GET" && method !== "HEAD") return methodNotAllowed("GET, HEAD");
    if (name === "live") return this.#live.open(located.header("last-event-id")) ?? refuse(Refusals.busy);
    if (name === "about") return json(this.#about());
    if (name === "channels") return this.#list(query.get("search") ?? "", query.get("sort"));
    if (name === "channel") return this.#one(query.get("id") ?? "");
    return consoleFile(name) ?? headerOnly(404);
  }

  #about() {
    const { config, version, ingest } = this.#options;
    return {
      version,
      startedSec: ingest.store.startedSec,
      listens: config.listeners.map(({ address }) => address),
      cluster: config.cluster ? { name: config.cluster.name, node: config.cluster.node } : null,
    };
  }

  async #list(search: string, sort: string | null): Promise<Response> {
    const listed = await this.#channels.list(
      search,
      SORTS.find((one) => one === sort) ?? ("subscribers" satisfies Sort),
    );
    return listed === null ? refuse(Refusals.busy) : json(listed);
  }

  #one(name: string): Response {
    const channel = this.#channels.one(new TextEncoder().encode(name));
    return channel === null ? headerOnly(404) : json(channel);
  }

  async #publish(name: string, request: Request): Promise<Response> {
    const { ingest, config } = this.#options;
    const bytes = new TextEncoder().encode(name);
    const { maxChannelIdLength } = config.limits;
    if (bytes.length === 0) return refuse(Refusals.noChannel);
    if (name.includes("*") || name.includes("/") || name === "ALL") return refuse(Refusals.forbiddenChannel);
    if (maxChannelIdLength > 0 && bytes.length > maxChannelIdLength)
      return refuse(Refusals.channelIdTooLarge);
    const data = await request.bytes();
    if (data.length === 0) return refuse(Refusals.emptyMessage);
    const target = openTarget(ingest.store, bytes, Date.now());
    if ("status" in target) return refuse(target);
    const draft = { data, eventId: null, eventType: null, stored: true };
    const refusal = await ingestPatiently(ingest, [target], draft, Date.now(), draft);
    return refusal === null ? headerOnly(204) : refuse(refusal);
  }
}

const json = (value: unknown): Response => Response.json(value, { headers: ANTI_CACHE });
