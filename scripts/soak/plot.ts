/**
 * The picture and the table of a soak: four plots under each other over one axis of time, a line for each
 * process, a mark for each process that was ended on purpose. Used by scripts/soak.ts; no library, since a
 * polyline is all it takes.
 */
import { median } from "./drift.ts";
import type { Look, ProcessLook } from "./watch.ts";

interface Line {
  readonly name: string;
  readonly points: readonly (readonly [hours: number, value: number])[];
}
interface Plot {
  readonly title: string;
  readonly lines: readonly Line[];
}

const [LEFT, WIDTH, HEIGHT, ROW] = [64, 820, 130, 190] as const;
const COLOURS = ["#333333", "#0b6d74", "#c2571a", "#6a4fb0", "#8a7a00", "#2b6cb0"];
const MIB = 2 ** 20;

export function plotOf(looks: readonly Look[], subtitle: string, quietFrom: number): string {
  const end = Math.max(1 / 60, ...looks.map(({ hours }) => hours));
  const plots = plotsOf(looks);
  const names = plots[0]?.lines.map(({ name }) => name) ?? [];
  const x = (hours: number): number => LEFT + (hours / end) * WIDTH;
  const rows = plots.map((plot, row) => drawn(plot, 78 + row * ROW, x, end)).join("");
  const bottom = 78 + plots.length * ROW;
  const legend = names
    .map(
      (name, at) =>
        `<rect x="${LEFT + at * 120}" y="44" width="18" height="4" fill="${COLOURS[at]}"/>` +
        `<text x="${LEFT + at * 120 + 24}" y="50">${name}</text>`,
    )
    .join("");
  const quiet =
    `<line x1="${x(quietFrom)}" x2="${x(quietFrom)}" y1="66" y2="${bottom - 50}" stroke="#999" ` +
    `stroke-dasharray="4 3"/><text x="${x(quietFrom) + 4}" y="70" fill="#666" font-size="11">` +
    `no process is ended from here on</text>`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LEFT + WIDTH + 20} ${bottom}" ` +
    (`font-family="sans-serif" font-size="13" fill="#222"><title>${subtitle}</title><rect width="100%" ` +
      `height="100%" fill="#fff"/>`) +
    `<text x="${LEFT}" y="24" font-size="15">${subtitle}</text>${legend}${rows}${quiet}</svg>\n`
  );
}

function plotsOf(looks: readonly Look[]): Plot[] {
  const rest = looks.filter(({ isAtRest }) => isAtRest);
  const names = [...new Set(looks.flatMap(({ processes }) => processes.map(({ name }) => name)))].toSorted();
  const lines = (of: readonly Look[], what: (one: ProcessLook) => number | null): Line[] =>
    names.map((name) => ({
      name,
      points: of.flatMap(({ hours, processes }) => {
        const one = processes.find((process) => process.name === name);
        const value = one === undefined ? null : what(one);
        return value === null ? [] : [[hours, value] as const];
      }),
    }));
  const blocks = (of: readonly Look[]): Line["points"] =>
    of.flatMap(({ hours, blocks: count }) => (count === null ? [] : [[hours, count] as const]));
  return [
    {
      title: "memory of its own, MiB (the shared store is not in it)",
      lines: lines(looks, ({ memory }) => memory / MIB),
    },
    { title: "open descriptors", lines: lines(looks, ({ descriptors }) => descriptors) },
    { title: "timers when nobody is there", lines: lines(rest, ({ timers }) => timers) },
    {
      title: "blocks of the store in use (each phase ends with every channel deleted)",
      lines: [{ name: "store", points: blocks(looks) }],
    },
  ];
}

function drawn({ title, lines }: Plot, top: number, x: (hours: number) => number, end: number): string {
  const most = Math.max(1, ...lines.flatMap(({ points }) => points.map(([, value]) => value)));
  const step = stepOf(most, 4);
  const ceiling = Math.ceil(most / step) * step;
  const [from, floor] = [top + 20, top + 20 + HEIGHT - 20];
  const y = (value: number): number => floor - (value / ceiling) * (floor - from);
  const grid = ticks(ceiling, step).map(
    (value) =>
      `<line x1="${LEFT}" x2="${LEFT + WIDTH}" y1="${y(value)}" y2="${y(value)}" stroke="#e4e4e4"/>` +
      `<text x="${LEFT - 8}" y="${y(value) + 4}" text-anchor="end" font-size="11">${value}</text>`,
  );
  const minutes = stepOf(end * 60, 10);
  const times = ticks(end * 60, minutes).map(
    (value) =>
      `<line x1="${x(value / 60)}" x2="${x(value / 60)}" y1="${floor}" y2="${floor + 4}" stroke="#888"/>` +
      `<text x="${x(value / 60)}" y="${floor + 17}" text-anchor="middle" font-size="11">${value} min</text>`,
  );
  const curves = lines.map(({ points }, at) => {
    const path = points.map(([hours, value]) => `${x(hours).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    return (
      `<polyline fill="none" stroke="${COLOURS[at % COLOURS.length]}" ` +
      `stroke-width="1.5" points="${path}"/>`
    );
  });
  return `<text x="${LEFT}" y="${top + 10}">${title}</text>${[...grid, ...times, ...curves].join("")}`;
}

const ticks = (end: number, step: number): number[] =>
  Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, at) => Math.round(at * step * 100) / 100);

/** 1, 2 or 5 times a power of ten: at most about `count` of them in `most`. */
function stepOf(most: number, count: number): number {
  const least = most / count;
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((times) => times * power >= least) ?? 10) * power;
}

/** Markdown: a row for each process, at its moments of rest. */
export function tableOf(looks: readonly Look[]): string {
  const rest = looks.filter(({ isAtRest }) => isAtRest);
  const names = [...new Set(rest.flatMap(({ processes }) => processes.map(({ name }) => name)))].toSorted();
  const fifth = Math.max(1, Math.floor(rest.length / 5));
  const cell = (of: readonly Look[], value: (look: Look) => number | null | undefined): string => {
    const values = of.map(value).filter((one) => one !== null && one !== undefined);
    return values.length === 0 ? "" : `${Math.round(median(values))}`;
  };
  const row = (title: string, value: (look: Look) => number | null | undefined): string =>
    `| ${title} | ${cell(rest.slice(fifth, 2 * fifth), value)} | ${cell(rest.slice(-fifth), value)} |`;
  const of = (look: Look, name: string): ProcessLook | undefined =>
    look.processes.find((one) => one.name === name);
  return [
    "| at rest, median | second fifth | last fifth |",
    "| --- | --- | --- |",
    ...names.flatMap((name) => [
      row(`${name}: memory, MiB`, (look) => (of(look, name)?.memory ?? Number.NaN) / MIB),
      row(`${name}: descriptors`, (look) => of(look, name)?.descriptors),
      ...(name === "main" ? [] : [row(`${name}: timers`, (look) => of(look, name)?.timers)]),
    ]),
    row("blocks of the empty store", ({ blocks }) => blocks),
  ].join("\n");
}
