/**
 * Complex values: text with nginx variables, compiled once into a function of the request. publish/,
 * subscribe/ and admin/ compile channels_path and the position options of their locations; match-syntax.ts
 * says which captures there are.
 *
 * One thing nginx does not have: `${a|b}` is the first of the two that is not empty. A browser's EventSource
 * sends its position as a header when it reconnects but cannot send one at first, so a location has to be
 * able to take either.
 *
 * What comes out are binary strings (one character a byte).
 */
import { hexDigit, toBinary } from "../binary-text.ts";
import { type CaptureGroups, NO_GROUPS } from "./match-syntax.ts";

/** What variables can ask of a request. Texts are ASCII or binary strings, as the runtime gives them. */
export interface RequestFacts {
  /** Path of the request line as sent, without query. */
  readonly rawUrlPath: string;
  /** The path, decoded and normalised, as it is by now: steps may rewrite it. A binary string. */
  readonly path: string;
  /** The query by now, without "?"; "" when there is none. */
  readonly rawQuery: string;
  /** The query as sent. */
  readonly sentQuery: string;
  /** What `$1` means: from the location's match, or from the last regex of a step that matched since. */
  readonly captures: readonly string[];
  /** From the location's match: named groups keep their value. */
  readonly pathCaptures: readonly string[];
  header(name: string): string | null;
  readonly method: string;
  /** "unix:" for those who came through a unix socket; never empty. */
  readonly remoteAddress: string;
  /** The same of the other end of the connection: of the proxy, where there is a trusted one. */
  readonly connectionAddress: string;
  /** "http" or "https". */
  readonly scheme: string;
  /** What a step has set, "" before; the name in lower case, without `$`. */
  variable(name: string): string;
}

export type CompiledValue = (facts: RequestFacts) => string;

/** A variable or literal text, in both ways of reading it: as it is, and percent-decoded once. */
interface Part {
  readonly raw: CompiledValue;
  readonly once: CompiledValue;
}

interface ParsedValue {
  readonly parts: readonly Part[];
  /** One for each thing wrong with the text. */
  readonly sentences: readonly string[];
}

/** Variables that steps set; most configurations have none. */
const NO_NAMES: ReadonlySet<string> = new Set();

/**
 * "$name", "$1" (one digit, as in nginx), "${name}", "${12}", "${name|other}", or "$" before anything else.
 */
const VARIABLE = /\$(?:(\d)|([a-z_]\w*)|\{([^}]*)\}|)/gi;

/** What is wrong with the text, all of it; null when it is a complex value. */
export function valueFault(
  text: string,
  groups: CaptureGroups = NO_GROUPS,
  names: ReadonlySet<string> = NO_NAMES,
): string | null {
  const { sentences } = parseValue(text, groups, names);
  return sentences.length === 0 ? null : sentences.join(" ");
}

/**
 * Evaluates to the text as nginx would: variables in place, nothing decoded. Throws on what valueFault
 * refuses.
 */
export function compileValue(
  text: string,
  groups: CaptureGroups = NO_GROUPS,
  names: ReadonlySet<string> = NO_NAMES,
): CompiledValue {
  return joined(partsOf(text, groups, names).map((part) => part.raw));
}

/**
 * The same, percent-decoded exactly once: query arguments and headers are decoded, captures and $uri (decoded
 * with the path) are not decoded again. The module decodes those twice, which makes an id with "%"
 * unreachable by path; push-stream spec 12.3 recommends once.
 */
export function compileDecodedValue(
  text: string,
  groups: CaptureGroups = NO_GROUPS,
  names: ReadonlySet<string> = NO_NAMES,
): CompiledValue {
  return joined(partsOf(text, groups, names).map((part) => part.once));
}

function partsOf(text: string, groups: CaptureGroups, names: ReadonlySet<string>): readonly Part[] {
  const { parts, sentences } = parseValue(text, groups, names);
  if (sentences.length > 0) throw new Error(`${text}: ${sentences.join(" ")}`);
  return parts;
}

/** One part ("$arg_id", "$1": nearly every configuration) needs no joining. */
function joined(evaluators: readonly CompiledValue[]): CompiledValue {
  const [first, second] = evaluators;
  if (first === undefined) return () => "";
  if (second === undefined) return first;
  return (facts) => {
    let whole = "";
    for (const evaluate of evaluators) whole += evaluate(facts);
    return whole;
  };
}

function parseValue(text: string, groups: CaptureGroups, names: ReadonlySet<string>): ParsedValue {
  const parts: Part[] = [];
  const sentences: string[] = [];
  let literalFrom = 0;
  for (const found of text.matchAll(VARIABLE)) {
    if (found.index > literalFrom) parts.push(literal(text.slice(literalFrom, found.index)));
    literalFrom = found.index + found[0].length;
    const choices: Part[] = [];
    for (const name of (found[1] ?? found[2] ?? found[3] ?? "").split("|")) {
      const part = variable(name, groups, names);
      if (typeof part === "string") sentences.push(part);
      else choices.push(part);
    }
    parts.push(firstFilled(choices));
  }
  if (literalFrom < text.length) parts.push(literal(text.slice(literalFrom)));
  return { parts, sentences };
}

/** Literal text is decoded by the module as well: "a%20b" in a configuration is "a b". */
function literal(text: string): Part {
  const binary = toBinary(text);
  const decoded = decodeOnce(binary);
  return { raw: () => binary, once: () => decoded };
}

function firstFilled(choices: readonly Part[]): Part {
  const [only, second] = choices;
  if (only !== undefined && second === undefined) return only;
  return {
    raw: firstOf(choices.map((choice) => choice.raw)),
    once: firstOf(choices.map((choice) => choice.once)),
  };
}

const firstOf =
  (evaluators: readonly CompiledValue[]): CompiledValue =>
  (facts) => {
    for (const evaluate of evaluators) {
      const value = evaluate(facts);
      if (value !== "") return value;
    }
    return "";
  };

/**
 * The variable with this name, or a sentence. A named group of the regex comes before a built-in of the same
 * name.
 */
function variable(name: string, groups: CaptureGroups, names: ReadonlySet<string>): Part | string {
  if (name === "") return '"$" must be followed by the name of a variable.';
  if (/^\d+$/.test(name)) return numberedCapture(Number(name), groups);
  const lower = name.toLowerCase();
  const group = groups.names.get(name) ?? groups.names.get(lower);
  if (group !== undefined) return namedCapture(group, lower);
  if (names.has(lower)) return encoded((facts) => facts.variable(lower));
  const argument = /^arg_(\w+)$/.exec(lower)?.[1];
  if (argument !== undefined) return encoded((facts) => queryArgument(facts.rawQuery, argument));
  const header = /^http_(\w+)$/.exec(lower)?.[1]?.replaceAll("_", "-");
  if (header !== undefined) return encoded((facts) => facts.header(header) ?? "");
  const cookie = /^cookie_(\w+)$/.exec(lower)?.[1];
  if (cookie !== undefined) return encoded((facts) => cookieValue(facts.header("cookie") ?? "", cookie));
  return BUILT_IN.get(lower) ?? `unknown variable $${name}.`;
}

function numberedCapture(group: number, groups: CaptureGroups): Part | string {
  if (group >= 1 && group <= groups.count) return capture(group);
  const has = groups.count === 0 ? "no groups" : `${groups.count} group${groups.count === 1 ? "" : "s"}`;
  return `unknown variable $${group}, the location's match has ${has}.`;
}

/** For values cut out of the path, which was decoded when the location was looked for. */
const decoded = (evaluate: CompiledValue): Part => ({ raw: evaluate, once: evaluate });
/** For values as the client sent them. */
const encoded = (evaluate: CompiledValue): Part => ({
  raw: evaluate,
  once: (facts) => decodeOnce(evaluate(facts)),
});

const capture = (group: number): Part => decoded((facts) => facts.captures[group] ?? "");

/** What a step or a later regex has put into the variable comes first. */
function namedCapture(group: number, name: string): Part {
  const own: CompiledValue = (facts) => facts.pathCaptures[group] ?? "";
  return {
    raw: (facts) => facts.variable(name) || own(facts),
    once: (facts) => decodeOnce(facts.variable(name)) || own(facts),
  };
}

const BUILT_IN: ReadonlyMap<string, Part> = new Map([
  ["uri", decoded((facts) => facts.path)],
  ["request_uri", encoded(({ rawUrlPath, sentQuery }) => rawUrlPath + (sentQuery && `?${sentQuery}`))],
  ["args", encoded((facts) => facts.rawQuery)],
  ["query_string", encoded((facts) => facts.rawQuery)],
  ["is_args", encoded(questionMark)],
  ["host", encoded((facts) => hostName(facts.header("host") ?? ""))],
  ["remote_addr", encoded((facts) => facts.remoteAddress)],
  ["realip_remote_addr", encoded((facts) => facts.connectionAddress)],
  ["request_method", encoded((facts) => facts.method)],
  ["scheme", encoded((facts) => facts.scheme)],
  ["http_host", encoded((facts) => facts.header("host") ?? "")],
  ["https", encoded((facts) => (facts.scheme === "https" ? "on" : ""))],
  ["server_protocol", encoded(() => "HTTP/1.1")],
  ["proxy_add_x_forwarded_for", encoded(forwardedFor)],
  ["document_uri", decoded((facts) => facts.path)],
  ["content_type", encoded((facts) => facts.header("content-type") ?? "")],
  ["content_length", encoded((facts) => facts.header("content-length") ?? "")],
]);

/** Through whom it came, and who has brought it here (nginx's `$proxy_add_x_forwarded_for`). */
function forwardedFor(facts: RequestFacts): string {
  const before = facts.header("x-forwarded-for");
  return before === null ? facts.remoteAddress : `${before}, ${facts.remoteAddress}`;
}

function questionMark(facts: RequestFacts): string {
  return facts.rawQuery === "" ? "" : "?";
}

/** $host is the Host header without port, in lower case and without a final dot. */
const hostName = (header: string): string =>
  (/^(?:\[[^\]]*\]|[^:]*)/.exec(header)?.[0] ?? "").toLowerCase().replace(/\.$/, "");

/**
 * The raw value of a query argument, "" when there is none. The name is compared without case and must be
 * followed by "=", at the start of the query or after "&"; the first one counts (push-stream spec 3.2).
 * `name` is in lower case.
 */
export function queryArgument(query: string, name: string): string {
  for (let start = 0; start < query.length; ) {
    const next = query.indexOf("&", start);
    const end = next === -1 ? query.length : next;
    const equals = start + name.length;
    if (equals < end && query.charCodeAt(equals) === 0x3d) {
      if (query.startsWith(name, start) || query.slice(start, equals).toLowerCase() === name)
        return query.slice(equals + 1, end);
    }
    start = end + 1;
  }
  return "";
}

/**
 * The value of the first cookie with this name, compared without case as nginx does. `name` is in lower case.
 */
function cookieValue(header: string, name: string): string {
  for (const pair of header.split(";")) {
    const equals = pair.indexOf("=");
    if (equals !== -1 && pair.slice(0, equals).trim().toLowerCase() === name)
      return pair.slice(equals + 1).trim();
  }
  return "";
}

/**
 * One percent-decode over a binary string, by the rules of push-stream spec 3.2: "+" is no space; "%" before
 * a character that is no hexadecimal digit is dropped and the character kept; "%", one digit and a character
 * that is none drop all three. The module also stops at "?"; that quirk is not copied, as the spec allows.
 */
export function decodeOnce(value: string): string {
  let percent = value.indexOf("%");
  if (percent === -1) return value;
  let decoded = "";
  let from = 0;
  while (percent !== -1) {
    decoded += value.slice(from, percent);
    const high = hexDigit(value.charCodeAt(percent + 1));
    const low = hexDigit(value.charCodeAt(percent + 2));
    if (high >= 0 && low >= 0) decoded += String.fromCharCode(high * 16 + low);
    // A dropped "%" keeps the next character, which may itself be "%": it is copied and not read as an escape
    // again.
    if (high < 0) decoded += value.slice(percent + 1, percent + 2);
    from = percent + (high < 0 ? 2 : 3);
    percent = value.indexOf("%", from);
  }
  return decoded + value.slice(from);
}
