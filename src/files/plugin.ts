/** Locations of static files, as an Elysia plugin: claims their requests and leaves all others alone. */
import { Elysia } from "elysia";
import type { Locator } from "../config/location/locator.ts";
import type { Config } from "../config/model.ts";
import type { Front } from "../front/front.ts";
import { FilesEndpoint } from "./endpoint.ts";

export const files = (config: Pick<Config, "locations">, locator: Locator, front: Front) => {
  const endpoints = config.locations.map((location) =>
    location.role.kind === "files" && location.files !== null
      ? new FilesEndpoint(location, location.files)
      : null,
  );
  return new Elysia({ name: "files" }).onRequest(({ request, server }) => {
    const located = locator.claim("files", request, server);
    if (located === null) return undefined;
    const { moves } = located;
    const answer = endpoints[located.index]?.handle(located);
    // What was sent on to another location is finished there.
    return answer === undefined || located.moves !== moves ? answer : front.finish(located, answer);
  });
};
