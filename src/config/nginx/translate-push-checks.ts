/**
 * What must hold for every location that has a role: rows 1 to 8 of push-stream spec 1.6, with the module's
 * sentences. A value that several locations inherit is told once, where it stands. Called by
 * translate-location.ts.
 */
import { oneInEffect, type Scope } from "./translate-scope.ts";
import type { Context } from "./translate-settings.ts";

const NOT_ZERO: readonly string[] = [
  "push_stream_ping_message_interval",
  "push_stream_subscriber_connection_ttl",
  "push_stream_longpolling_connection_ttl",
  "push_stream_wildcard_channel_max_qtd",
];

/** Names of the directives whose values must not be used. */
export function checkEndpoint(context: Context, scope: Scope, isEventSource: boolean): ReadonlySet<string> {
  const { report, values } = context;
  const faulty = new Set<string>();
  const path = oneInEffect(scope, "push_stream_channels_path");
  if (path === null && scope.block !== null)
    report.moduleFault(scope.block, "push_stream_channels_path must be set.");
  for (const name of NOT_ZERO) {
    const directive = oneInEffect(scope, name);
    if (directive === null || values.of(directive) !== 0) continue;
    report.moduleFault(directive, `${name} cannot be zero.`);
    faulty.add(name);
  }
  const template = oneInEffect(scope, "push_stream_message_template");
  if (template !== null && values.of(template) === "") {
    if (!isEventSource) report.moduleFault(template, "push_stream_message_template cannot be blank.");
    // For eventsource blank means the default.
    faulty.add("push_stream_message_template");
  }
  checkWildcards(context, scope, faulty);
  return faulty;
}

function checkWildcards({ report, values }: Context, scope: Scope, faulty: Set<string>): void {
  const own = oneInEffect(scope, "push_stream_wildcard_channel_max_qtd");
  const general = oneInEffect(scope, "push_stream_max_number_of_wildcard_channels");
  const directive = own ?? general;
  const quantity = values.of(directive);
  const most = values.of(general);
  if (directive === null || typeof quantity !== "number" || quantity === 0) return;
  const prefix = values.of(oneInEffect(scope, "push_stream_wildcard_channel_prefix"));
  if (prefix === undefined || prefix === "") {
    report.moduleFault(
      directive,
      "cannot set wildcard channel max qtd if push_stream_wildcard_channel_prefix is not set or blank.",
    );
    faulty.add("push_stream_wildcard_channel_max_qtd");
  }
  if (typeof most === "number" && most < quantity) {
    report.moduleFault(
      directive,
      "max number of wildcard channels cannot be smaller than value in push_stream_wildcard_channel_max_qtd.",
    );
    faulty.add("push_stream_wildcard_channel_max_qtd");
  }
}
