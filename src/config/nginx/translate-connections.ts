/**
 * What an nginx.conf says of connections: times, sizes of heads, how many. nginx has it for each server and
 * some of it for each location, sluice for each address: of several values of a server the most generous one
 * counts, and that is told. Called by translate.ts.
 */
import type { OptionPath } from "../options.ts";
import type { Draft, DraftValue } from "./draft.ts";
import { innerScopes, oneInEffect, type Scope } from "./translate-scope.ts";
import { type Context, optionValue } from "./translate-settings.ts";
import type { Directive } from "./tree.ts";
import { parseNumber, parseSeconds, parseSize } from "./units.ts";

/**
 * Directives with the option of the same meaning, and their least value: nothing is closed before it begins.
 */
const NUMBERS: readonly (readonly [name: string, path: OptionPath, least: number])[] = [
  ["keepalive_timeout", "keepalive_timeout", 0],
  ["client_header_timeout", "client_header_timeout", 1],
  ["client_body_timeout", "client_body_timeout", 1],
  ["send_timeout", "send_timeout", 1],
  ["keepalive_requests", "keepalive_requests", 1],
];
/** nginx's own, where only one of the two directives for heads is there. */
const FIRST_BUFFER_BYTES = 1024;
const LARGE_BUFFERS = 4;
const LARGE_BUFFER_BYTES = 8192;

export function translateConnections(context: Context, main: Scope, http: Scope, draft: Draft): void {
  const { report, values } = context;
  for (const [name, path, least] of NUMBERS) {
    const found = largest(context, http, name, (directive) => Number(values.of(directive) ?? -1));
    if (found !== null && name === "keepalive_timeout") toldTimeout(context, found.directive, draft);
    if (found !== null)
      draft.set(
        path,
        optionValue(report, found.directive, path, Math.max(least, found.value)),
        found.directive,
      );
  }
  const reset = largest(context, http, "reset_timedout_connection", (one) =>
    values.of(one) === true ? 1 : 0,
  );
  if (reset !== null) draft.set("reset_timedout_connection", reset.value === 1, reset.directive);
  headSizes(context, http, draft);
  const [events] = innerScopes(main, "events");
  const [most] = events?.own.get("worker_connections") ?? [];
  const count = values.of(most ?? null);
  if (most !== undefined && typeof count === "number")
    draft
      .table("limits")
      .set("max_connections", optionValue(report, most, "limits.max_connections", count || 1), most);
}

/** `keepalive_timeout 75s 60s`: the second time is what clients are told. */
function toldTimeout({ report }: Context, directive: Directive, draft: Draft): void {
  const text = directive.args[1]?.text;
  const seconds = text === undefined ? 0 : parseSeconds(text);
  if (seconds === null) report.fault(directive, '"keepalive_timeout" directive invalid value');
  else if (seconds > 0)
    draft.set("keepalive_header", optionValue(report, directive, "keepalive_header", seconds), directive);
}

/**
 * A head begins in one buffer, and goes on in large ones; no line may be longer than what it lies in. nginx
 * answers 400 to fields that are too long, ours is 431 (RFC 6585 5).
 */
function headSizes(context: Context, http: Scope, draft: Draft): void {
  const hasSeveral = innerScopes(http, "server").length > 1;
  if (hasSeveral && !http.own.has(FIRST_BUFFER) && !http.own.has(LARGE_BUFFER)) return;
  // Of several servers each says for itself.
  const scope = hasSeveral ? { ...http, inner: [] } : http;
  const first = largest(context, scope, FIRST_BUFFER, (one) => Number(context.values.of(one) ?? -1));
  const large = largest(context, scope, LARGE_BUFFER, largeBytesOf);
  const limits = draft.table("limits");
  setHeadSizes(context, first, large, (key, value, place) => limits.set(key, value, place));
}

const FIRST_BUFFER = "client_header_buffer_size";
const LARGE_BUFFER = "large_client_header_buffers";
const largeBytesOf = ({ args }: Directive): number => parseSize(args[1]?.text ?? "") ?? -1;

function setHeadSizes(
  { report }: Context,
  first: Found | null,
  large: Found | null,
  set: (key: string, value: DraftValue, place: Directive) => void,
): void {
  const directive = large?.directive ?? first?.directive;
  if (directive === undefined) return;
  const count = large === null ? LARGE_BUFFERS : parseNumber(large.directive.args[0]?.text ?? "");
  if (count === null || count === 0 || large?.value === 0) {
    report.fault(directive, `"${directive.name}" directive invalid value`);
    return;
  }
  const firstBytes = first?.value ?? FIRST_BUFFER_BYTES;
  const largeBytes = large?.value ?? LARGE_BUFFER_BYTES;
  const sizes = [
    ["max_header_line_size", Math.max(firstBytes, largeBytes)],
    ["max_header_size", firstBytes + count * largeBytes],
  ] as const;
  for (const [key, bytes] of sizes)
    set(key, optionValue(report, directive, `limits.${key}`, bytes), directive);
}

/** A server that says nothing of heads has what the file has. */
function serverHeadSizes(context: Context, server: Scope, draft: Draft): void {
  if (!server.own.has(FIRST_BUFFER) && !server.own.has(LARGE_BUFFER)) return;
  const found = (name: string, read: (one: Directive) => number): Found | null => {
    const directive = oneInEffect(server, name);
    return directive === null ? null : { directive, value: read(directive) };
  };
  const first = found(FIRST_BUFFER, (one) => Number(context.values.of(one) ?? -1));
  setHeadSizes(context, first, found(LARGE_BUFFER, largeBytesOf), (key, value, place) =>
    draft.set(key, value, place),
  );
}

/**
 * Of one server, where it says something else than the file as a whole, which has the largest of all: its own
 * directives, those of its locations, or what it inherits.
 */
export function serverConnections(context: Context, server: Scope, draft: Draft): void {
  const http = server.parent;
  if (http === null || innerScopes(http, "server").length < 2) return;
  serverHeadSizes(context, server, draft);
  const { report, values } = context;
  const read = (one: Directive): number => Number(values.of(one) ?? -1);
  const most = (list: readonly Directive[]): Found | null =>
    list
      .map((directive) => ({ directive, value: read(directive) }))
      .filter(({ value }) => value >= 0)
      .toSorted((left, right) => right.value - left.value)[0] ?? null;
  for (const [name, path, least] of NUMBERS) {
    const inherited = server.own.has(name) ? [] : (http.own.get(name) ?? []);
    const found = most([...everywhere(server, name), ...inherited]);
    if (found === null || found.value === most(everywhere(http, name))?.value) continue;
    const key = `server[].${path}` as OptionPath;
    draft.set(path, optionValue(report, found.directive, key, Math.max(least, found.value)), found.directive);
  }
}

interface Found {
  readonly directive: Directive;
  readonly value: number;
}

/** Of all directives of this name in the block, however deep; what is no value was told when it was read. */
function largest(
  { report }: Context,
  http: Scope,
  name: string,
  read: (directive: Directive) => number,
): Found | null {
  const directives = everywhere(http, name);
  const [first] = directives
    .map((directive) => ({ directive, value: read(directive) }))
    .filter(({ value }) => value >= 0)
    .sort((left, right) => right.value - left.value);
  if (first === undefined) return null;
  if (inLocations(http, name))
    report.notice(
      `${first.directive.file}:${first.directive.line}: ${name} counts for all locations of a server, ` +
        "and of several values the largest",
    );
  return first;
}

const inLocations = (scope: Scope, name: string): boolean =>
  scope.inner.some(
    (inner) => (inner.context === "location" && inner.own.has(name)) || inLocations(inner, name),
  );

const everywhere = (scope: Scope, name: string): readonly Directive[] => [
  ...(scope.own.get(name) ?? []),
  ...scope.inner.flatMap((inner) => everywhere(inner, name)),
];
