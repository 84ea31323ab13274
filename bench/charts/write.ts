// Draws charts as SVG: one line a contender, named at its end. The same figures give the same bytes. Colours
// are a style sheet with a dark half, which also counts where the picture is embedded by <img>. Our own
// writer, because that is all it has to do.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Axis, Chart, Series } from "./chart.ts";

const WIDTH = 720;
const HEIGHT = 400;
const PLOT = { left: 64, right: 566, top: 52, bottom: 340 } as const;
const LINE_PX = 16;
const TICKS = 5;

/**
 * By contender; validated for colour blindness and for both grounds. What is not named here is drawn in grey.
 */
const COLOURS: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  native: ["#2a78d6", "#3987e5"],
  wire: ["#1baf7a", "#199e70"],
  nchan: ["#eb6834", "#d95926"],
  ceiling: ["#6b6a65", "#a3a29c"],
};
const NAMES: Readonly<Record<string, string>> = {
  native: "sluice, native",
  wire: "sluice, wire",
  nchan: "Nchan",
  ceiling: "C ceiling",
};

/** The files written. */
export function writeCharts(folder: string, charts: readonly Chart[]): string[] {
  mkdirSync(folder, { recursive: true });
  return charts.map((chart) => {
    const file = join(folder, `${chart.file}.svg`);
    writeFileSync(file, draw(chart));
    return file;
  });
}

export function draw(chart: Chart): string {
  const points = chart.series.flatMap((series) => series.points);
  const xs = points.map(([x]) => x);
  const x = scaleOf(chart.x, xs, PLOT.left, PLOT.right);
  const y = scaleOf(
    chart.y,
    points.map(([, value]) => value),
    PLOT.bottom,
    PLOT.top,
  );
  const xTicks = chart.x.scale === "linear" ? x.ticks : [...new Set(xs)].toSorted((a, b) => a - b);
  const body = [
    `<text class="title" x="${PLOT.left}" y="26">${escaped(chart.title)}</text>`,
    `<text x="${PLOT.left}" y="43">${escaped(chart.y.label)}</text>`,
    `<text x="${(PLOT.left + PLOT.right) / 2}" y="${HEIGHT - 16}" ` +
      `text-anchor="middle">${escaped(chart.x.label)}</text>`,
    ...y.ticks.flatMap((value) => [
      `<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${px(y.at(value))}" ` +
        `y2="${px(y.at(value))}"/>`,
      `<text x="${PLOT.left - 8}" y="${px(y.at(value) + 4)}" text-anchor="end">${number(value)}</text>`,
    ]),
    ...xTicks.map(
      (value) =>
        `<text x="${px(x.at(value))}" y="${PLOT.bottom + 20}" ` +
        `text-anchor="middle">${tick(chart.x, value)}</text>`,
    ),
    ...chart.series.map((series) => curve(series, x, y)),
    ...names(chart.series, y),
  ];
  return `${head(chart)}\n${body.join("\n")}\n</svg>\n`;
}

interface Scale {
  at(value: number): number;
  readonly ticks: readonly number[];
}

/** Linear axes begin at zero: a chart must not make a difference look larger than it is. */
function scaleOf(axis: Axis, values: readonly number[], from: number, to: number): Scale {
  if (axis.scale === "linear") {
    const step = roundStep(Math.max(...values) / TICKS);
    const end = Math.max(step, Math.ceil(Math.max(...values) / step - 1e-9) * step);
    const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, index) => index * step);
    return { at: (value) => from + ((to - from) * value) / end, ticks };
  }
  const map = axis.scale === "log" ? Math.log10 : (share: number) => -Math.log10(1 - share);
  const [low, high] = [map(Math.min(...values)), map(Math.max(...values))];
  const width = high > low ? high - low : 1;
  return { at: (value) => from + ((to - from) * (map(value) - low)) / width, ticks: [] };
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function roundStep(least: number): number {
  if (!(least > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= least * 0.999) ?? 10);
}

function curve({ name, points }: Series, x: Scale, y: Scale): string {
  const path = points.map(([a, b]) => `${px(x.at(a))},${px(y.at(b))}`);
  const dots = points.map(
    ([a, b]) =>
      `<circle cx="${px(x.at(a))}" cy="${px(y.at(b))}" r="3.5"><title>${escaped(label(name))}: ` +
      `${number(b)}</title></circle>`,
  );
  return `<g class="${classOf(name)}"><polyline points="${path.join(" ")}"/>${dots.join("")}</g>`;
}

/** Each at the height of its last point, pushed apart where they would overlap. */
function names(series: readonly Series[], y: Scale): string[] {
  const wanted = series
    .map(({ name, points }) => ({ name, y: y.at(points.at(-1)?.[1] ?? 0), value: points.at(-1)?.[1] ?? 0 }))
    .toSorted((a, b) => a.y - b.y);
  for (const [index, own] of wanted.entries()) {
    const above = wanted[index - 1];
    if (above !== undefined) own.y = Math.max(own.y, above.y + LINE_PX);
  }
  const over = Math.max(0, (wanted.at(-1)?.y ?? 0) - PLOT.bottom);
  return wanted.map(
    (own) =>
      `<text class="${classOf(own.name)} name" x="${PLOT.right + 10}" ` +
      `y="${px(own.y - over + 4)}">${escaped(label(own.name))} ${number(own.value)}</text>`,
  );
}

function head({ title, series }: Chart): string {
  const rules = (at: 0 | 1) =>
    series
      .map(({ name }) => `.${classOf(name)}{--c:${(COLOURS[name] ?? ["#6b6a65", "#a3a29c"])[at]}}`)
      .join("");
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" ` +
      `height="${HEIGHT}" role="img">`,
    `<title>${escaped(title)}</title>`,
    "<style>",
    "svg{background:#fcfcfb;font:12px system-ui,sans-serif}text{fill:#52514e}" +
      ".title{font-size:14px;font-weight:600;fill:#0b0b0b}",
    ".grid{stroke:#e4e3df}polyline{fill:none;stroke:var(--c);stroke-width:2}" +
      "circle{fill:var(--c)}.name{fill:var(--c);font-weight:600}",
    rules(0),
    "@media(prefers-color-scheme:dark){svg{background:#1a1a19}text{fill:#c3c2b7}" +
      ".title{fill:#fff}.grid{stroke:#383835}.name{fill:var(--c)}",
    `${rules(1)}}`,
    "</style>",
  ].join("\n");
}

const label = (name: string): string => NAMES[name] ?? name;
const classOf = (name: string): string => `c-${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
const px = (value: number): string => value.toFixed(1);
const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function number(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)));
}

const tick = (axis: Axis, value: number): string =>
  axis.scale === "tail" ? `${Number((100 * value).toFixed(2))} %` : number(value);
