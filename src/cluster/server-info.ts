/**
 * What a server of the engine says of itself, and why it will not do. Asked at each connection; by main and
 * `check` before anything serves.
 */
import type { Calls } from "./engine-connection.ts";

export interface ServerInfo {
  /** Another one after every start of the server. */
  readonly runId: string;
  readonly version: string;
  readonly role: string;
  readonly evictionPolicy: string;
  readonly connectionId: string;
}

const LEAST_MAJOR = 7;

export async function askServer(redis: Calls): Promise<ServerInfo> {
  const text = String(await redis.call("INFO", "everything"));
  const value = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(text)?.[1] ?? "";
  const connectionId = String(await redis.call("CLIENT", "ID"));
  return {
    runId: value("run_id"),
    version: value("redis_version"),
    role: value("role"),
    evictionPolicy: value("maxmemory_policy"),
    connectionId,
  };
}

/** As the end of a sentence; null = it will do. */
export function unfit({ runId, version, role, evictionPolicy }: ServerInfo): string | null {
  if (runId === "") return "does not answer like Redis";
  if (Number.parseInt(version, 10) < LEAST_MAJOR)
    return `is Redis ${version}; ${LEAST_MAJOR}.0 or later is needed`;
  if (role !== "master") return "is a replica, which cannot be written to";
  if (evictionPolicy.startsWith("allkeys"))
    return (
      `may drop the log: its maxmemory-policy is ${evictionPolicy}, and has to be noeviction or ` +
      "volatile-…"
    );
  return null;
}
