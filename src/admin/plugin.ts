/** Statistics locations, health and metrics, as an Elysia plugin. */
import { Elysia } from "elysia";
import type { Locator } from "../config/location/locator.ts";
import type { WebhooksConfig } from "../config/model/webhooks.ts";
import type { Config } from "../config/model.ts";
import type { Front } from "../front/front.ts";
import { ANTI_CACHE, closing, isLastRequest } from "../http/answer.ts";
import type { Store } from "../store/store.ts";
import { certificateMetrics } from "./certificate-metrics.ts";
import { ChannelListings } from "./channel-listing.ts";
import type { NamedCounts } from "./dictionary-metrics.ts";
import { renderMetrics } from "./metrics.ts";
import { openApi } from "./openapi.ts";
import { StatisticsEndpoint } from "./statistics.ts";
import { stubStatus } from "./stub-status.ts";

// Defined by the build script; started from source it does not exist.
declare const SLUICE_VERSION: string;
const VERSION = typeof SLUICE_VERSION === "string" ? SLUICE_VERSION : "source";

export interface AdminOptions {
  readonly config: Config;
  readonly store: Store;
  readonly slot: number;
  /** Wakes the worker in another slot. */
  readonly ring: (slot: number) => void;
  readonly locator: Locator;
  readonly front: Front;
  /** False while the worker drains: a load balancer should send no one here. */
  readonly isReady: () => boolean;
  readonly dictionaries: () => NamedCounts;
}

const plain = (text: string, status: number): Response =>
  new Response(text, { status, headers: { "Content-Type": "text/plain; charset=utf-8", ...ANTI_CACHE } });

export const admin = (options: AdminOptions) => {
  const { config, store, slot, ring, locator, front } = options;
  const others = { store, slot, ring };
  const listings = new ChannelListings(store);
  const endpoints = config.locations.map((location) =>
    location.role.kind === "statistics" ? new StatisticsEndpoint(others, config, location, listings) : null,
  );
  const builtIn = config.builtInPaths ? builtInPaths(options) : null;
  return new Elysia({ name: "admin" }).onRequest(({ request, server }) => {
    const located = locator.claim("statistics", request, server);
    const answer = located === null ? undefined : endpoints[located.index]?.handle(located);
    if (located !== null && answer !== undefined) return front.finish(located, answer);
    const counted = locator.claim("stub-status", request, server);
    if (counted !== null) return front.finish(counted, stubStatus(store));
    // The last of the plugins: no location wants it.
    return builtIn?.(request);
  });
};

/**
 * undefined: it is for none of these paths. Not routes of Elysia, which finds no path where there is no Host:
 * health checks by HTTP/1.0.
 */
function builtInPaths({
  config,
  store,
  isReady,
  dictionaries,
}: AdminOptions): (request: Request) => Response | Promise<Response> | undefined {
  const webhooks = config.webhooks ?? null;
  let read: string | null = null;
  const certificates = () => (read ??= certificateMetrics(config));
  const answers = new Map<string, () => Response | Promise<Response>>([
    ["/health/live", () => plain("ok\n", 200)],
    ["/health/ready", () => (isReady() ? plain("ready\n", 200) : plain("not ready\n", 503))],
    ["/metrics", () => metrics(store, webhooks, dictionaries(), certificates())],
    ["/openapi.json", () => Response.json(openApi(config, VERSION), { headers: ANTI_CACHE })],
  ]);
  return (request) => {
    if (request.method !== "GET") return undefined;
    const answer = answers.get(pathOf(request.url))?.();
    if (answer === undefined || !isLastRequest(request)) return answer;
    return answer instanceof Promise ? answer.then(closing) : closing(answer);
  };
}

/** Of a URL, or of the path alone, which is all there is without a Host. */
function pathOf(url: string): string {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", AFTER_SCHEME);
  const mark = url.indexOf("?", start);
  return mark < 0 ? url.slice(start) : url.slice(start, mark);
}

const AFTER_SCHEME = "https://".length;

async function metrics(
  store: Store,
  webhooks: WebhooksConfig | null,
  dictionaries: NamedCounts,
  certificates: string,
): Promise<Response> {
  const { text, contentType } = await renderMetrics(store, webhooks, dictionaries);
  return new Response(text + certificates, { headers: { "Content-Type": contentType, ...ANTI_CACHE } });
}
