/**
 * A report as people read it: promises, faults, and the shortest story of each that was broken. Used by
 * cli/verify.ts and by scripts/verify.ts.
 */
import type { Claim } from "./checker.ts";
import type { FaultRow, Report } from "./run.ts";

/** Each claim, and what of the run could have broken it. */
const CLAIMS: readonly (readonly [Claim, string, (report: Report) => string])[] = [
  [
    "order",
    "one order for everyone, and each publisher's own",
    (report) => `${sum(report, "deliveries")} deliveries`,
  ],
  ["once", "no message twice", (report) => `${sum(report, "deliveries")} deliveries`],
  [
    "gapless",
    "an open connection gets everything, or is told",
    (report) => `${sum(report, "opens")} connections, ${sum(report, "gaps")} gaps told`,
  ],
  [
    "counted",
    "what is told as lost is what was lost",
    (report) => `${sum(report, "missed")} messages told as lost`,
  ],
  [
    "resumable",
    "who comes back with a position misses nothing untold",
    (report) => `${sum(report, "resumes")} resumed, ${sum(report, "moves")} on another transport`,
  ],
  [
    "bounded",
    "a worker's memory has a ceiling",
    (report) =>
      `at most ${Math.round(Math.max(0, ...report.rows.map(({ memory }) => memory)) / 2 ** 20)} MiB of ` +
      "its own",
  ],
  [
    "workers",
    "what kills a worker does not end the server",
    (report) => `${report.rows.reduce((all, { strikes }) => all + strikes, 0)} strikes`,
  ],
  ["kept", "what was accepted is stored", (report) => `${sum(report, "accepted")} accepted`],
  [
    "honest",
    "publishers are answered what is so",
    (report) =>
      `${sum(report, "accepted")} accepted, ${sum(report, "refused")} refused, ` +
      `${sum(report, "unknown")} without an answer`,
  ],
];

const number = (value: number): string => value.toLocaleString("en-US");

const sum = ({ rows }: Report, count: keyof FaultRow["counts"]): string =>
  number(rows.reduce((all, { counts }) => all + counts[count], 0));

export const holds = ({ rows }: Report): boolean => rows.every(({ violations }) => violations === 0);

/** What nobody answered says nothing of a server. */
export const wasTried = ({ rows }: Report): boolean =>
  rows.some(({ counts }) => counts.accepted > 0 && counts.deliveries > 0);

export function reportText(report: Report): string {
  const verdict = (claim: Claim, tried: string): string => {
    if (broken(claim) > 0) return `BROKEN ${number(broken(claim))} times`;
    return /^\D*0\b/.test(tried) ? "not tried" : "holds";
  };
  const broken = (claim: Claim): number =>
    report.rows.reduce((all, { byClaim }) => all + (byClaim.get(claim) ?? 0), 0);
  // A terminal has 80 columns: what was tried stands in a line of its own.
  const promises = CLAIMS.flatMap(([claim, meaning, tried]) => [
    [claim, meaning, verdict(claim, tried(report))],
    ["", tried(report), ""],
  ]);
  const parts = [
    table(["promise", "", "verdict"], promises),
    table(
      SHORT_HEAD,
      report.rows.map((row) => faultCells(row).map((cell) => cell.replace(/ s$/, ""))),
    ),
    LEGEND,
    ...report.skipped.map(({ name, why }) => `${name} was left out: ${why}.`),
    ...report.violations.map(
      ({ promise, fault, sentence, story }) =>
        `${promise}, ${fault}: ${sentence}\n${story.map((line) => `    ${line}`).join("\n")}`,
    ),
    `seed ${report.seed}, ${Math.round(report.seconds)} s`,
  ];
  return `${parts.join("\n\n")}\n`;
}

export const FAULT_HEAD = [
  "fault",
  "strikes",
  "accepted",
  "delivered",
  "lost",
  "twice",
  "untold",
  "told",
  "publishers waited",
  "readers waited",
];

/** The same in 80 columns, and what it is short for. */
const SHORT_HEAD = ["fault", "hits", "taken", "given", "lost", "twice", "untold", "told", "pub s", "sub s"];
const LEGEND = `hits: times the fault was done; taken, given: messages accepted and delivered;
told: gaps that readers were told of; pub s, sub s: longest wait in seconds`;

/** The row of one fault: what FAULT_HEAD names. */
export function faultCells({
  name,
  strikes,
  counts,
  byClaim,
  publishersWaited,
  readersWaited,
}: FaultRow): readonly string[] {
  const of = (...claims: readonly Claim[]): string =>
    number(claims.reduce((all, claim) => all + (byClaim.get(claim) ?? 0), 0));
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
  return [
    name,
    number(strikes),
    number(counts.accepted),
    number(counts.deliveries),
    of("kept"),
    of("once"),
    of("gapless", "resumable", "counted"),
    number(counts.gaps),
    seconds(publishersWaited),
    seconds(readersWaited),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
