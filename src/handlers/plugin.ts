/** Locations with a handler, as an Elysia plugin: claims their requests and leaves all others alone. */
import { Elysia } from "elysia";
import type { Locator } from "../config/location/locator.ts";
import type { Front } from "../front/front.ts";
import { HandlerEndpoint, type HandlerServer } from "./endpoint.ts";
import type { HandlerHost } from "./host.ts";

/** By index of Config.locations; null: no handler's. */
export type HandlerEndpoints = readonly (HandlerEndpoint | null)[];

export const handlerEndpoints = (host: HandlerHost): HandlerEndpoints =>
  host.config.locations.map((location) =>
    location.role.kind === "handler" && location.code !== null
      ? new HandlerEndpoint(host, location, location.code)
      : null,
  );

export const handlers = (endpoints: HandlerEndpoints, locator: Locator, front: Front) =>
  new Elysia({ name: "handlers" }).onRequest(({ request, server }) => {
    const located = locator.claim("handler", request, server);
    if (located === null) return undefined;
    // It is kept for as long as the handler runs.
    locator.forget();
    const answer = endpoints[located.index]?.handle(located, server as HandlerServer | null);
    return answer === undefined ? undefined : front.finish(located, answer);
  });
