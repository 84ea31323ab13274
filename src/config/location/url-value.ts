/**
 * A complex value that depends on nothing but the URL, remembered for the last one: publishers post to one
 * URL again and again, and to read an argument out of its query costs a tenth of a publish. Used by publish/.
 */

import type { LocationConfig } from "../model.ts";
import { locationValue } from "./location-values.ts";
import type { CompiledValue } from "./variables.ts";

/**
 * "$" before anything but an argument, or a group by number: a header, a variable of a step, a map, or what
 * is not sent by the client.
 */
const BEYOND_THE_URL = /\$(?!arg_\w+|\d|\{(?:arg_\w+|\d+)\})/i;

const NO_CAPTURES: readonly string[] = [];

/** As locationValue: evaluates to a binary string, decoded once. */
export function rememberedByUrl(location: LocationConfig, text: string): CompiledValue {
  const value = locationValue(location, text);
  // A step may set what looks like an argument.
  if (BEYOND_THE_URL.test(text) || location.setVariables.size > 0) return value;
  let query = "";
  let captures = NO_CAPTURES;
  let pathCaptures = NO_CAPTURES;
  let last: string | null = null;
  return (facts) => {
    // Of one URL the locator gives the same captures again, so it is enough to know them by sight.
    const isSame =
      facts.rawQuery === query && facts.captures === captures && facts.pathCaptures === pathCaptures;
    if (last !== null && isSame) return last;
    last = value(facts);
    query = facts.rawQuery;
    captures = facts.captures;
    pathCaptures = facts.pathCaptures;
    return last;
  };
}
