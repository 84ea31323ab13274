/** Statistics locations, health and metrics, as an Elysia plugin. */
import { Elysia } from "elysia";
import { ANTI_CACHE } from "../answer.ts";
import type { Locator } from "../config/located-request.ts";
import type { Config } from "../config/model.ts";
import type { Front } from "../front/front.ts";
import type { Store } from "../store/store.ts";
import { ChannelListings } from "./channel-listing.ts";
import { renderMetrics } from "./metrics.ts";
import { StatisticsEndpoint } from "./statistics.ts";

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
}

const plain = (text: string, status: number): Response =>
  new Response(text, { status, headers: { "Content-Type": "text/plain; charset=utf-8", ...ANTI_CACHE } });

export const admin = ({ config, store, slot, ring, locator, front, isReady }: AdminOptions) => {
  const others = { store, slot, ring };
  const listings = new ChannelListings(store);
  const endpoints = config.locations.map((location) =>
    location.role.kind === "statistics" ? new StatisticsEndpoint(others, config, location, listings) : null,
  );
  const plugin = new Elysia({ name: "admin" }).onRequest(({ request, server }) => {
    const located = locator.claim("statistics", request, server);
    const answer = located === null ? undefined : endpoints[located.index]?.handle(located);
    return located === null || answer === undefined ? undefined : front.finish(located, answer);
  });
  if (!config.builtInPaths) return plugin;
  return plugin
    .get("/health/live", () => plain("ok\n", 200))
    .get("/health/ready", () => (isReady() ? plain("ready\n", 200) : plain("draining\n", 503)))
    .get("/metrics", async () => {
      const { text, contentType } = await renderMetrics(store);
      return new Response(text, { headers: { "Content-Type": contentType, ...ANTI_CACHE } });
    });
};
