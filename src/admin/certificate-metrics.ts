/**
 * What `/metrics` says of the certificates that are shown: when each is over, one series a pair of files. Of
 * the text that main has read, so that it is the one in force, whatever lies on the disk meanwhile. Text, as
 * cluster-metrics.ts.
 */
import { X509Certificate } from "node:crypto";
import type { TlsConfig } from "../config/model/server.ts";
import type { Config } from "../config/model.ts";

const NAME = "sluice_certificate_expiry_seconds";
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Empty where there are none. Read once: other certificates are another generation of workers. */
export function certificateMetrics({ listeners }: Pick<Config, "listeners">): string {
  const files = new Map<string, TlsConfig>();
  for (const tls of listeners.flatMap((listener) => listener.tls))
    if (!files.has(tls.certificate)) files.set(tls.certificate, tls);
  const series = [...files.values()].flatMap(({ names, pem }, number) => {
    const sec = pem === null ? Number.NaN : endOf(pem.certificate);
    const label = `number="${number}",name="${escaped(names[0] ?? "")}"`;
    return Number.isNaN(sec) ? [] : [`${NAME}{${label}} ${sec}`];
  });
  if (series.length === 0) return "";
  const what = "When the certificate of a server, or one of its chain, is over (seconds since 1970)";
  const help = `# HELP ${NAME} ${what}`;
  return `${[help, `# TYPE ${NAME} gauge`, ...series].join("\n")}\n`;
}

/** The chain is worth nothing once one of it is over. NaN: nobody can read it. */
function endOf(pem: string): number {
  try {
    const ends = (pem.match(BLOCK) ?? []).map((one) => Date.parse(new X509Certificate(one).validTo) / 1000);
    return ends.length === 0 ? Number.NaN : Math.min(...ends);
  } catch {
    return Number.NaN; // the listener has said so
  }
}

/** Names of servers may be expressions (nginx's `~^…`). */
const escaped = (name: string): string =>
  name.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
