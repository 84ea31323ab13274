/**
 * `try_files` of a location, compiled: the first candidate that exists becomes the path of the request, which
 * the role then answers; without any the last entry says where to go. Called by front.ts when nobody at the
 * front has refused the request.
 */
import { isThere } from "../config/location/file-test.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { rawLocationValue } from "../config/location/location-values.ts";
import { parseMatch } from "../config/location/match-syntax.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { LocationConfig } from "../config/model.ts";
import { errorPage } from "./error-page.ts";

/** null: the role may answer. */
export type FileTrier = (located: LocatedRequest) => Response | Promise<Response> | null;

interface Candidate {
  readonly value: CompiledValue;
  readonly isFolder: boolean;
}

/** null: nothing is tried. */
export function compileTryFiles(location: LocationConfig): FileTrier | null {
  const { tryFiles, files } = location;
  const last = tryFiles.at(-1);
  if (last === undefined) return null;
  const base = rawLocationValue(location, files?.alias ?? files?.root ?? "");
  // Of an alias what follows the location's prefix is looked for.
  const skipped = files?.alias == null ? "" : prefixOf(location);
  const candidates: readonly Candidate[] = tryFiles.slice(0, -1).map((text) => ({
    value: rawLocationValue(location, text),
    isFolder: text.endsWith("/"),
  }));
  const otherwise = compileLast(location, last);
  return (located) => {
    const folder = base(located);
    for (const { value, isFolder } of candidates) {
      const text = value(located);
      const path = isFolder ? text.slice(0, -1) : text;
      const rest = path.startsWith(skipped) ? path.slice(skipped.length) : path;
      if (!isThere(isFolder ? "d" : "f", folder + rest)) continue;
      located.path = path === "" ? "/" : path;
      return null;
    }
    return otherwise(located);
  };
}

function prefixOf({ match }: LocationConfig): string {
  const outcome = parseMatch(match);
  return outcome.ok && "path" in outcome.match ? outcome.match.path : "";
}

function compileLast(location: LocationConfig, last: string): FileTrier {
  if (last.startsWith("=")) {
    const status = Number(last.slice(1));
    return () => errorPage(status);
  }
  if (last.startsWith("@")) return (located) => located.sendOn?.({ kind: "named", name: last }) ?? null;
  const value = rawLocationValue(location, last);
  return (located) => {
    const target = value(located);
    const mark = target.indexOf("?");
    return (
      located.sendOn?.({
        kind: "path",
        path: mark < 0 ? target : target.slice(0, mark),
        query: mark < 0 ? "" : target.slice(mark + 1),
        keepsMethod: true,
      }) ?? null
    );
  };
}
