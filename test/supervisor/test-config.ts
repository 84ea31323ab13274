/** A small configuration for tests of the supervisor: two workers, a store of 1 MiB, no locations. */

import type { ConnectionConfig } from "../../src/config/model/server.ts";
import type { Config } from "../../src/config/model.ts";

export const CONNECTIONS: ConnectionConfig = {
  headMs: 60_000,
  bodyMs: 60_000,
  sendMs: 60_000,
  idleMs: 75_000,
  isReset: false,
  toldIdleSec: 0,
  maxRequests: 0,
  maxHeadBytes: 80 * 1024,
  maxLineBytes: 66 * 1024,
};

export function testConfig(storePath: string, changes: Partial<Config> = {}): Config {
  return {
    ...addressed(changes.listen ?? ["127.0.0.1:17000"]),
    allowedHosts: [],
    issuers: [],
    maps: [],
    upstreams: [],
    workers: 2,
    shutdownTimeoutMs: 2000,
    drainRate: 0,
    logLevel: "debug",
    logStyle: "auto",
    errorLog: null,
    pidFile: null,
    user: null,
    connections: CONNECTIONS,
    builtInPaths: true,
    store: {
      size: 2 ** 20,
      path: storePath,
      sync: "none",
      blockSize: 256,
      channels: 64,
      ringSize: 256,
      keys: 1024,
      members: 64,
      keep: true,
      zone: "test_zone",
    },
    messages: {
      ttlSec: 1800,
      unstoredTtlSec: 5,
      maxStoredPerChannel: 0,
      maxStoredBytesPerChannel: 0,
      channelInactivitySec: 30,
      keyWindowSec: 300,
      channelDeletedText: "Channel deleted",
      pingText: "",
      timeoutWithBody: false,
      wildcardChannelPrefix: "",
      eventsChannelId: "",
    },
    limits: {
      maxBodyBytes: 65_536,
      maxFrameBytes: null,
      maxUnsentBytes: 262_144,
      maxSilenceMs: 120_000,
      maxConnections: 0,
      maxNumberOfChannels: 0,
      maxNumberOfWildcardChannels: 0,
      maxChannelsCreatedPerAddress: 0,
      maxChannelIdLength: 0,
      maxSubscribersPerChannel: 0,
      maxChannelsPerRequest: 0,
      maxMessagesPerRequest: 1000,
    },
    locations: [],
    ...changes,
  };
}

/** The addresses everywhere a configuration has them: one server behind all. */
export function addressed(listen: readonly string[]): Pick<Config, "listen" | "listeners" | "servers"> {
  const rest = {
    tls: [],
    http2: false,
    ipv6Only: false,
    file: { mode: 0o666, group: null },
    tuning: {
      keepalive: null,
      userTimeoutMs: null,
      sendBufferBytes: 0,
      deferred: false,
      backlog: 0,
      fastopen: 0,
    },
    defaultServer: 0,
    headerNames: "plain" as const,
    connections: CONNECTIONS,
    door: "native" as const,
    doorReason: "default" as const,
  };
  return {
    listen,
    listeners: listen.map((address) => ({ address, ...rest })),
    servers: [{ setVariables: new Set(), listen, names: [""], proxies: null, steps: [], locations: [] }],
  };
}
