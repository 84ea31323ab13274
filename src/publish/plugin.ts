/**
 * Publisher locations (push-stream spec 2), as an Elysia plugin. app.ts composes it; it claims the requests of publisher locations and
 * leaves all others alone.
 */
import { Elysia } from "elysia";
import type { Locator } from "../config/located-request.ts";
import type { Config } from "../config/model.ts";
import type { Front } from "../front/front.ts";
import type { HooksOf } from "../front/location-hooks.ts";
import { PublisherEndpoint } from "./endpoint.ts";
import type { Ingest } from "./ingest.ts";

export interface PublishOptions {
  readonly config: Config;
  readonly locator: Locator;
  readonly ingest: Ingest;
  /** What finishes the answers; none: app.ts does, or nothing has to be done. */
  readonly front?: Front;
  /** Somebody's code beside locations; without it there is none. */
  readonly hooks?: HooksOf;
}

export const publish = ({ config, locator, ingest, front, hooks }: PublishOptions) => {
  const endpoints = config.locations.map((location, index) =>
    location.role.kind === "publisher"
      ? new PublisherEndpoint(config, location, location.role.admin, ingest, hooks?.(index) ?? null)
      : null,
  );
  return new Elysia({ name: "publish" }).onRequest(({ request, server }) => {
    const located = locator.claim("publisher", request, server);
    const answer = located === null ? undefined : endpoints[located.index]?.handle(located);
    if (located === null || answer === undefined || front === undefined) return answer;
    return front.finish(located, answer);
  });
};
