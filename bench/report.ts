// Turns results into the text that is printed and, with --write, stands in README.md between the result markers.

import { cpus, release, totalmem } from "node:os";
import { hasCompiler } from "./compile.ts";
import type { Line, RowResult } from "./rows/row.ts";

const BEGIN = "<!-- results:begin -->";
const END = "<!-- results:end -->";
const WORDS = new Map<boolean | null, string>([
  [true, "yes"],
  [false, "**no**"],
  [null, "undecided"],
]);

export interface RunFacts {
  readonly command: string;
  /** Which sluice was measured. */
  readonly build: string;
  readonly tookSec: number;
}

function machine(): string {
  const all = cpus();
  const tools = hasCompiler() ? "C" : "Bun (no C compiler here)";
  const gib = (totalmem() / 2 ** 30).toFixed(0);
  return `${all.length} x ${all[0]?.model ?? "unknown CPU"}, ${gib} GiB, Linux ${release()}, Bun ${Bun.version}; ceiling and generator in ${tools}`;
}

function tableLine(line: Line): string {
  return `| ${line.figure} | ${line.target} | ${line.measured} | ${WORDS.get(line.met)} |`;
}

/** The result section in Markdown: machine, table, then the values behind it. */
export function report(results: readonly RowResult[], run: RunFacts): string {
  const day = new Date().toISOString().slice(0, 10);
  return [
    `${day}, ${machine()}. ${run.build}. \`${run.command}\`, ${run.tookSec.toFixed(0)} s.`,
    "Ranges are lowest and highest round.",
    "",
    "| figure | target | measured: median (range) | met |",
    "|---|---|---|---|",
    ...results.flatMap((result) => result.lines.map(tableLine)),
    "",
    "Behind the table:",
    "",
    ...results.flatMap((result) => result.notes.map((note) => `- ${note}`)),
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
