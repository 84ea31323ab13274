// Turns results into the text that is printed and, with --write, stands in README.md between the result
// markers.

import { cpus, release, totalmem } from "node:os";
import type { Chart } from "./charts/chart.ts";
import { hasCompiler } from "./compile.ts";
import type { Line, RowResult } from "./rows/row.ts";

const BEGIN = "<!-- results:begin -->";
const END = "<!-- results:end -->";
const WORDS = new Map<boolean | null, string>([
  [true, "yes"],
  [false, "**no**"],
  [null, "undecided"],
]);

/**
 * One row as it was measured once: what results.json keeps, so that a run of some rows replaces those and
 * leaves the others.
 */
export interface Measured {
  readonly result: RowResult;
  readonly day: string;
  readonly command: string;
  /** Which sluice. */
  readonly build: string;
  readonly machine: string;
  readonly tookSec: number;
}

export type Results = Readonly<Record<string, Measured>>;

export function machine(): string {
  const all = cpus();
  const tools = hasCompiler() ? "C" : "Bun (no C compiler here)";
  const gib = (totalmem() / 2 ** 30).toFixed(0);
  return (
    `${all.length} x ${all[0]?.model ?? "unknown CPU"}, ${gib} GiB, Linux ${release()}, ` +
    `Bun ${Bun.version}; ceiling and generator in ${tools}`
  );
}

/**
 * Columns padded to one width, as the repository's formatter wants Markdown: a written table must pass the
 * lint.
 */
function table(lines: readonly Line[]): string[] {
  const rows = [
    ["figure", "target", "measured: median (range)", "met"],
    ...lines.map((line) => [line.figure, line.target, line.measured, WORDS.get(line.met) ?? ""]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(3, ...rows.map((row) => (row[column] ?? "").length)));
  const padded = rows.map((row) => `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`);
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [padded[0] ?? "", rule, ...padded.slice(1)];
}

/** Who measured which rows, where and when: one sentence for each run that is still in the table. */
function origins(results: Results): string[] {
  const runs = new Map<string, { readonly rows: string[]; tookSec: number }>();
  for (const [row, { day, build, command, machine: where, tookSec }] of Object.entries(results)) {
    const key = `${day}, ${where}. ${build}. \`${command}\``;
    const run = runs.get(key) ?? { rows: [], tookSec: 0 };
    run.rows.push(row);
    run.tookSec += tookSec;
    runs.set(key, run);
  }
  return [...runs].map(([key, { rows, tookSec }]) => {
    const which = runs.size > 1 ? ` Rows ${rows.join(", ")}.` : "";
    return `${key}, ${tookSec.toFixed(0)} s.${which}`;
  });
}

/** The result section in Markdown: machine, table, charts, then the values behind it. */
export function report(results: Results, charts: readonly Chart[]): string {
  const all = Object.values(results).map(({ result }) => result);
  return [
    ...origins(results).flatMap((origin) => [origin, ""]),
    "Ranges are lowest and highest round.",
    "",
    ...table(all.flatMap((result) => result.lines)),
    "",
    ...charts.flatMap(({ file, title }) => [`![${title}](charts/${file}.svg)`, ""]),
    "Behind the table:",
    "",
    ...all.flatMap((result) => result.notes.map((note) => `- ${note}`)),
  ].join("\n");
}

/** Replaces what stands between the markers of the README. Throws when they are not there. */
export async function writeInto(readmePath: string, section: string): Promise<void> {
  const text = await Bun.file(readmePath).text();
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END);
  if (from < 0 || to < from) throw new Error(`${readmePath}: no ${BEGIN} ... ${END}`);
  await Bun.write(readmePath, `${text.slice(0, from + BEGIN.length)}\n${section}\n${text.slice(to)}`);
}
