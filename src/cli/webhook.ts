/**
 * `sluice webhook test` and `sluice webhook status`. Called by program.ts; the options are in
 * webhook-commands.ts.
 */
import { formatFault } from "../config/fault.ts";
import { loadConfig } from "../config/load.ts";
import type { WebhookConfig } from "../config/model/webhooks.ts";
import { type Delivery, deliver } from "../webhooks/delivery.ts";
import { secretOf } from "../webhooks/secret.ts";
import { parseBaseUrl, shownUrl } from "./client/endpoint.ts";
import { request, requestFailure } from "./client/http.ts";
import { CommandFailure, ExitCode, usageFault } from "./failure.ts";
import { writeOut } from "./output.ts";
import { printable } from "./style.ts";

export interface WebhookTestOptions {
  readonly config: string;
  readonly json?: boolean;
}

export interface WebhookStatusOptions {
  readonly url: string;
  readonly json?: boolean;
}

// --- test --------------------------------------------------------------------------------------------------

/** Resolves to the exit code: 0 when the receiver took it. */
export async function webhookTestCommand(
  name: string,
  { config, json }: WebhookTestOptions,
): Promise<number> {
  const hook = chosen(config, name);
  const event = {
    id: `test-${crypto.randomUUID()}`,
    event: "test",
    channel: "test",
    time: Math.floor(Date.now() / 1000),
  };
  const body = new TextEncoder().encode(JSON.stringify({ webhook: name, events: [event] }));
  const delivery = await deliver({ hook, secret: secretNow(hook), body });
  const { isTaken, tookMs, ...rest } = delivery;
  const told = { webhook: name, url: hook.url, taken: isTaken, ms: Math.round(tookMs), ...rest };
  writeOut(json === true ? `${JSON.stringify(told)}\n` : testText(hook, delivery));
  return isTaken ? ExitCode.OK : ExitCode.FAILURE;
}

function testText({ name, url }: WebhookConfig, { isTaken, status, why, answer, tookMs }: Delivery): string {
  const outcome = isTaken ? `taken (${status})` : `not taken: ${printable(why)}`;
  const head = `${name}  ${shownUrl(url)}\n${outcome}, after ${Math.round(tookMs)} ms\n`;
  return answer === "" ? head : `${head}answer: ${printable(answer.trimEnd())}\n`;
}

function chosen(file: string, name: string): WebhookConfig {
  const loaded = loadConfig({ file });
  if (!loaded.ok) throw new CommandFailure(ExitCode.USAGE, loaded.faults.map(formatFault).join("\n"));
  const hooks = loaded.config.webhooks?.hooks ?? [];
  if (hooks.length === 0) throw usageFault(`${file} has no [[webhook]].`);
  const hook = hooks.find((each) => each.name === name);
  if (hook !== undefined) return hook;
  throw usageFault(
    `there is no webhook "${printable(name)}"; there are ${hooks.map((each) => each.name).join(", ")}.`,
  );
}

function secretNow(hook: WebhookConfig): Uint8Array {
  try {
    return secretOf(hook);
  } catch (error) {
    throw usageFault(`${error instanceof Error ? error.message : String(error)}.`);
  }
}

// --- status ------------------------------------------------------------------------------------------------

/** By the name of the metric, without what all of them begin with. */
type Status = Readonly<Record<string, number>>;

const COLUMNS: readonly (readonly [title: string, text: (status: Status) => string])[] = [
  ["state", ({ failing }) => (failing === 1 ? "failing" : "ok")],
  ["sent", ({ sent_events_total }) => String(sent_events_total ?? 0)],
  ["requests", ({ sent_batches_total }) => String(sent_batches_total ?? 0)],
  ["failed", ({ failed_requests_total }) => String(failed_requests_total ?? 0)],
  ["gaps", ({ gaps_total }) => String(gaps_total ?? 0)],
  ["waiting", ({ backlog_events }) => String(backlog_events ?? 0)],
  ["since", ({ backlog_age_seconds }) => `${backlog_age_seconds ?? 0} s`],
];

/** Resolves to the exit code: 0 when none of them fails. */
export async function webhookStatusCommand({ url, json }: WebhookStatusOptions): Promise<number> {
  const base = parseBaseUrl(url);
  const hooks = readMetrics(await metricsOf(base));
  if (hooks.size === 0) throw new CommandFailure(ExitCode.FAILURE, `${shownUrl(base)} has no webhooks.`);
  writeOut(
    json === true
      ? [...hooks].map(([name, status]) => `${JSON.stringify({ webhook: name, ...status })}\n`).join("")
      : table(hooks),
  );
  return [...hooks.values()].some(({ failing }) => failing === 1) ? ExitCode.FAILURE : ExitCode.OK;
}

async function metricsOf(base: string): Promise<string> {
  try {
    const signal = AbortSignal.timeout(STATUS_MS);
    const response = await request({ url: new URL("/metrics", base).href, signal, headTimeoutMs: 0 });
    const text = await response.text();
    if (response.ok) return text;
  } catch (error) {
    throw requestFailure(base, error);
  }
  throw new CommandFailure(ExitCode.FAILURE, `${shownUrl(base)} shows no /metrics.`);
}

const STATUS_MS = 30_000;

function readMetrics(text: string): Map<string, Record<string, number>> {
  const hooks = new Map<string, Record<string, number>>();
  for (const [, metric = "", name = "", value = ""] of text.matchAll(
    /^sluice_webhook_(\w+)\{webhook="([\w.-]+)"\} (\S+)$/gm,
  )) {
    const status = hooks.get(name) ?? {};
    status[metric] = Number(value);
    hooks.set(name, status);
  }
  return hooks;
}

function table(hooks: ReadonlyMap<string, Status>): string {
  const rows = [
    ["webhook", ...COLUMNS.map(([title]) => title)],
    ...[...hooks].map(([name, status]) => [name, ...COLUMNS.map(([, text]) => text(status))]),
  ];
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}
