/**
 * Which paths are refused as they stand on the request line. By the time a `Request` tells its URL the
 * runtime has made "/x\..\secret" into "/secret": a proxy in front that allows or denies by path has then
 * judged another path than the one we serve. Called by both doors (path-routes.ts, wire-request.ts) before
 * the application sees anything.
 *
 * What is let through means the same to the runtime's URL parser and to nginx, so that the rest
 * (config/location/uri-path.ts) may read either.
 */

/** Of a longer path only so many segments are looked at: the runtime's router has to be told each number. */
export const MAX_SEGMENTS = 50;
/** Paths of at most so many segments may have empty ones wherever they like, */
export const MAX_WITH_EMPTY = 5;
/** of so many one, wherever it likes, and longer ones one at the end. */
export const MAX_WITH_ONE_EMPTY = 16;

/** A path as it was sent, without query. True: nobody may look at it any further (400). */
export function isRefusedPath(path: string): boolean {
  if (/[\\#]/.test(path)) return true;
  // Neither an empty segment nor dots.
  if (!/\/\/|\.|%2e|\/$/i.test(path)) return false;
  const segments = path.slice(1).split("/").map(withPlainDots);
  if (segments.length > MAX_SEGMENTS && segments.some(isDots)) return true;
  return !hasKnownShape(segments) || climbsAmbiguously(segments);
}

/**
 * Whether the empty segments stand where they may. `segments`: what stands between slashes, from the first
 * slash on.
 */
export function hasKnownShape(segments: readonly string[]): boolean {
  const { length } = segments;
  if (length <= MAX_WITH_EMPTY) return true;
  const seen = segments.slice(0, MAX_SEGMENTS);
  const first = seen.indexOf("");
  if (first < 0) return true;
  if (length > MAX_SEGMENTS || first !== seen.lastIndexOf("")) return false;
  return length <= MAX_WITH_ONE_EMPTY || first === length - 1;
}

/** Whether ".." (decoded) leads elsewhere for nginx than for a URL parser. */
export function climbsAmbiguously(segments: readonly string[]): boolean {
  const folders: string[] = [];
  for (const segment of segments) {
    if (segment === "..") {
      const left = folders.pop();
      // To nginx an empty segment is nothing and an escaped slash a slash; a URL parser leaves one segment.
      // Above the root nginx refuses, and a URL parser stays.
      if (left === undefined || left === "" || left.includes("/")) return true;
    } else if (segment !== ".") folders.push(segment);
  }
  return false;
}

const isDots = (segment: string): boolean => segment === "." || segment === "..";

/** Decoded as far as it matters here. */
const withPlainDots = (segment: string): string =>
  segment.replace(/%2[ef]/gi, (escaped) => (/e$/i.test(escaped) ? "." : "/"));
