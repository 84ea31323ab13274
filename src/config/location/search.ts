/**
 * From a request to the location that answers it, as nginx goes about it: the steps of the server, the
 * search, the steps of the location, and the search again where a step has rewritten the path. Called by
 * locator.ts for each request, and for those that are sent on inside (error_page, try_files).
 */

import type { LocationNode, ServerConfig } from "../model/server.ts";
import type { Config } from "../model.ts";
import type { BoundedRegex } from "../regex/bounded-regex.ts";
import { type ClientReader, compileClientReader } from "../server/client-address.ts";
import { hostName, MAX_HOST_LENGTH, nameRegex } from "../server/server-names.ts";
import type { LocatedRequest } from "./located-request.ts";
import { groupsOf } from "./location-values.ts";
import {
  compileSearch,
  type LocationMatch,
  type LocationMatcher,
  type LocationSearch,
  type LocationSource,
  matcherOf,
} from "./locations.ts";
import type { Maps } from "./maps.ts";
import { NO_GROUPS } from "./match-syntax.ts";
import { type CompiledSteps, compileSteps, LOST, type Returned, setGroups, TOO_LONG } from "./rewrite.ts";

/** Where a request is sent on to, inside the server. */
export type Redirect =
  | { readonly kind: "path"; readonly path: string; readonly query: string; readonly keepsMethod: boolean }
  /** With its at sign. */
  | { readonly kind: "named"; readonly name: string };

/** A server, compiled. */
export interface Place {
  readonly find: LocationMatcher;
  readonly search: LocationSearch;
  readonly steps: CompiledSteps | null;
  readonly readClient: ClientReader | null;
  /** Names with groups that have names, which are variables. */
  readonly names: readonly BoundedRegex[];
  /** null: there are none. */
  readonly maps: Maps | null;
  /** Named locations, by index of Config.locations. */
  readonly named: ReadonlyMap<string, number>;
}

/** nginx's: more searches than this are a circle. */
export const MOST_MOVES = 10;
const HIDDEN: Returned = { status: 404, text: null };

export class LocationRoad {
  /** By index of Config.locations; null: no steps. */
  readonly #steps: readonly (CompiledSteps | null)[];
  readonly #isInternal: readonly boolean[];
  /** Methods that limit_except is not about; null: there is none. */
  readonly #allowed: readonly (ReadonlySet<string> | null)[];

  constructor({ locations }: Pick<Config, "locations">) {
    this.#allowed = locations.map(({ limitExcept }) =>
      limitExcept === null
        ? null
        : new Set(limitExcept.methods.flatMap((name) => (name === "GET" ? ["GET", "HEAD"] : [name]))),
    );
    this.#isInternal = locations.map(({ isInternal }) => isInternal);
    this.#steps = locations.map((location) =>
      compileSteps(location.steps, groupsOf(location), location.setVariables),
    );
  }

  /** Brings a request that was searched for once to the location it ends in, or to what a step answers. */
  lead(located: LocatedRequest, place: Place): void {
    if (place.names.length > 0) nameGroups(located, place.names);
    if (place.steps !== null) {
      const { path, captures } = located;
      run(located, place.steps);
      // The server's steps come before the search for a location in nginx: what its regex captured is not
      // lost to theirs.
      if (located.path !== path) adopt(located, place.search(located.path));
      else if (captures.length > 0) located.setCaptures(captures);
    }
    this.#goOn(located, place);
  }

  /** Sends it on. Error pages and the like are asked for by GET. */
  redirect(located: LocatedRequest, place: Place, to: Redirect): void {
    located.isInternal = true;
    located.returned = null;
    if (++located.moves > MOST_MOVES) {
      located.returned = LOST;
      located.statusInstead = 0;
      return;
    }
    if (to.kind === "named") {
      located.index = place.named.get(to.name) ?? -1;
      if (located.index < 0) located.returned = LOST;
      else this.#goOn(located, place);
      return;
    }
    if (!to.keepsMethod && located.method !== "HEAD") located.method = "GET";
    located.rewrite(to.path, to.query);
    adopt(located, place.search(located.path));
    this.lead(located, place);
  }

  #goOn(located: LocatedRequest, place: Place): void {
    while (located.returned === null) {
      if (this.#isInternal[located.index] === true && !located.isInternal) {
        located.returned = HIDDEN;
        return;
      }
      const allowed = this.#allowed[located.index] ?? null;
      located.isExcepted = allowed !== null && !allowed.has(located.method);
      // nginx looks at a location of its own then, which has no steps: nobody is answered by one before he
      // was let in.
      const steps = located.isExcepted ? null : (this.#steps[located.index] ?? null);
      if (steps === null || !run(located, steps)) return;
      if (++located.moves > MOST_MOVES) located.returned = LOST;
      else adopt(located, place.search(located.path));
    }
  }
}

/** True: the path is another, and the location is to be looked for again. */
function run(located: LocatedRequest, steps: CompiledSteps): boolean {
  const { variant, returned, isMoved } = steps(located);
  // A map may have had something to say as well.
  if (returned !== null) located.returned = returned;
  if (isMoved && located.returned === null) return true;
  if (variant >= 0) located.index = variant;
  return false;
}

function adopt(located: LocatedRequest, match: LocationMatch): void {
  located.index = match.index;
  located.pathCaptures = match.captures;
  located.foundPath = located.path;
  // What a step has captured stands until a location's regex captures something else.
  if (match.captures.length > 0) located.setCaptures(match.captures);
  if (match.isTooLong) located.returned = TOO_LONG;
}

export function compilePlace(
  server: ServerConfig,
  { locations }: Pick<Config, "locations">,
  maps: Maps | null,
): Place {
  const sourceOf = ({ index, inner }: LocationNode): LocationSource => ({
    match: locations[index]?.match ?? "",
    index,
    inner: inner.map(sourceOf),
  });
  const search = compileSearch(server.locations.map(sourceOf));
  return {
    find: matcherOf(search),
    search,
    steps: compileSteps(server.steps, NO_GROUPS, server.setVariables),
    readClient: compileClientReader(server.proxies),
    names: server.names
      .filter((name) => name.startsWith("~"))
      .map(nameRegex)
      .filter(({ names }) => names.length > 0),
    maps,
    named: new Map(server.locations.map(({ index }) => [locations[index]?.match ?? "", index])),
  };
}

/** The first name that matches the host is the one the server was found by. */
function nameGroups(located: LocatedRequest, names: readonly BoundedRegex[]): void {
  const host = hostName(located.header("host") ?? "");
  if (host.length > MAX_HOST_LENGTH) return;
  for (const name of names) {
    const found = name.exec(host);
    if (found === null) continue;
    setGroups(located, name, found);
    return;
  }
}
