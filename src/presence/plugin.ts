/**
 * Locations that tell who is there, as an Elysia plugin: claims their requests and leaves all others alone.
 */
import { Elysia } from "elysia";
import type { Locator } from "../config/location/locator.ts";
import type { Config } from "../config/model.ts";
import type { Fanout } from "../fanout/fanout.ts";
import type { Front } from "../front/front.ts";
import { PresenceEndpoint, PresenceListings } from "./listing.ts";

export interface PresenceOptions {
  readonly config: Config;
  readonly fanout: Fanout;
  readonly locator: Locator;
  readonly front: Front;
}

export const presence = ({ config, fanout, locator, front }: PresenceOptions) => {
  const listings = new PresenceListings(fanout);
  const endpoints = config.locations.map((location) =>
    location.role.kind === "presence" ? new PresenceEndpoint(listings, config, location) : null,
  );
  return new Elysia({ name: "presence" }).onRequest(({ request, server }) => {
    const located = locator.claim("presence", request, server);
    if (located === null) return undefined;
    locator.forget();
    const answer = endpoints[located.index]?.handle(located);
    return answer === undefined ? undefined : front.finish(located, answer);
  });
};
