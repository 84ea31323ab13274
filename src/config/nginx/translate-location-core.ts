/**
 * What nginx's own directives say of a location, inherited as nginx does: each list (types, add_header, allow
 * and deny, access_log) comes whole from the innermost level that has any of it. Called by
 * translate-location.ts.
 */
import { resolve } from "node:path";
import { LIST_FAULTS } from "../location/location-lists.ts";
import type { Draft } from "./draft.ts";
import { addedHeaders } from "./translate-headers.ts";
import { addressLimit } from "./translate-limit-conn.ts";
import { inEffect, oneInEffect, type Scope } from "./translate-scope.ts";
import { type Context, optionValue } from "./translate-settings.ts";
import type { Directive } from "./tree.ts";

/** What nginx knows without any `types` (push-stream spec 4.3). */
const BUILT_IN_TYPES: readonly string[] = ["text/html html", "image/gif gif", "image/jpeg jpg"];
const DEFAULT_TYPE = "text/plain";
const DEFAULT_INDEX = "index.html";
/** What nginx adds a charset to, without `charset_types`. */
const CHARSET_TYPES: readonly string[] = [
  "text/html",
  "text/xml",
  "text/plain",
  "text/vnd.wap.wml",
  "application/javascript",
  "application/rss+xml",
];

export function coreOptions(context: Context, scope: Scope, draft: Draft): void {
  // Publishers and statistics have types of their own.
  if (!draft.has("publisher") && !draft.has("statistics")) contentTypes(context, scope, draft);
  if (draft.has("root") || draft.has("alias")) index(scope, draft);
  bodySize(context, scope, draft);
  addressLimit(context, scope, draft);
  access(scope, draft);
  authentication(context, scope, draft);
  addedHeaders(scope, draft);
  if (draft.has("root") || draft.has("alias")) fileAnswers(context, scope, draft);
  gzip(context, scope, draft);
  accessLogs(context, scope, draft);
}

function contentTypes(context: Context, scope: Scope, draft: Draft): void {
  const charset = charsetOf(context, scope);
  const named = inEffect(scope, "charset_types").flatMap(({ args }) => args.map(({ text }) => text));
  // text/html always is.
  const withCharset = named.length === 0 ? CHARSET_TYPES : ["text/html", ...named];
  const typed = (type: string, separator: string): string =>
    charset !== null && (withCharset.includes(type) || withCharset.includes("*"))
      ? `${type};${separator}charset=${charset}`
      : type;
  const directive = oneInEffect(scope, "default_type");
  if (directive !== null || !draft.has("handler"))
    draft.set("default_type", typed(directive?.args[0]?.text ?? DEFAULT_TYPE, " "), directive ?? draft.place);
  const blocks = inEffect(scope, "types");
  const lines = blocks.length === 0 ? BUILT_IN_TYPES : blocks.flatMap((block) => typeLines(context, block));
  // The type is one word there.
  const texts = lines.map((line) => line.replace(/^\S+/, (type) => typed(type, "")));
  draft.set("types", texts, blocks[0] ?? draft.place);
}

function charsetOf({ report }: Context, scope: Scope): string | null {
  const directive = oneInEffect(scope, "charset");
  const name = directive?.args[0]?.text ?? "off";
  if (directive !== null && !/^[\w.-]+$/.test(name)) report.faultOf(directive, `"${name}" is not supported`);
  return name === "off" ? null : name;
}

/** "text/html html htm", one a line of the block. */
function typeLines({ report }: Context, block: Directive): readonly string[] {
  return (block.block ?? []).flatMap((entry) => {
    const line = [entry.name, ...entry.args.map(({ text }) => text)].join(" ");
    const isEntry = entry.args.length > 0 && entry.block === null;
    const sentence = isEntry ? LIST_FAULTS.get("types")?.(line) : "invalid number of arguments";
    if (typeof sentence === "string") report.fault(entry, `${sentence} in "types" directive`);
    return typeof sentence === "string" ? [] : [line];
  });
}

function index(scope: Scope, draft: Draft): void {
  const directives = inEffect(scope, "index");
  const names = directives.flatMap(({ args }) => args.map(({ text }) => text));
  const [first] = directives;
  if (first !== undefined && (names.length > 1 || names[0] !== DEFAULT_INDEX))
    draft.set("index", names, first);
}

/** The http level's is the default of all locations. */
function bodySize({ report, values }: Context, scope: Scope, draft: Draft): void {
  const directive = oneInEffect(scope, "client_max_body_size");
  const value = values.of(directive);
  if (directive === null || value === undefined || isOfHttp(scope, directive)) return;
  draft.set("max_body_size", optionValue(report, directive, "location[].max_body_size", value), directive);
}

function isOfHttp(scope: Scope, directive: Directive): boolean {
  let level: Scope | null = scope;
  while (level !== null && level.context !== "http") level = level.parent;
  return level?.own.get(directive.name)?.includes(directive) ?? false;
}

function access(scope: Scope, draft: Draft): void {
  const directives = inEffect(scope, "allow");
  const [first] = directives;
  if (first === undefined) return;
  draft.set(
    "access",
    directives.map(({ name, args }) => `${name} ${args[0]?.text}`),
    first,
  );
}

function authentication({ report, folder }: Context, scope: Scope, draft: Draft): void {
  const realm = oneInEffect(scope, "auth_basic");
  const file = oneInEffect(scope, "auth_basic_user_file");
  const text = realm?.args[0]?.text ?? "off";
  if (realm === null || text === "off") return;
  for (const directive of [realm, file]) {
    if (directive?.args[0]?.text.includes("$")) report.faultOf(directive, "with variables is not supported");
  }
  draft.set("auth_basic", text, realm);
  if (file !== null) draft.set("auth_basic_user_file", resolve(folder, file.args[0]?.text ?? ""), file);
}

/** nginx's defaults are not ours everywhere. */
function fileAnswers({ report, values }: Context, scope: Scope, draft: Draft): void {
  for (const name of ["autoindex", "autoindex_localtime"] as const) {
    const directive = oneInEffect(scope, name);
    if (directive !== null && values.of(directive) === true) draft.set(name, true, directive);
  }
  for (const name of ["autoindex_exact_size", "etag"] as const) {
    const directive = oneInEffect(scope, name);
    if (directive !== null && values.of(directive) === false) draft.set(name, false, directive);
  }
  const format = oneInEffect(scope, "autoindex_format");
  const word = format?.args[0]?.text ?? "html";
  if (format !== null && word !== "html" && word !== "json")
    report.faultOf(format, `"${word}" is not supported`);
  else if (format !== null && word === "json") draft.set("autoindex_format", word, format);
  const ranges = oneInEffect(scope, "max_ranges");
  if (ranges !== null && !/^\d{1,9}$/.test(ranges.args[0]?.text ?? ""))
    report.faultOf(ranges, "invalid number");
  else if (Number(ranges?.args[0]?.text ?? 1) === 0) draft.set("ranges", false, ranges ?? draft.place);
  const since = oneInEffect(scope, "if_modified_since");
  const when = since?.args[0]?.text ?? "exact";
  if (["exact", "before", "off"].includes(when)) draft.set("if_modified_since", when, since ?? draft.place);
  else if (since !== null) report.fault(since, `invalid value "${when}" in "if_modified_since" directive`);
}

export function gzipFlag({ values }: Context, scope: Scope, draft: Draft): void {
  const directive = oneInEffect(scope, "gzip");
  const isOn = directive === null ? undefined : values.of(directive);
  if (directive !== null && isOn !== undefined) draft.set("gzip", isOn === true, directive);
}

function gzip({ report, values }: Context, scope: Scope, draft: Draft): void {
  const directive = oneInEffect(scope, "gzip");
  if (directive === null || values.of(directive) !== true) return;
  draft.set("gzip", true, directive);
  const vary = oneInEffect(scope, "gzip_vary");
  if (vary !== null && values.of(vary) === true) draft.set("gzip_vary", true, vary);
  const types = inEffect(scope, "gzip_types");
  // text/html always is.
  const names = types
    .flatMap(({ args }) => args.map(({ text }) => text))
    .filter((name) => name !== "text/html");
  if (types[0] !== undefined) draft.set("gzip_types", names, types[0]);
  for (const key of ["gzip_min_length", "gzip_comp_level"] as const) {
    const tuning = oneInEffect(scope, key);
    const value = values.of(tuning);
    if (tuning !== null && value !== undefined)
      draft.set(key, optionValue(report, tuning, `location[].${key}`, value), tuning);
  }
}

/** `mayBeNone`: where none is less than what there was. */
export function accessLogs(context: Context, scope: Scope, draft: Draft, mayBeNone = false): void {
  const directives = inEffect(scope, "access_log");
  const logs = directives.flatMap((directive) => accessLog(context, directive) ?? []);
  const [first] = directives;
  if (first !== undefined && (logs.length > 0 || mayBeNone)) draft.set("access_log", logs, first);
}

/** null: off, or not a file. */
function accessLog({ report, folder }: Context, directive: Directive): string | null {
  const [path = "", ...words] = directive.args.map(({ text }) => text);
  if (path === "off") return null;
  if (/^syslog:|[$\s]/.test(path)) {
    report.faultOf(directive, `to "${path}" is not supported`);
    return null;
  }
  const kept: string[] = [];
  for (const word of words) {
    if (word.startsWith("if=")) report.faultOf(directive, 'with "if=" is not supported');
    else if (/^gzip(?:=\d)?$/.test(word)) report.ignore(directive, "access_log … gzip");
    else kept.push(word);
  }
  return [resolve(folder, path), ...kept].join(" ");
}
