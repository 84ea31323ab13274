/**
 * `/metrics` in Prometheus text. The numbers live in the shared store, so a scrape of any worker tells of
 * all, one series a worker; prom-client only keeps names, labels and the text format. Loaded at the first
 * scrape: it is no part of starting up.
 */
import type { WebhooksConfig } from "../config/model/webhooks.ts";
import { FANOUT_LATENCIES, REFUSED_STATUSES, Counter as Word } from "../store/counters.ts";
import type { Store } from "../store/store.ts";
import { clusterMetrics } from "./cluster-metrics.ts";
import { dictionaryMetrics, type NamedCounts } from "./dictionary-metrics.ts";
import { liveSlots } from "./live-slots.ts";
import { webhookMetrics } from "./webhook-metrics.ts";

interface PerWorker {
  readonly name: string;
  readonly help: string;
  readonly counter: Word;
  readonly kind: "counter" | "gauge";
  /** Stored units per exported unit. */
  readonly divisor: number;
}

const gauge = (name: string, help: string, counter: Word, divisor = 1): PerWorker => ({
  name: `sluice_${name}`,
  help,
  counter,
  kind: "gauge",
  divisor,
});
const total = (name: string, help: string, counter: Word, divisor = 1): PerWorker => ({
  name: `sluice_${name}_total`,
  help,
  counter,
  kind: "counter",
  divisor,
});

const PER_WORKER: readonly PerWorker[] = [
  gauge("connections", "Open client connections", Word.CONNECTIONS),
  gauge("subscribers", "Held subscriber connections", Word.SUBSCRIBERS),
  gauge("streams", "Held streams and event streams", Word.STREAMS),
  gauge("long_polls", "Held long polls", Word.POLLS),
  gauge("sockets", "Held WebSockets", Word.SOCKETS),
  gauge("lagging_streams", "Streams that wait for their socket to drain", Word.LAGGING),
  gauge("event_loop_lag_seconds", "How late the last timer of the worker fired", Word.LOOP_LAG_US, 1e6),
  total("published_messages", "Messages accepted from publishers", Word.PUBLISHED),
  total("duplicate_messages", "Messages that came again with their idempotency key", Word.DUPLICATES),
  total("delivered_messages", "Messages handed to subscriber sockets", Word.DELIVERED),
  total("sent_bytes", "Bytes of messages handed to subscriber sockets", Word.BYTES_SENT),
  total("closed_slow", "Subscribers closed because they did not follow", Word.CLOSED_SLOW),
  total("gaps_told", "Times a subscriber was told that it missed messages", Word.GAPS_TOLD),
  total("refused_requests", "Requests, and messages of WebSocket clients, that were refused", Word.REFUSED),
  total("bells_heard", "Times another worker woke this one", Word.BELLS_HEARD),
  total("ring_lapped", "Times the worker fell a whole dispatch ring behind", Word.LAPPED),
  total("timer_runs", "Runs of timers of handlers", Word.TIMERS_RUN),
  total("timer_failures", "Runs of timers that failed or took too long", Word.TIMERS_FAILED),
  total("timer_skips", "Runs of timers passed over, as the one before had not ended", Word.TIMERS_SKIPPED),
  total("answers", "Answers of handlers that were begun", Word.ANSWERS_MADE),
  total("fanout_busy_seconds", "Time spent delivering", Word.PUMP_US, 1e6),
];

/** The exposition text and its content type. */
export async function renderMetrics(
  store: Store,
  webhooks: WebhooksConfig | null,
  dictionaries: NamedCounts,
): Promise<{ text: string; contentType: string }> {
  const { Counter, Gauge, Registry } = await import("prom-client");
  const registry = new Registry();
  for (const { name, help, counter, kind, divisor } of PER_WORKER) {
    const options = { name, help, labelNames: ["worker"] as const, registers: [registry] };
    const metric = kind === "gauge" ? new Gauge(options) : new Counter(options);
    for (const slot of liveSlots(store))
      metric.inc({ worker: String(slot) }, store.counters.get(slot, counter) / divisor);
  }
  const refused = new Counter({
    name: "sluice_refused_by_status_total",
    help: "The same by status",
    labelNames: ["status"] as const,
    registers: [registry],
  });
  for (const [status, word] of REFUSED_STATUSES)
    for (const slot of liveSlots(store))
      refused.inc({ status: String(status) }, store.counters.get(slot, word));
  const totals = store.totals(Date.now());
  const one = (name: string, help: string, value: number) =>
    new Gauge({ name: `sluice_${name}`, help, registers: [registry] }).set(value);
  one("channels", "Live channels", totals.channels);
  one("channel_records", "Channels that may live at a time", totals.channelRecords);
  one(
    "channel_records_used",
    "Records of channels that live or are being deleted",
    totals.channelRecordsUsed,
  );
  one("stored_messages", "Messages in the store that newcomers may ask for", totals.stored);
  one("store_blocks", "Blocks of the message area", totals.blocksTotal);
  one("store_blocks_used", "Blocks in use", totals.blocksUsed);
  one("workers", "Workers serving", [...liveSlots(store)].length);
  const sum = (name: string, help: string, value: number) =>
    new Counter({ name: `sluice_${name}_total`, help, registers: [registry] }).inc(value);
  sum("evicted_messages", "Stored messages dropped to make room for newer ones", totals.evicted);
  sum(
    "forgotten_keys",
    "Idempotency keys forgotten before their time to make room for others",
    store.keysGivenUp,
  );
  sum("replaced_workers", "Workers that died and were replaced", totals.replacedWorkers);
  sum("reclaimed_channels", "Channels that nobody used, dropped to make room for others", totals.reclaimed);
  sum("roomless_channels", "Channels that were refused because there was no room", totals.roomless);
  const members = store.members?.totals();
  if (members !== undefined) {
    one("presence_members", "Members of all channels", members.members);
    one("presence_room", "Members that the table has room for", members.room);
    sum("presence_joins", "Members who came", members.joins);
    sum("presence_leaves", "Members who left", members.leaves);
    sum(
      "presence_degraded",
      "Times a channel went over to telling how many there are alone",
      members.degraded,
    );
    sum("presence_unlisted", "Connections for which the table of members had no room", members.unlisted);
  }
  const text = `${await registry.metrics()}${fanoutHistogram(store)}`;
  const more = clusterMetrics(store) + webhookMetrics(store, webhooks) + dictionaryMetrics(dictionaries);
  return { text: text + more, contentType: registry.contentType };
}

/** Counted by the workers themselves, so it is no histogram of prom-client's: those observe. */
function fanoutHistogram(store: Store): string {
  const name = "sluice_publish_to_write_seconds";
  const lines = [
    `# HELP ${name} Time from a publish, here or heard of, to the last write of its turn`,
    `# TYPE ${name} histogram`,
  ];
  for (const slot of liveSlots(store)) {
    const count = store.counters.get(slot, Word.FANOUTS);
    for (const [limitMs, word] of FANOUT_LATENCIES)
      lines.push(`${name}_bucket{le="${limitMs / 1000}",worker="${slot}"} ${store.counters.get(slot, word)}`);
    lines.push(`${name}_bucket{le="+Inf",worker="${slot}"} ${count}`);
    lines.push(`${name}_sum{worker="${slot}"} ${store.counters.get(slot, Word.FANOUT_US) / 1e6}`);
    lines.push(`${name}_count{worker="${slot}"} ${count}`);
  }
  return `${lines.join("\n")}\n`;
}
