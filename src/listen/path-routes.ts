/**
 * The raw path of a request to Bun's own server, which tells it nowhere: `request.url` went through a URL
 * parser. Its router, however, matches what came on the line, and gives the segments as parameters. So there
 * is a route for each number of segments and place of empty ones, which costs a few milliseconds at the start
 * and a third of a microsecond a request, half of it for the segments. Paths that locations name have routes
 * of their own, which need no look. Used by listener.ts; the rules are those of raw-path.ts.
 *
 * Not chosen: an upgrade to HTTP/1.1 of our own for every address (wire-listener.ts), which has the target
 * and speaks no HTTP/2.
 */
import { headerOnly } from "../http/answer.ts";
import { climbsAmbiguously, MAX_SEGMENTS, MAX_WITH_EMPTY, MAX_WITH_ONE_EMPTY } from "./raw-path.ts";

type Answer = Response | Promise<Response>;
type Routed = Request & { readonly params: Readonly<Record<string, string>> };
export type PathRoutes = Record<string, (request: Routed) => Answer>;

/** Names of the parameters, in the order of the path; null: an empty segment. */
type Shape = readonly (string | null)[];

/** Neither dots, escapes nor empty segments: nobody reads it as anything else. */
const PLAIN_PATH = /^(?:\/[\w-]+)+$/;

/**
 * Routes for all paths `answer` may see; what none of them matches has a shape that is refused. `named`:
 * those that locations name.
 */
export function pathRoutes(answer: (request: Request) => Answer, named: readonly string[]): PathRoutes {
  const routes: PathRoutes = {};
  const add = (shape: Shape, rest = ""): void => {
    const pattern = shape.map((name) => (name === null ? "/" : `/:${name}`)).join("");
    const isWhole = rest === "";
    routes[pattern + rest] = (request) =>
      isRefused(request, shape, isWhole) || hasTwoHosts(request) ? headerOnly(400) : answer(request);
  };
  for (const shape of shapes()) add(shape);
  add(plain(MAX_SEGMENTS), "/*");
  for (const path of named.filter((one) => PLAIN_PATH.test(one)))
    routes[path] = (request) => (hasTwoHosts(request) ? headerOnly(400) : answer(request));
  return routes;
}

const plain = (length: number): Shape => Array.from({ length }, (_, i) => `p${i}`);
const withEmpty = (length: number, at: number): Shape => plain(length).with(at, null);

/** Of all paths that raw-path.ts calls known, up to the longest that are looked at as a whole. */
function shapes(): readonly Shape[] {
  const found: Shape[] = [];
  const grow = (shape: Shape): void => {
    if (shape.length > 0) found.push(shape);
    if (shape.length < MAX_WITH_EMPTY) for (const name of [`p${shape.length}`, null]) grow([...shape, name]);
  };
  grow([]);
  for (let length = MAX_WITH_EMPTY + 1; length <= MAX_SEGMENTS; length++) {
    found.push(plain(length), withEmpty(length, length - 1));
    if (length > MAX_WITH_ONE_EMPTY) continue;
    for (let at = 0; at < length - 1; at++) found.push(withEmpty(length, at));
  }
  return found;
}

/** Of the last request: most are for the same. */
let oneHost: string | null = null;

/**
 * Bun joins fields that came twice; a Host holds no blank, and with two of them nobody knows who was meant
 * (RFC 9112 3.2).
 */
function hasTwoHosts({ headers }: Request): boolean {
  const host = headers.get("host");
  if (host === oneHost) return false;
  if (host?.includes(", ") === true) return true;
  oneHost = host;
  return false;
}

function isRefused(request: Routed, shape: Shape, isWhole: boolean): boolean {
  const { params } = request;
  let isPlain = isWhole;
  for (let at = 0; at < shape.length; at++) {
    const name = shape[at] ?? null;
    const segment = name === null ? "" : params[name];
    if (segment === undefined) return true;
    if (!isPlainSegment(segment)) isPlain = false;
  }
  return !isPlain && isRefusedAsWhole(request, shape, isWhole);
}

const BACKSLASH = 0x5c;
const HASH = 0x23;

/** Segments are short: a loop costs less than two calls that search. */
function isPlainSegment(segment: string): boolean {
  for (let at = 0; at < segment.length; at++) {
    const unit = segment.charCodeAt(at);
    if (unit === BACKSLASH || unit === HASH) return false;
  }
  return segment !== "..";
}

function isRefusedAsWhole({ params, url }: Routed, shape: Shape, isWhole: boolean): boolean {
  const segments = shape.map((name) => (name === null ? "" : (params[name] ?? "")));
  const path = pathOf(url);
  if (path.includes("#") || climbsAmbiguously(segments)) return true;
  // The rest of a long path is not seen here. It may not have led out of where it stood.
  if (!isWhole) return !beginsWith(path, segments);
  // An escaped backslash stays escaped in a URL, a plain one became a slash: the numbers differ.
  return count(segments.join("/"), /\\/g) !== count(path, /%5c/gi);
}

/** As sent, but for what the URL parser did. */
function pathOf(url: string): string {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", "https://".length);
  const end = url.indexOf("?", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}

const count = (text: string, what: RegExp): number => text.match(what)?.length ?? 0;

/** Segment by segment: neither dots nor backslashes were among them. */
function beginsWith(path: string, segments: readonly string[]): boolean {
  const own = path.slice(1).split("/", segments.length);
  try {
    return segments.every((segment, i) => decodeURIComponent(own[i] ?? "") === segment);
  } catch {
    // Bytes that are no UTF-8: nobody can say what they were.
    return false;
  }
}
