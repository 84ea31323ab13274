/**
 * The plots of the overview, drawn by uPlot: each a figure with its keys, all over the same quarter of an
 * hour.
 */
import uPlot from "uplot";
import { element } from "./dom.js";
import { bytes, count, percent } from "./text.js";

/** @typedef {import("./live.js").Sample} Sample */

const SPAN_SEC = 900;
const HEIGHT = 130;
const WHOLE_STEPS = Array.from({ length: 12 }, (_, power) =>
  [1, 2, 5].map((digit) => digit * 10 ** power),
).flat();

/**
 * @typedef {readonly [label: string, color: string, value: (sample: Sample) => number]} Line
 * @type {readonly { title: string, format: (value: number) => string, lines: readonly Line[] }[]}
 */
const PLOTS = [
  {
    title: "Subscribers",
    format: count,
    lines: [
      ["WebSockets", "--water", (sample) => sample.sockets],
      ["streams", "--sand", (sample) => sample.streams],
      ["long polls", "--plum", (sample) => sample.polls],
    ],
  },
  {
    title: "Published a second",
    format: count,
    lines: [["messages", "--water", (sample) => sample.published]],
  },
  {
    title: "Delivered a second",
    format: count,
    lines: [["messages", "--water", (sample) => sample.delivered]],
  },
  {
    title: "Sent a second",
    format: bytes,
    lines: [["bytes of messages", "--water", (sample) => sample.bytes]],
  },
  {
    title: "Milliseconds",
    format: (value) => `${count(value)} ms`,
    lines: [
      ["publish to write, p99", "--water", (sample) => sample.latency],
      ["event loop late by", "--sand", (sample) => sample.lag],
    ],
  },
  {
    title: "Store in use",
    format: percent,
    lines: [
      ["blocks", "--water", (sample) => sample.store],
      ["channel records", "--sand", (sample) => sample.records],
    ],
  },
  {
    title: "Trouble a second",
    format: count,
    lines: [
      ["refused", "--sand", (sample) => sample.refused],
      ["gaps told", "--plum", (sample) => sample.gaps],
      ["slow, closed", "--error", (sample) => sample.slow],
      ["evicted", "--rust", (sample) => sample.evicted],
    ],
  },
];

export class Plots {
  /** @type {{ plot: uPlot, lines: readonly Line[] }[]} */
  #plots = [];
  /** @type {HTMLElement} */
  #room;

  /** @param {HTMLElement} room */
  constructor(room) {
    this.#room = room;
    this.#make();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#make());
    new ResizeObserver(() => this.#fit()).observe(room);
  }

  /** @param {readonly Sample[]} samples */
  draw(samples) {
    const at = samples.map((sample) => sample.at / 1000);
    const end = at.at(-1) ?? Date.now() / 1000;
    for (const { plot, lines } of this.#plots) {
      plot.setData([at, ...lines.map(([, , value]) => samples.map(value))], false);
      plot.setScale("x", { min: end - SPAN_SEC, max: end });
    }
  }

  /** Colours are of the style sheet, which has others for the dark. */
  #make() {
    for (const { plot } of this.#plots) plot.destroy();
    this.#room.replaceChildren();
    this.#plots = PLOTS.map(({ title, format, lines }) => {
      const keys = lines.map(([label, color]) => {
        const key = element("span", { class: "key" }, [label]);
        key.style.color = `var(${color})`;
        return key;
      });
      const figure = element("figure", {}, [
        element("figcaption", {}, [element("strong", {}, [title]), element("span", { class: "keys" }, keys)]),
      ]);
      this.#room.append(figure);
      const plot = new uPlot(
        options(figure.clientWidth - 26, format, lines),
        [[], ...lines.map(() => [])],
        figure,
      );
      return { plot, lines };
    });
  }

  #fit() {
    for (const { plot } of this.#plots) {
      const width = (plot.root.parentElement?.clientWidth ?? 0) - 26;
      if (width > 50 && width !== plot.width) plot.setSize({ width, height: HEIGHT });
    }
  }
}

/**
 * @param {number} width
 * @param {(value: number) => string} format
 * @param {readonly Line[]} lines
 * @returns {uPlot.Options}
 */
function options(width, format, lines) {
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const color = (name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: color("--soft"),
    grid: { stroke: color("--hair"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui",
  };
  return {
    width: Math.max(100, width),
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: true },
      y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] },
    },
    axes: [
      {
        ...axis,
        size: 22,
        space: 70,
        values: [
          [60, "{HH}:{mm}", null, null, null, null, null, null, 1],
          [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
        ],
      },
      {
        ...axis,
        size: 56,
        space: 30,
        values: (_plot, values) => values.map(format),
        // Of what is counted there is no half.
        ...(format === percent ? {} : { incrs: WHOLE_STEPS }),
      },
    ],
    series: [
      {},
      ...lines.map(([label, name]) => ({
        label,
        stroke: color(name),
        width: 1.5,
        points: { show: false },
        spanGaps: false,
      })),
    ],
  };
}
