/**
 * What `/metrics` says more where handlers have shared dictionaries: one series for each, by its name. Text,
 * as cluster-metrics.ts.
 */
import type { DictionaryCounts } from "../store/dictionary/shared-keeping.ts";

export type NamedCounts = readonly (readonly [name: string, counts: DictionaryCounts])[];

const ROWS: readonly (readonly [
  name: string,
  kind: "gauge" | "counter",
  help: string,
  count: keyof DictionaryCounts,
])[] = [
  ["shared_entries", "gauge", "Keys in the shared dictionary, those whose time is over included", "entries"],
  ["shared_bytes", "gauge", "Room in the shared dictionary", "bytes"],
  ["shared_used_bytes", "gauge", "Room that is taken", "usedBytes"],
  ["shared_evicted_total", "counter", "Keys that had to make room for others", "evicted"],
  ["shared_expired_total", "counter", "Keys whose time was over when room was needed", "expired"],
  [
    "shared_emptied_total",
    "counter",
    "Times the dictionary was emptied because its memory was damaged",
    "emptied",
  ],
];

/** Empty where there are none. */
export function dictionaryMetrics(dictionaries: NamedCounts): string {
  if (dictionaries.length === 0) return "";
  const lines = ROWS.flatMap(([name, kind, help, count]) => [
    `# HELP sluice_${name} ${help}`,
    `# TYPE sluice_${name} ${kind}`,
    ...dictionaries.map(([label, counts]) => `sluice_${name}{name="${label}"} ${counts[count]}`),
  ]);
  return `${lines.join("\n")}\n`;
}
