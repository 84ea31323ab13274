/**
 * What servers may say together, and probably do not mean: told by `check` and in the log at a start, and no reason not to serve. Called by
 * document.ts.
 */
import { autoWorkers } from "./auto-workers.ts";
import type { ServerEntry } from "./document.ts";
import type { Issue } from "./fault.ts";
import { parseListen } from "./listen-text.ts";
import { type AskedDoor, askedDoors, doorOf } from "./listeners.ts";
import type { MainValues, ServerValues } from "./options.ts";
import type { PlacedIssue } from "./server-checks.ts";

/** Of a stream that begins with nothing. */
export const LATE_HEADS =
  'the native listener sends the head of its answers with the first message: a header_template, or listener = "wire", has it sent at once.';
const UNIX = "unix:";
const ALL = /\/0+$/;

/** `named` of the last servers come from `[[server]]` tables. Values that are faulty are undefined, and say nothing here. */
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
  servers.forEach((server, i) => {
    const { values } = server;
    const path = i < first ? "" : `server[${i - first}].`;
    if (!isAlone) warnings.push(...unixWarnings(path, values));
    warnings.push(...doorWarnings(path, server, doors, main));
    if (path !== "") warnings.push(...trustWarnings(path, values.trusted_proxies ?? [], values.listen ?? []));
  });
  return warnings;
}

/** A unix socket has no SO_REUSEPORT (supervisor/addresses.ts). */
function unixWarnings(path: string, { listen }: Partial<ServerValues>): readonly PlacedIssue[] {
  return (listen ?? []).flatMap((text, at) => {
    if (!text.startsWith(UNIX)) return [];
    const sentence = "one worker serves it, however many there are: workers cannot share a unix socket.";
    return [{ path: `${path}listen[${at}]`, issue: warning(text, sentence) }];
  });
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
  locations.forEach((location, at) => {
    const { subscriber, header_template: header } = location.values;
    if (subscriber !== "streaming" || header !== "") return;
    warnings.push({ path: `${path}location[${at}]`, issue: warning(location.values.match, LATE_HEADS) });
  });
  return warnings;
}

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
