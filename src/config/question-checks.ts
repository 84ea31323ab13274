/** What `auth_request` must fulfil beyond its own text: a path of the server leads to a handler of it. Called by document.ts. */
import type { LocationEntry, ServerEntry } from "./document.ts";
import { compileLocations } from "./locations.ts";
import { parseMatch } from "./match-syntax.ts";
import type { PlacedIssue } from "./server-checks.ts";

/** `named` of the last servers come from `[[server]]` tables, which is what paths count. */
export function questionIssues(servers: readonly ServerEntry[], named: number): readonly PlacedIssue[] {
  const first = servers.length - named;
  return servers.flatMap(({ locations }, i) => {
    const path = i < first ? "" : `server[${i - first}].`;
    return locations.flatMap(({ values: { auth_request: to } }, at) => {
      if (typeof to !== "string" || !to.startsWith("/") || isHandlers(locations, to)) return [];
      const sentence = "there is no location with a handler at that path.";
      return [{ path: `${path}location[${at}].auth_request`, issue: { suffix: "", value: to, sentence } }];
    });
  });
}

/** What is faulty in itself was told, and is left out. */
function isHandlers(locations: readonly LocationEntry[], path: string): boolean {
  const good = locations.filter(
    ({ values }) => typeof values.match === "string" && parseMatch(values.match).ok,
  );
  const index = compileLocations(good.map(({ values }) => ({ match: values.match })))(path)?.index ?? -1;
  return typeof good[index]?.values.handler === "string";
}
