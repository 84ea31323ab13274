/**
 * What `/metrics` says more where this is a node of a cluster, appended to the rest as text: prom-client has
 * no histogram that is filled from counters kept elsewhere.
 */
import { Counter, ENGINE_LATENCIES } from "../store/counters.ts";
import type { Store } from "../store/store.ts";
import { liveSlots } from "./live-slots.ts";

/** Empty where there is none. */
export function clusterMetrics(store: Store): string {
  const { replica } = store;
  if (replica === null) return "";
  const lines: string[] = [];
  const tell = (
    name: string,
    kind: "gauge" | "counter",
    help: string,
    values: readonly (readonly [string, number])[],
  ) =>
    lines.push(
      `# HELP sluice_cluster_${name} ${help}`,
      `# TYPE sluice_cluster_${name} ${kind}`,
      ...values.map(([labels, value]) => `sluice_cluster_${name}${labels} ${value}`),
    );
  const shards = replica.shards().map((state, shard) => [`{shard="${shard}"}`, state] as const);
  const nowSec = Math.floor(Date.now() / 1000);
  const each = (value: (state: (typeof shards)[number][1]) => number) =>
    shards.map(([labels, state]) => [labels, value(state)] as const);
  tell(
    "connected",
    "gauge",
    "Whether the node hears the engine",
    each(({ isConnected }) => Number(isConnected)),
  );
  tell(
    "ready",
    "gauge",
    "Whether the node has read what there was when it came",
    each(({ isReady }) => Number(isReady)),
  );
  tell(
    "lag_entries",
    "gauge",
    "Entries of the log that the node has not read yet",
    each(({ lag }) => lag),
  );
  tell(
    "entry_age_seconds",
    "gauge",
    "Seconds since the node applied its last entry; heartbeats come every two",
    each(({ appliedSec }) => Math.max(0, nowSec - appliedSec)),
  );
  tell(
    "term",
    "gauge",
    "Term of the last entry: another one after each failover",
    each(({ term }) => term),
  );
  const { nodes, subscribers, lostTail, unplaced, readerStarts } = replica.others;
  const one = (name: string, kind: "gauge" | "counter", help: string, value: number) =>
    tell(name, kind, help, [["", value]]);
  one("nodes", "gauge", "Nodes of the cluster, this one included", nodes);
  one("remote_subscribers", "gauge", "Held subscriber connections of the other nodes", subscribers);
  one(
    "lost_tail_messages_total",
    "counter",
    "Messages taken back because a failover had lost them",
    lostTail,
  );
  one("unplaced_messages_total", "counter", "Messages for which this node had no room", unplaced);
  one("reader_starts_total", "counter", "Times a worker began to read the log", readerStarts);
  return `${[...lines, ...latencies(store)].join("\n")}\n`;
}

function latencies(store: Store): string[] {
  const sum = (counter: Counter): number =>
    [...liveSlots(store)].reduce((total, slot) => total + store.counters.get(slot, counter), 0);
  const name = "sluice_cluster_publish_seconds";
  const count = sum(Counter.ENGINE_PUBLISHES);
  return [
    `# HELP ${name} Time the engine took to take a message`,
    `# TYPE ${name} histogram`,
    ...ENGINE_LATENCIES.map(([limitMs, counter]) => `${name}_bucket{le="${limitMs / 1000}"} ${sum(counter)}`),
    `${name}_bucket{le="+Inf"} ${count}`,
    `${name}_sum ${sum(Counter.ENGINE_PUBLISH_US) / 1e6}`,
    `${name}_count ${count}`,
  ];
}
