/**
 * The table of a release: `bun run verify [-- --minutes 15]` holds the built binary against every fault that
 * can be had here and writes what came of it into docs/reliability.md. Ends with 1 when a promise was broken;
 * the table says so, too. With `--cluster` the table of the cluster's faults.
 */
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { FAULTS } from "../src/verify/faults.ts";
import { FAULT_HEAD, faultCells, reportText } from "../src/verify/report-text.ts";
import type { FaultRow, Report } from "../src/verify/run.ts";

const root = join(import.meta.dir, "..");
const page = join(root, "docs/reliability.md");
const more = process.argv.slice(2);
const name = more.includes("--cluster") ? "cluster" : "table";
const [BEGIN, END] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];

/** As `sluice verify --json` prints it: maps are objects. */
type Printed = Omit<Report, "rows"> & {
  readonly rows: readonly (Omit<FaultRow, "byClaim"> & { byClaim: object })[];
};

const args = more.includes("--minutes") ? more : ["--minutes", "15", ...more];
const child = Bun.spawn([join(root, "dist/sluice"), "verify", "--json", ...args], {
  stdin: "ignore",
  stdout: "pipe",
  stderr: "inherit",
});
const printed = JSON.parse(await new Response(child.stdout).text()) as Printed;
const report: Report = {
  ...printed,
  rows: printed.rows.map((row) => ({ ...row, byClaim: new Map(Object.entries(row.byClaim)) }) as FaultRow),
};

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const what = (name: string): string => FAULTS.find((fault) => fault.name === name)?.what ?? "";
const version = Bun.spawnSync([join(root, "dist/sluice"), "version"])
  .stdout.toString()
  .trim()
  .split("\n")[0];
const table = [
  `${version}; ${availableParallelism()} processors (${cpus()[0]?.model ?? "unknown"}); ` +
    `seed ${report.seed}, ${Math.round(report.seconds / 60)} minutes.`,
  "",
  row(["what is done", ...FAULT_HEAD]),
  row(["", ...FAULT_HEAD].map(() => "---")),
  ...report.rows.map((one) => row([what(one.name), ...faultCells(one)])),
  ...report.skipped.flatMap(({ name, why }) => ["", `${name} was left out: ${why}.`]),
].join("\n");

const text = await Bun.file(page).text();
const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
if (begin < 0 || end < begin) throw new Error(`docs/reliability.md has no ${BEGIN} … ${END}`);
await Bun.write(page, `${text.slice(0, begin + BEGIN.length)}\n${table}\n${text.slice(end)}`);
process.stdout.write(reportText(report));
process.exit(await child.exited);
