/**
 * What servers must fulfil together: one default server an address, certificates where there is TLS. Called
 * by document.ts.
 */

import type { ServerEntry } from "../document.ts";
import type { Issue } from "../fault.ts";
import { parseMatch } from "../location/match-syntax.ts";
import type { ServerValues } from "../options.ts";
import { parseListen } from "../server/listen-text.ts";
import { type AskedDoor, askedDoors } from "../server/listeners.ts";
import { certificateIssues } from "./certificate-check.ts";

export interface PlacedIssue {
  readonly path: string;
  readonly issue: Issue;
}

/** `named` of the last servers come from `[[server]]` tables, which is what paths count. */
export function serverIssues(servers: readonly ServerEntry[], named: number): readonly PlacedIssue[] {
  const issues: PlacedIssue[] = [];
  const defaults = new Map<string, string>();
  const doors = askedDoors(servers);
  const first = servers.length - named;
  servers.forEach(({ values }, i) => {
    const path = i < first ? "" : `server[${i - first}].`;
    const { tls_certificate: certificate, tls_certificate_key: key } = values;
    (values.server_name ?? []).forEach((name, at) => {
      const sentence = name.startsWith("~") ? regexFault(name.slice(1)) : null;
      if (sentence !== null)
        issues.push({ path: `${path}server_name[${at}]`, issue: { suffix: "", value: name, sentence } });
    });
    const sentence = doorFault(values, doors);
    if (sentence !== null)
      issues.push({ path: `${path}listener`, issue: { suffix: "", value: values.listener, sentence } });
    const isTls = (values.listen ?? []).some((text) => parseListen(text).flags.has("ssl"));
    if (isTls && typeof certificate === "string" && typeof key === "string")
      for (const { suffix, ...issue } of certificateIssues({
        certificate,
        key,
        ciphers: values.tls_ciphers ?? null,
      }))
        issues.push({ path: `${path}${suffix}`, issue: { suffix: "", ...issue } });
    // Faulty values are undefined in there, and were told already.
    (values.listen ?? []).forEach((text, at) => {
      const { address, flags } = parseListen(text);
      const issue = (sentence: string): void => {
        issues.push({ path: `${path}listen[${at}]`, issue: { suffix: "", value: text, sentence } });
      };
      if (flags.has("ssl") && (certificate === null || key === null))
        issue("no tls_certificate and tls_certificate_key for an address with ssl.");
      if (flags.has("h2c") && doors.get(address)?.ssl === true)
        issue("h2c is HTTP/2 without TLS; the word beside ssl is http2.");
      if (!flags.has("default_server")) return;
      const other = defaults.get(address);
      if (other !== undefined) issue(`a duplicate default server for ${address}, the first is ${other}.`);
      defaults.set(address, path === "" ? "that of the top of the file" : path.slice(0, -1));
    });
  });
  return issues;
}

/** Why a server cannot have the door that it asks for. */
function doorFault(
  { listener, listen }: Partial<ServerValues>,
  doors: ReadonlyMap<string, AskedDoor>,
): string | null {
  if (listener === null) return null;
  for (const text of listen ?? []) {
    const { address } = parseListen(text);
    const asked = doors.get(address);
    if (listener !== undefined && asked !== undefined && asked.door !== listener)
      return `another server of ${address} asks for "${asked.door}".`;
    if (listener === "wire" && asked !== undefined && ((asked.ssl && asked.http2) || asked.h2c))
      return `${address} is to speak HTTP/2, which only the native listener does.`;
    if (listener === "wire" && asked !== undefined && asked.certificates.length > 1) {
      const whose = "of which only the native listener shows each name its own";
      return `${address} has several certificates, ${whose}.`;
    }
  }
  return null;
}

/** The same rules as for a location's regex. */
function regexFault(source: string): string | null {
  const outcome = parseMatch(`~* ${source}`);
  return outcome.ok ? null : outcome.sentence;
}
