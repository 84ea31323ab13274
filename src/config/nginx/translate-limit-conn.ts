/**
 * `limit_conn` by address as `max_connections_per_address`; the zones keep their names. Called by
 * translate-location-core.ts.
 *
 * Counts are of each worker and, of IPv6, of a /64; nginx has one count for all workers.
 */
import type { Draft } from "./draft.ts";
import { inEffect, oneInEffect, type Scope } from "./translate-scope.ts";
import type { Context } from "./translate-settings.ts";
import type { Directive } from "./tree.ts";
import { parseNumber } from "./units.ts";

const ADDRESSES: readonly string[] = ["$binary_remote_addr", "$remote_addr"];
const MOST = 65_535;
const UNAVAILABLE = 503;

export function addressLimit({ report, values }: Context, scope: Scope, draft: Draft): void {
  const [directive, ...others] = inEffect(scope, "limit_conn");
  if (directive === undefined || values.of(oneInEffect(scope, "limit_conn_dry_run")) === true) return;
  const [name = "", text = ""] = directive.args.map((arg) => arg.text);
  const key = keyOf(scope, name);
  const most = parseNumber(text);
  if (key === null) report.fault(directive, `zero size shared memory zone "${name}"`);
  else if (!ADDRESSES.includes(key))
    report.faultOf(directive, `by "${key}" is not supported, only by address ($binary_remote_addr)`);
  else if (most === null || most === 0) report.fault(directive, `invalid number of connections "${text}"`);
  else if (most > MOST) report.fault(directive, "connection limit must be less 65536");
  else {
    const status = values.of(oneInEffect(scope, "limit_conn_status"));
    const words = [`${most} zone ${name.replace(/[^\w-]/g, "_").slice(0, 64)}`];
    if (typeof status === "number" && status !== UNAVAILABLE) words.push(`status ${status}`);
    draft.set("max_connections_per_address", words.join(" "), directive);
  }
  for (const other of others) report.faultOf(other, "beside another in the same place is not supported");
}

/** What a zone counts by; null: there is no such zone. */
function keyOf(scope: Scope, name: string): string | null {
  const isOfZone = ({ args }: Directive): boolean => args[1]?.text.startsWith(`zone=${name}:`) === true;
  return inEffect(scope, "limit_conn_zone").find(isOfZone)?.args[0]?.text ?? null;
}
