/**
 * Chooses the format of a statistics answer from the Accept header (push-stream spec 5.2). Used by publish
 * and admin.
 *
 * This is the rule of the spec, not that of RFC 9110 12.5.1: the first subtype in the text that is known
 * wins, q-values and the type before the slash do not count.
 */
import type { StatisticsFormat } from "./statistics.ts";
import { jsonStatistics } from "./statistics-json.ts";

const JSON_FORMAT = jsonStatistics("application/json");

/** Subtypes in the order they are tried at each slash; a further format is one more row. */
const FORMATS: readonly (readonly [subtype: string, format: StatisticsFormat])[] = [
  ["json", JSON_FORMAT],
  ["x-json", jsonStatistics("text/x-json")],
];

/** The format for an Accept value; JSON for none, an unknown one, or null. */
export function negotiate(accept: string | null): StatisticsFormat {
  if (accept === null) return JSON_FORMAT;
  for (let slash = accept.indexOf("/"); slash >= 0; slash = accept.indexOf("/", slash + 1)) {
    for (const [subtype, format] of FORMATS) {
      if (accept.startsWith(subtype, slash + 1)) return format;
    }
  }
  return JSON_FORMAT;
}
