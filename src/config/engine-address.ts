/**
 * One entry of `[cluster] engine`: a URL, because people know it from every other client of Redis, whose host
 * part may be a list. Read by build.ts, checked by engine-checks.ts. Passwords have no place in it:
 * configuration files are shown to people.
 */
import type { EngineAddress } from "./model/cluster.ts";

const KINDS: Readonly<Record<string, Pick<EngineAddress, "kind" | "tls">>> = {
  redis: { kind: "single", tls: false },
  rediss: { kind: "single", tls: true },
  "redis+sentinel": { kind: "sentinel", tls: false },
  "rediss+sentinel": { kind: "sentinel", tls: true },
  "redis+cluster": { kind: "cluster", tls: false },
  "rediss+cluster": { kind: "cluster", tls: true },
};
const USUAL_PORT = 6379;
const SENTINEL_PORT = 26379;

/** The address, or why it is none. */
export function parseEngine(text: string): EngineAddress | string {
  const mark = text.indexOf("://");
  const scheme = KINDS[text.slice(0, Math.max(0, mark))];
  if (scheme === undefined)
    return `an engine is ${Object.keys(KINDS)
      .map((name) => `${name}://`)
      .join(", ")}.`;
  const [list = "", service = "", ...more] = text.slice(mark + 3).split("/");
  if (list.includes("@")) return "user and password stand in cluster.user and cluster.password.";
  if (more.length > 0) return "nothing stands behind the name.";
  if (scheme.kind === "sentinel" && !/^[A-Za-z0-9._-]+$/.test(service))
    return (
      "the Sentinels' name of the primary stands behind the addresses: " +
      "redis+sentinel://host:port,host:port/name."
    );
  if (scheme.kind !== "sentinel" && service !== "")
    return "databases have no part in it; cluster.name keeps clusters apart.";
  const hosts = list.split(",").map((host) => parseHost(host, scheme.kind));
  const bad = hosts.indexOf(null);
  if (bad >= 0) return `"${list.split(",")[bad]}" is not host:port.`;
  if (scheme.kind === "single" && hosts.length > 1)
    return "several addresses are for redis+sentinel:// and redis+cluster://.";
  return { ...scheme, service, hosts: hosts.filter((host) => host !== null) };
}

function parseHost(text: string, kind: EngineAddress["kind"]): { host: string; port: number } | null {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?$/.exec(text);
  if (parts === null) return null;
  const port = Number(parts[3] ?? (kind === "sentinel" ? SENTINEL_PORT : USUAL_PORT));
  return port > 0 && port < 65_536 ? { host: parts[1] ?? parts[2] ?? "", port } : null;
}

/** As it stands in the file. */
export function engineText({ kind, tls, hosts, service }: EngineAddress): string {
  const scheme =
    Object.entries(KINDS).find(([, each]) => each.kind === kind && each.tls === tls)?.[0] ?? "redis";
  const list = hosts.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`).join(",");
  return `${scheme}://${list}${service === "" ? "" : `/${service}`}`;
}
