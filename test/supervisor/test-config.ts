/** A small configuration for tests of the supervisor: two workers, a store of 1 MiB, no locations. */
import type { Config } from "../../src/config/model.ts";

export function testConfig(storePath: string, changes: Partial<Config> = {}): Config {
  return {
    listen: ["127.0.0.1:17000"],
    workers: 2,
    shutdownTimeoutMs: 2000,
    logLevel: "debug",
    store: { size: 2 ** 20, path: storePath, blockSize: 256, channels: 64, ringSize: 256 },
    messages: {
      ttlSec: 1800,
      unstoredTtlSec: 5,
      maxStoredPerChannel: 0,
      channelInactivitySec: 30,
      channelDeletedText: "Channel deleted",
      pingText: "",
    },
    limits: {
      maxBodyBytes: 65_536,
      maxConnections: 0,
      maxNumberOfChannels: 0,
      maxChannelIdLength: 0,
      maxSubscribersPerChannel: 0,
      maxChannelsPerRequest: 0,
    },
    locations: [],
    ...changes,
  };
}
