/**
 * Publisher locations (push-stream spec 2), as an Elysia plugin. app.ts composes it; it claims the requests
 * of publisher locations and leaves all others alone.
 */
import { Elysia } from "elysia";
import type { Locator } from "../config/location/locator.ts";
import type { Config } from "../config/model.ts";
import type { Front } from "../front/front.ts";
import type { HooksOf } from "../front/location-hooks.ts";
import { PublisherEndpoint } from "./endpoint.ts";
import type { Ingest } from "./ingest.ts";

export interface PublisherOptions {
  readonly config: Config;
  readonly ingest: Ingest;
  /** Somebody's code beside locations; without it there is none. */
  readonly hooks?: HooksOf;
}

/** By index of Config.locations; null: no publisher. */
export type PublisherEndpoints = readonly (PublisherEndpoint | null)[];

export const publisherEndpoints = ({ config, ingest, hooks }: PublisherOptions): PublisherEndpoints =>
  config.locations.map((location, index) =>
    location.role.kind === "publisher"
      ? new PublisherEndpoint(config, location, location.role.admin, ingest, hooks?.(index) ?? null)
      : null,
  );

export const publish = (endpoints: PublisherEndpoints, locator: Locator, front: Front | null = null) =>
  new Elysia({ name: "publish" }).onRequest(({ request, server }) => {
    const located = locator.claim("publisher", request, server);
    const answer = located === null ? undefined : endpoints[located.index]?.handle(located);
    if (located === null || answer === undefined || front === null) return answer;
    return front.finish(located, answer);
  });
