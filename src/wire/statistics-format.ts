/**
 * Chooses the format of a statistics answer from the Accept header (push-stream spec 5.2). Used by publish
 * and admin.
 *
 * This is the rule of the spec, not that of RFC 9110 12.5.1: the first subtype in the text that is known
 * wins, q-values and the type before the slash do not count.
 */
import { type StatisticsFormat, statisticsFormat } from "./statistics.ts";
import { JSON_STATISTICS } from "./statistics-json.ts";
import { PLAIN_STATISTICS } from "./statistics-plain.ts";
import { XML_STATISTICS } from "./statistics-xml.ts";
import { YAML_STATISTICS } from "./statistics-yaml.ts";

const JSON_FORMAT = statisticsFormat("application/json", JSON_STATISTICS);

/** Subtypes in the order they are tried at each slash. */
const FORMATS: readonly (readonly [subtype: string, format: StatisticsFormat])[] = [
  ["plain", statisticsFormat("text/plain", PLAIN_STATISTICS)],
  ["json", JSON_FORMAT],
  ["yaml", statisticsFormat("application/yaml", YAML_STATISTICS)],
  ["xml", statisticsFormat("application/xml", XML_STATISTICS)],
  ["x-json", statisticsFormat("text/x-json", JSON_STATISTICS)],
  ["x-yaml", statisticsFormat("text/x-yaml", YAML_STATISTICS)],
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
