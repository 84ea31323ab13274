/**
 * What an `if` in a location says anew of it, beside the push stream module's: headers, files, logs. Called
 * by translate-steps.ts.
 */
import type { Draft } from "./draft.ts";
import { addedHeaders } from "./translate-headers.ts";
import { accessLogs, gzipFlag } from "./translate-location-core.ts";
import { errorPages, expires } from "./translate-location-road.ts";
import { constantsIn, rootText } from "./translate-names.ts";
import { proxyRole } from "./translate-proxy.ts";
import type { Scope } from "./translate-scope.ts";
import { absolute, type Context } from "./translate-settings.ts";

export function overrides(context: Context, scope: Scope, step: Draft): void {
  if (scope.own.has("add_header")) addedHeaders(scope, step);
  if (scope.own.has("expires")) expires(context, scope, step);
  if (scope.own.has("error_page")) errorPages(context, scope, step);
  if (scope.own.has("access_log")) accessLogs(context, scope, step, true);
  const [passes] = scope.own.get("proxy_pass") ?? [];
  if (passes !== undefined) proxyRole(context, scope, passes, step);
  if (scope.own.has("gzip")) gzipFlag(context, scope, step);
  const role = scope.own.get("sluice_role")?.[0];
  const word = role?.args[0]?.text ?? "";
  if (role !== undefined && word === "publisher") step.set("publisher", "admin", role);
  else if (role !== undefined) step.set("subscriber", word, role);
  const root = scope.own.get("root")?.[0];
  if (root !== undefined)
    step.set("root", absolute(context.folder, constantsIn(scope)(rootText(scope, root))), root);
}
