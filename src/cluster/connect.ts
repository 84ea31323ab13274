/**
 * One TCP connection to one server of the engine, through ioredis: parser, TLS, passwords and users are its.
 * For whatever is asked once (where the primary is, whether the engine will do, leases, `status`); the log is
 * carried by engine-connection.ts. Everything that it would do by itself when a connection ends (connect
 * again, hold commands back, send them again) is switched off. Loaded when there is a `[cluster]`, and not
 * before.
 */
import { readFileSync } from "node:fs";
import type { Redis } from "ioredis";
import type { ClusterConfig, EngineAddress } from "../config/model/cluster.ts";
import { readSecret } from "./secret.ts";

export interface Host {
  readonly host: string;
  readonly port: number;
}

/** Sentinels have a password of their own, and no users of the engine. */
export type Purpose = "data" | "sentinel";

/** Connected and let in; rejects with the cause. The caller disconnects. */
export async function connectTo(
  config: ClusterConfig,
  { tls }: EngineAddress,
  { host, port }: Host,
  purpose: Purpose,
): Promise<Redis> {
  const { Redis } = await import("ioredis");
  const isData = purpose === "data";
  const password = readSecret(isData ? config.password : config.sentinelPassword);
  const redis = new Redis({
    host,
    port,
    protocol: 2,
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: null,
    retryStrategy: () => null,
    disableClientInfo: true,
    connectionName: `sluice-${config.node}`,
    connectTimeout: config.engineTimeoutMs,
    keepAlive: 10_000,
    ...(password === undefined ? {} : { password }),
    ...(isData && config.user !== null ? { username: config.user } : {}),
    ...(tls ? { tls: tlsOf(config) } : {}),
  });
  // The reason of a failed connection comes here; connect() itself only says that it is closed.
  let cause: Error | null = null;
  redis.on("error", (error: Error) => {
    cause = error;
  });
  const timer = setTimeout(() => {
    cause ??= new Error("no answer in time");
    redis.disconnect();
  }, config.engineTimeoutMs);
  try {
    await redis.connect();
    // Passwords are refused in an answer of their own.
    await redis.call("PING");
    return redis;
  } catch (error) {
    redis.disconnect();
    throw cause ?? error;
  } finally {
    clearTimeout(timer);
  }
}

export const tlsOf = ({ tlsCa, tlsCertificate, tlsKey }: ClusterConfig) => ({
  ...(tlsCa === null ? {} : { ca: readFileSync(tlsCa) }),
  ...(tlsCertificate === null ? {} : { cert: readFileSync(tlsCertificate) }),
  ...(tlsKey === null ? {} : { key: readFileSync(tlsKey) }),
});
