/**
 * What /metrics says of webhooks: one series each. Numbers are in the store, so a scrape of any worker tells
 * of them.
 */
import type { WebhooksConfig } from "../config/model/webhooks.ts";
import type { Store } from "../store/store.ts";
import type { HookState } from "../store/webhook/webhook-store.ts";

interface Row {
  readonly name: string;
  readonly help: string;
  readonly kind: "counter" | "gauge";
  readonly value: (state: HookState, backlog: { events: number; oldestSec: number }) => number;
}

const counter = (name: string, help: string, value: Row["value"]): Row => ({
  name: `sluice_webhook_${name}_total`,
  help,
  kind: "counter",
  value,
});
const gauge = (name: string, help: string, value: Row["value"]): Row => ({
  name: `sluice_webhook_${name}`,
  help,
  kind: "gauge",
  value,
});

const ROWS: readonly Row[] = [
  counter("sent_events", "Events that the receiver took", ({ sentEvents }) => sentEvents),
  counter("sent_batches", "Requests that the receiver took", ({ sentBatches }) => sentBatches),
  counter("failed_requests", "Requests that the receiver did not take", ({ failed }) => failed),
  counter("gaps", "Times it was told that events are missing", ({ gaps }) => gaps),
  gauge("failing", "1 while the last request was not taken", ({ failingSec }) => (failingSec > 0 ? 1 : 0)),
  gauge("backlog_events", "Events behind its position, of all webhooks", (_, { events }) => events),
  gauge("backlog_age_seconds", "Age of the oldest of them", (_, { oldestSec }) =>
    oldestSec === 0 ? 0 : Math.max(0, Math.floor(Date.now() / 1000) - oldestSec),
  ),
];

export function webhookMetrics(store: Store, webhooks: WebhooksConfig | null): string {
  const hooks = (webhooks?.hooks ?? []).flatMap(({ name }) => {
    const state = store.webhooks.state(name);
    return state === null ? [] : [{ name, state, backlog: store.webhooks.backlogAfter(state.position) }];
  });
  if (hooks.length === 0) return "";
  return ROWS.map(({ name, help, kind, value }) =>
    [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${kind}`,
      ...hooks.map((hook) => `${name}{webhook="${hook.name}"} ${value(hook.state, hook.backlog)}`),
      "",
    ].join("\n"),
  ).join("\n");
}
