/**
 * The query as handlers, guards and hooks are given it: a `URLSearchParams` in which each name means what
 * `$arg_name` means to the location (config/location/variables.ts). Left to itself URLSearchParams decodes
 * names, minds their case and makes a blank of "+", so that with "?ID=secret&id=mine" a guard would judge
 * another channel than the one the role then serves.
 */
import { binaryBytes } from "../config/binary-text.ts";
import { decodeOnce } from "../config/location/variables.ts";
import { textOf } from "./publishing.ts";

/** Names a variable can have: of these only the plain spelling counts. */
const PLAIN_NAME = /^\w*$/;

export class Query extends URLSearchParams {
  /** `raw`: as sent, without "?". */
  constructor(raw: string) {
    super(pairsOf(raw));
  }

  override get(name: string): string | null {
    return super.get(name.toLowerCase());
  }
  override getAll(name: string): string[] {
    return super.getAll(name.toLowerCase());
  }
  override has(name: string, value?: string): boolean {
    return value === undefined ? super.has(name.toLowerCase()) : super.has(name.toLowerCase(), value);
  }
}

/** In their order, but what has no "=" last: to a variable it is nothing, and must not hide what has one. */
function pairsOf(raw: string): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  const bare: [string, string][] = [];
  for (const part of raw.split("&")) {
    const equals = part.indexOf("=");
    if (equals >= 0) pairs.push([nameOf(part.slice(0, equals)), decoded(part.slice(equals + 1))]);
    else if (part !== "") bare.push([nameOf(part), ""]);
  }
  return pairs.concat(bare);
}

/**
 * In lower case. Escaped is what no variable could ask for: "%69d" is not "id", "user%20name" is "user name".
 */
function nameOf(raw: string): string {
  const name = decoded(raw).toLowerCase();
  return PLAIN_NAME.test(name) ? raw.toLowerCase() : name;
}

const decoded = (raw: string): string => textOf(binaryBytes(decodeOnce(raw)));
