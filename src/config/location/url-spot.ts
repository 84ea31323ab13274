/** A request's URL as path and query. Asked by locator.ts for each request. */

/**
 * Scheme and "//": the authority starts here in every absolute URL Bun gives. Without a Host (HTTP/1.0) it
 * gives the path alone.
 */
const AFTER_SCHEME = "http://".length;

/** A URL taken apart. Publishers post to one again and again: of the last one it is kept. */
export interface Spot {
  readonly url: string;
  readonly path: string;
  readonly query: string;
}

export const NOWHERE: Spot = { url: "", path: "", query: "" };

export function spotOf(url: string): Spot {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", AFTER_SCHEME + 1);
  const mark = url.indexOf("?", start);
  return mark < 0
    ? { url, path: url.slice(start), query: "" }
    : { url, path: url.slice(start, mark), query: url.slice(mark + 1) };
}
