/** Whom a server believes, out of checked values. Called by build.ts. */
import type { ProxiesConfig } from "../model/server.ts";
import type { MainValues, ServerValues } from "../options.ts";

/** What a server does not say is as at the top of the file. null: nobody. */
export function trustedProxies(server: ServerValues, main: MainValues): ProxiesConfig | null {
  const trusted = server.trusted_proxies ?? main.trusted_proxies;
  if (trusted.length === 0) return null;
  return {
    trusted,
    header: server.real_ip_header ?? main.real_ip_header,
    isRecursive: server.real_ip_recursive ?? main.real_ip_recursive,
  };
}
