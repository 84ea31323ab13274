/**
 * Locations that pass requests on to backends, as an Elysia plugin: claims their requests and leaves all
 * others alone. app.ts composes it; the entrance hands it what came by either door without the application
 * around it.
 */
import { Elysia } from "elysia";
import type { Locator } from "../config/location/locator.ts";
import type { Config } from "../config/model.ts";
import type { Front } from "../front/front.ts";
import { asResponse, LaterAnswer } from "../http/direct-answer.ts";
import { Backends } from "./backends.ts";
import { ProxyEndpoint } from "./endpoint.ts";
import { Watch } from "./watch.ts";

/** By index of Config.locations; null: no proxy. */
export type ProxyEndpoints = readonly (ProxyEndpoint | null)[];

export interface Proxies {
  readonly endpoints: ProxyEndpoints;
  stop(): void;
}

export function proxies(config: Pick<Config, "locations" | "upstreams">): Proxies {
  const passing = config.locations.flatMap(({ proxy }) => proxy ?? []);
  if (passing.length === 0) return { endpoints: config.locations.map(() => null), stop: () => undefined };
  const backends = new Backends(config);
  const shortestMs = Math.min(
    ...passing.flatMap(({ connectMs, sendMs, readMs }) => [connectMs, sendMs, readMs]),
  );
  const watch = new Watch(shortestMs, (nowMs) => backends.look(nowMs));
  return {
    endpoints: config.locations.map((location) =>
      location.role.kind === "proxy" && location.proxy !== null
        ? new ProxyEndpoint(location, location.proxy, backends, watch)
        : null,
    ),
    stop: () => {
      watch.stop();
      backends.close();
    },
  };
}

export const proxy = (endpoints: ProxyEndpoints, locator: Locator, front: Front) =>
  new Elysia({ name: "proxy" }).onRequest(({ request, server }) => {
    const located = locator.claim("proxy", request, server);
    const answer = located === null ? undefined : endpoints[located.index]?.handle(located);
    if (located === null || answer === undefined) return undefined;
    const finished = front.finish(located, answer);
    if (finished instanceof LaterAnswer) return finished.promise().then(asResponse);
    return finished instanceof Promise ? finished.then(asResponse) : asResponse(finished);
  });
