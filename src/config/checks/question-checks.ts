/**
 * What `auth_request` must fulfil beyond its own text: a path of the server leads to a handler of it. Called
 * by document.ts.
 */
import type { LocationEntry, ServerEntry } from "../document.ts";
import { compileLocations, type LocationSource } from "../location/locations.ts";
import { parseMatch } from "../location/match-syntax.ts";
import type { PlacedIssue } from "./server-checks.ts";

/** `named` of the last servers come from `[[server]]` tables, which is what paths count. */
export function questionIssues(servers: readonly ServerEntry[], named: number): readonly PlacedIssue[] {
  const first = servers.length - named;
  return servers.flatMap(({ locations }, i) => {
    const path = i < first ? "" : `server[${i - first}].`;
    return issuesOf(locations, path, locations);
  });
}

function issuesOf(
  locations: readonly LocationEntry[],
  prefix: string,
  all: readonly LocationEntry[],
): readonly PlacedIssue[] {
  return locations.flatMap(({ values: { auth_request: to }, locations: inner }, at) => {
    const path = `${prefix}location[${at}]`;
    const issues = issuesOf(inner, `${path}.`, all);
    if (typeof to !== "string" || !to.startsWith("/") || isHandlers(all, to)) return issues;
    const sentence = "there is no location with a handler at that path.";
    return [...issues, { path: `${path}.auth_request`, issue: { suffix: "", value: to, sentence } }];
  });
}

/** What is faulty in itself was told, and is left out. */
function isHandlers(locations: readonly LocationEntry[], path: string): boolean {
  const handlers: boolean[] = [];
  const sourcesOf = (entries: readonly LocationEntry[]): LocationSource[] =>
    entries
      .filter(({ values: { match } }) => typeof match === "string" && parseMatch(match).ok)
      .map(({ values: { match, handler }, locations: inner }) => {
        handlers.push(typeof handler === "string");
        return { match, index: handlers.length - 1, inner: sourcesOf(inner) };
      });
  return handlers[compileLocations(sourcesOf(locations))(path)?.index ?? -1] === true;
}
