/**
 * Writes docs/monitoring/grafana.json: `bun run tables` calls it. A dashboard of Grafana 10 for what /metrics
 * has; a list of panels here is easier to read and to keep right than the two thousand lines that it becomes.
 */
type Unit = "short" | "s" | "Bps" | "percentunit" | "ops";

interface Panel {
  readonly title: string;
  readonly unit: Unit;
  /** PromQL and what the line is called. */
  readonly lines: readonly (readonly [expr: string, legend: string])[];
}

/** Grafana fills it in. */
const SOURCE = "$" + "{datasource}";
const SELECTED = 'instance=~"$instance"';
const rate = (name: string): string => `sum(rate(${name}{${SELECTED}}[1m]))`;
const sum = (name: string): string => `sum(${name}{${SELECTED}})`;
const quantile = (share: number, name: string): string =>
  `histogram_quantile(${share}, sum by (le) (rate(${name}_bucket{${SELECTED}}[1m])))`;

export const PANELS: readonly Panel[] = [
  {
    title: "Subscribers",
    unit: "short",
    lines: [
      [sum("sluice_sockets"), "WebSockets"],
      [sum("sluice_streams"), "streams"],
      [sum("sluice_long_polls"), "long polls"],
    ],
  },
  {
    title: "Connections by worker",
    unit: "short",
    lines: [[`sluice_connections{${SELECTED}}`, "{{instance}} {{worker}}"]],
  },
  {
    title: "Messages a second",
    unit: "ops",
    lines: [
      [rate("sluice_published_messages_total"), "published"],
      [rate("sluice_delivered_messages_total"), "delivered"],
    ],
  },
  { title: "Bytes of messages sent", unit: "Bps", lines: [[rate("sluice_sent_bytes_total"), "sent"]] },
  {
    title: "Publish to write",
    unit: "s",
    lines: [
      [quantile(0.5, "sluice_publish_to_write_seconds"), "p50"],
      [quantile(0.99, "sluice_publish_to_write_seconds"), "p99"],
    ],
  },
  {
    title: "Event loop late by",
    unit: "s",
    lines: [[`max(sluice_event_loop_lag_seconds{${SELECTED}})`, "the worst worker"]],
  },
  {
    title: "Store in use",
    unit: "percentunit",
    lines: [
      [`${sum("sluice_store_blocks_used")} / ${sum("sluice_store_blocks")}`, "blocks"],
      [`${sum("sluice_channel_records_used")} / ${sum("sluice_channel_records")}`, "channel records"],
    ],
  },
  {
    title: "What readers lost, and who was too slow",
    unit: "ops",
    lines: [
      [rate("sluice_gaps_told_total"), "gaps told"],
      [rate("sluice_closed_slow_total"), "closed as too slow"],
      [rate("sluice_evicted_messages_total"), "messages evicted"],
    ],
  },
  {
    title: "Certificates end in",
    unit: "s",
    lines: [[`sluice_certificate_expiry_seconds{${SELECTED}} - time()`, "{{instance}} {{number}} {{name}}"]],
  },
  {
    title: "Refused, by status",
    unit: "ops",
    lines: [[`sum by (status) (rate(sluice_refused_by_status_total{${SELECTED}}[1m]))`, "{{status}}"]],
  },
  {
    title: "Workers replaced",
    unit: "short",
    lines: [[`increase(sluice_replaced_workers_total{${SELECTED}}[5m])`, "{{instance}}"]],
  },
];

/** The dashboard as Grafana imports it. */
export function renderDashboard(): string {
  const panels = PANELS.map(({ title, unit, lines }, at) => ({
    id: at + 1,
    type: "timeseries",
    title,
    gridPos: { h: 8, w: 12, x: (at % 2) * 12, y: Math.floor(at / 2) * 8 },
    datasource: { type: "prometheus", uid: SOURCE },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: { tooltip: { mode: "multi", sort: "desc" } },
    targets: lines.map(([expr, legendFormat], line) => ({
      refId: String.fromCharCode(65 + line),
      expr,
      legendFormat,
    })),
  }));
  const dashboard = {
    uid: "sluice",
    title: "sluice",
    schemaVersion: 39,
    time: { from: "now-1h", to: "now" },
    refresh: "30s",
    templating: {
      list: [
        { name: "datasource", type: "datasource", query: "prometheus" },
        {
          name: "instance",
          type: "query",
          datasource: { type: "prometheus", uid: SOURCE },
          query: "label_values(sluice_workers, instance)",
          includeAll: true,
          multi: true,
        },
      ],
    },
    panels,
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
