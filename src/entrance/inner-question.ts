/**
 * `auth_request` to a path of this server: asks the handler there, without a connection. Neither the steps of its location nor what stands before it
 * are asked, as the question is ours. Made by app.ts for src/access.
 */
import { boundedBody } from "../access/bounded-fetch.ts";
import type { AskLocation } from "../access/question.ts";
import { compileLocations, type LocationMatcher } from "../config/locations.ts";
import type { Config, ServerConfig } from "../config/model.ts";
import type { HandlerEndpoints } from "../handlers/plugin.ts";

const MAX_ANSWER_BYTES = 64 * 1024;

export function innerQuestions(config: Config, programs: HandlerEndpoints): AskLocation {
  const matchers = config.servers.map((server) => matcherOf(server, config));
  const homes = homesOf(config);
  return async (path, located, headers) => {
    const match = matchers[homes[located.index] ?? 0]?.(path) ?? null;
    const program = match === null ? null : (programs[match.index] ?? null);
    if (match === null || program === null) throw new Error("there is no handler at that path");
    headers.set("host", located.header("host") ?? "localhost");
    const request = new Request(`http://localhost${path}`, { headers });
    const response = await program.handle(located.within(request, match), null);
    const body = await boundedBody(response, MAX_ANSWER_BYTES);
    return { status: response.status, headers: response.headers, body };
  };
}

const matcherOf = (server: ServerConfig, { locations }: Config): LocationMatcher =>
  compileLocations(
    server.locations.map((index) => ({ match: locations[index]?.match ?? "" })),
    server.locations,
  );

/** The server of each location; a variant's is that of the location whose step leads to it. */
function homesOf({ servers, locations }: Config): readonly number[] {
  const homes: number[] = [];
  servers.forEach((server, home) => {
    for (const index of server.locations) {
      homes[index] = home;
      for (const { variant } of locations[index]?.steps ?? []) if (variant >= 0) homes[variant] = home;
    }
  });
  return homes;
}
