/**
 * The format of an access log, compiled: text with variables into a function that makes one line. Called by
 * access-log.ts, once per location and log.
 */
import { toBinary } from "../config/binary-text.ts";
import { rawLocationValue } from "../config/location/location-values.ts";
import type { LocationConfig } from "../config/model.ts";
import { log } from "../log.ts";
import { hiding } from "./log-secrets.ts";
import { type Answered, type LogValue, logVariable } from "./log-variables.ts";

export type LineMaker = (answered: Answered) => string;

const VARIABLE = /\$(?:\{(\w+)\}|(\d|[a-z_]\w*))/gi;
/** `escape=json` before the text, as a parameter of nginx's log_format. */
const ESCAPING = /^escape=(default|json|none)\s+/;

/** The line comes out as a binary string with its line feed. */
export function compileLogFormat(format: string, location: LocationConfig): LineMaker {
  const escaping = ESCAPING.exec(format);
  const text = format.slice(escaping?.[0].length ?? 0);
  const escaped = ESCAPES[escaping?.[1] ?? "default"] ?? escapeDefault;
  const parts: LogValue[] = [];
  let literalFrom = 0;
  const literal = (end: number): void => {
    const binary = toBinary(text.slice(literalFrom, end));
    if (binary !== "") parts.push(() => binary);
  };
  for (const found of text.matchAll(VARIABLE)) {
    literal(found.index);
    literalFrom = found.index + found[0].length;
    const name = found[1] ?? found[2] ?? "";
    const value = hiding(name, location, compileVariable(name, location));
    parts.push((answered) => escaped(value(answered)));
  }
  literal(text.length);
  return (answered) => {
    let line = "";
    for (const part of parts) line += part(answered);
    return `${line}\n`;
  };
}

function compileVariable(name: string, location: LocationConfig): LogValue {
  const ours = logVariable(name.toLowerCase());
  if (ours !== null) return ours;
  try {
    const value = rawLocationValue(location, `\${${name}}`);
    return ({ located }) => value(located);
  } catch (error) {
    // A log that lacks one column is better than a server that does not start.
    log("warn", "access_log: this variable is written as -", { name, error: String(error) });
    return () => "";
  }
}

/** nginx's own: what could break a line or a quoted column becomes \xHH. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const UNSAFE = /[\x00-\x1f"\\\x7f-\uffff]/g;
const escapeDefault = (value: string): string =>
  value === "" ? "-" : value.replace(UNSAFE, (byte) => `\\x${hex(byte.charCodeAt(0))}`);

const hex = (code: number): string => code.toString(16).toUpperCase().padStart(2, "0");

const ESCAPES: Readonly<Record<string, (value: string) => string>> = {
  default: escapeDefault,
  json: (value) => JSON.stringify(value).slice(1, -1).replaceAll("\x7f", "\\u007F"),
  // Not even nginx's "none" may let a client write lines of its own.
  none: (value) => value.replace(/[\r\n]/g, " "),
};
