/**
 * Subscriber locations (push-stream spec 4), as an Elysia plugin: claims their requests and leaves all others
 * alone.
 */
import { Elysia } from "elysia";
import type { Locator } from "../config/location/locator.ts";
import type { Front } from "../front/front.ts";
import { SubscriberEndpoint } from "./endpoint.ts";
import type { Hub } from "./hub.ts";
import type { IdleTimer } from "./line.ts";
import type { Upgrader } from "./websocket.ts";

/** By index of Config.locations; null: no subscriber. */
export type SubscriberEndpoints = readonly (SubscriberEndpoint | null)[];

export const subscriberEndpoints = (hub: Hub): SubscriberEndpoints =>
  hub.config.locations.map((location, index) =>
    location.role.kind === "subscriber"
      ? new SubscriberEndpoint(hub, location, location.role.mode, hub.hooks(index))
      : null,
  );

export const subscribe = (endpoints: SubscriberEndpoints, locator: Locator, front: Front) =>
  new Elysia({ name: "subscribe" }).onRequest(({ request, server }) => {
    const located = locator.claim("subscriber", request, server);
    if (located === null) return undefined;
    locator.forget();
    const answer = endpoints[located.index]?.handle(located, server as (Upgrader & IdleTimer) | null);
    return answer === undefined ? undefined : front.finish(located, answer);
  });
