/**
 * `set_real_ip_from`, `real_ip_header` and `real_ip_recursive` of a server. Called by translate-server.ts.
 * nginx also takes them inside a location, after the server's own `if`s were judged with another address;
 * here a server has one view of its clients.
 */
import type { Draft } from "./draft.ts";
import { inEffect, oneInEffect, type Scope } from "./translate-scope.ts";
import type { Context } from "./translate-settings.ts";
import type { Directive } from "./tree.ts";

const FROM = "set_real_ip_from";
const HEADER = "real_ip_header";
const RECURSIVE = "real_ip_recursive";
/** nginx's; ours is X-Forwarded-For. */
const DEFAULT_HEADER = "X-Real-IP";

export function trustedProxies({ report, values }: Context, server: Scope, draft: Draft): void {
  const trusted = inEffect(server, FROM);
  const header = oneInEffect(server, HEADER);
  const recursive = oneInEffect(server, RECURSIVE);
  const [first] = trusted;
  if (first === undefined) {
    // Without anybody to believe they say nothing, as in nginx.
    for (const directive of [header, recursive])
      if (directive !== null) report.ignore(directive, directive.name);
    return;
  }
  draft.set("trusted_proxies", networks(trusted), first);
  draft.set("real_ip_header", header?.args[0]?.text ?? DEFAULT_HEADER, header ?? first);
  draft.set("real_ip_recursive", values.of(recursive) === true, recursive ?? first);
  report.notice(
    `${first.file}:${first.line}: ${FROM}: a request of a trusted address that names no client is ` +
      "refused (400); nginx counts it as the address's own",
  );
}

/** Each once: includes often bring a network twice. */
const networks = (directives: readonly Directive[]): string[] => [
  ...new Set(directives.map(({ args }) => args[0]?.text ?? "")),
];

/** In a location, nested ones included. */
export function proxiesInLocation({ report }: Context, location: Scope): void {
  for (const name of [FROM, HEADER, RECURSIVE])
    for (const directive of location.own.get(name) ?? [])
      report.faultOf(directive, "inside a location is not supported, it belongs into the server");
}
