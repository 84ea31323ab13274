/**
 * What servers may say together, and probably do not mean: told by `check` and in the log at a start, and no
 * reason not to serve. Called by document.ts.
 */
import { autoWorkers } from "../auto-workers.ts";
import type { LocationEntry, ServerEntry } from "../document.ts";
import type { Issue } from "../fault.ts";
import { readOption } from "../kinds.ts";
import { type MainValues, OPTIONS, type OptionPath, type ServerValues } from "../options.ts";
import { parseListen } from "../server/listen-text.ts";
import { type AskedDoor, askedDoors, doorOf } from "../server/listeners.ts";
import type { PlacedIssue } from "./server-checks.ts";

/** Of a stream that begins with nothing. */
const LATE_HEADS =
  "the native listener sends the head of its answers with the first message: a header_template, or " +
  'listener = "wire", has it sent at once.';
const WITHOUT_EFFECT =
  'it has no effect on native listeners (docs/doors.md); listener = "wire" does what it says.';
const WIRE_ONLY = [
  "keepalive_requests",
  "keepalive_header",
  "client_header_timeout",
  "client_body_timeout",
  "reset_timedout_connection",
  "limits.max_header_line_size",
] as const satisfies readonly OptionPath[];
const UNCOMPRESSED =
  "websocket_compression does nothing on a native listener, which cannot send one compressed frame to all.";
const NO_TUNNELS =
  "a proxy on a native listener passes no WebSockets on, and an answer that is long without its length: " +
  'listener = "wire" does.';
const LONG_IDLE = "native listeners wait for 255s at most.";
/** What is said where an address has the native listener. */
export const OF_NATIVE: readonly string[] = [LATE_HEADS, WITHOUT_EFFECT, UNCOMPRESSED, NO_TUNNELS, LONG_IDLE];
/** Bun's idleTimeout is a byte. */
const LONGEST_IDLE_MS = 255_000;
const UNIX = "unix:";
const ALL = /\/0+$/;

/**
 * `named` of the last servers come from `[[server]]` tables. Values that are faulty are undefined, and say
 * nothing here.
 */
export function serverWarnings(
  main: Partial<MainValues>,
  servers: readonly ServerEntry[],
  named: number,
): readonly PlacedIssue[] {
  const warnings: PlacedIssue[] = [];
  const isAlone = (main.workers === 0 ? autoWorkers() : (main.workers ?? 1)) === 1;
  const first = servers.length - named;
  const listens = servers.flatMap(({ values }) => values.listen ?? []);
  warnings.push(...trustWarnings("", main.trusted_proxies ?? [], listens));
  const doors = askedDoors(servers);
  if (hasNative(servers, doors, main)) warnings.push(...nativeWarnings(main));
  servers.forEach((server, i) => {
    const { values } = server;
    const path = i < first ? "" : `server[${i - first}].`;
    if (!isAlone) warnings.push(...unixWarnings(path, values));
    warnings.push(...doorWarnings(path, server, doors, main));
    if (path !== "") warnings.push(...trustWarnings(path, values.trusted_proxies ?? [], values.listen ?? []));
  });
  return warnings;
}

/** A unix socket has no SO_REUSEPORT (supervisor/sockets/addresses.ts). */
function unixWarnings(path: string, { listen }: Partial<ServerValues>): readonly PlacedIssue[] {
  return (listen ?? []).flatMap((text, at) => {
    if (!text.startsWith(UNIX)) return [];
    const sentence = "one worker serves it, however many there are: workers cannot share a unix socket.";
    return [{ path: `${path}listen[${at}]`, issue: warning(text, sentence) }];
  });
}

const hasNative = (
  servers: readonly ServerEntry[],
  doors: ReadonlyMap<string, AskedDoor>,
  main: Partial<MainValues>,
): boolean =>
  servers.some(({ values }) =>
    (values.listen ?? []).some(
      (text) => doorOf(doors.get(parseListen(text).address), main).door === "native",
    ),
  );

/** Options that say something which Bun's own server has no ear for. */
function nativeWarnings(main: Partial<MainValues>): readonly PlacedIssue[] {
  const warnings: PlacedIssue[] = [];
  for (const path of WIRE_ONLY) {
    const { default: usual } = OPTIONS[path];
    const value = main[path];
    const isUsual = usual === null ? value === null : value === readOption(OPTIONS[path], path, usual).value;
    if (value === undefined || isUsual || (path === "keepalive_requests" && value === 1)) continue;
    warnings.push({ path, issue: { suffix: "", value: undefined, sentence: WITHOUT_EFFECT } });
  }
  if ((main.keepalive_timeout ?? 0) > LONGEST_IDLE_MS)
    warnings.push({
      path: "keepalive_timeout",
      issue: { suffix: "", value: undefined, sentence: LONG_IDLE },
    });
  return warnings;
}

/** What the door of an address does not do. */
function doorWarnings(
  path: string,
  { values, locations }: ServerEntry,
  doors: ReadonlyMap<string, AskedDoor>,
  main: Partial<MainValues>,
): readonly PlacedIssue[] {
  const warnings: PlacedIssue[] = [];
  let isNative = false;
  (values.listen ?? []).forEach((text, at) => {
    const asked = doors.get(parseListen(text).address);
    const { door } = doorOf(asked, main);
    if (door === "native") isNative = true;
    else if (asked?.http2 === true)
      warnings.push({
        path: `${path}listen[${at}]`,
        issue: warning(text, "http2 is left out: only the native listener speaks it, and only with ssl."),
      });
  });
  if (!isNative) return warnings;
  return [
    ...warnings,
    ...lateHeads(path, locations),
    ...notCompressed(path, locations),
    ...noTunnels(path, locations),
  ];
}

/** Streams that begin with nothing, also those of locations inside locations. */
const lateHeads = (prefix: string, locations: readonly LocationEntry[]): readonly PlacedIssue[] =>
  locations.flatMap(({ values, locations: inner }, at) => {
    const path = `${prefix}location[${at}]`;
    const isLate = values.subscriber === "streaming" && values.header_template === "";
    const own = isLate ? [{ path, issue: warning(values.match, LATE_HEADS) }] : [];
    return [...own, ...lateHeads(`${path}.`, inner)];
  });

/** Where something else than the top of the file has chosen the native listener. */
const notCompressed = (prefix: string, locations: readonly LocationEntry[]): readonly PlacedIssue[] =>
  locations.flatMap(({ values, locations: inner }, at) => {
    const path = `${prefix}location[${at}]`;
    const own =
      values.websocket_compression === true ? [{ path, issue: warning(values.match, UNCOMPRESSED) }] : [];
    return [...own, ...notCompressed(`${path}.`, inner)];
  });

const noTunnels = (prefix: string, locations: readonly LocationEntry[]): readonly PlacedIssue[] =>
  locations.flatMap(({ values, locations: inner }, at) => {
    const path = `${prefix}location[${at}]`;
    const own = typeof values.proxy === "string" ? [{ path, issue: warning(values.match, NO_TUNNELS) }] : [];
    return [...own, ...noTunnels(`${path}.`, inner)];
  });

function trustWarnings(
  path: string,
  trusted: readonly string[],
  listens: readonly string[],
): readonly PlacedIssue[] {
  const isUnix = listens.some((text) => parseListen(text).address.startsWith(UNIX));
  return trusted.flatMap((text, at) => {
    const sentence = ALL.test(text)
      ? "whoever connects may say who he is."
      : text === UNIX && !isUnix
        ? "no address here is a unix socket."
        : null;
    return sentence === null
      ? []
      : [{ path: `${path}trusted_proxies[${at}]`, issue: warning(text, sentence) }];
  });
}

const warning = (value: string, sentence: string): Issue => ({ suffix: "", value, sentence });
