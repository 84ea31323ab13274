/**
 * The shape of a checked configuration: what config/ produces and every other folder reads. Everything is resolved (defaults
 * filled in, sizes in bytes, times in the unit the name says), so no reader has a default of its own.
 */
import type { LogLevel } from "../log.ts";

export type SubscriberMode = "streaming" | "polling" | "long-polling" | "eventsource" | "websocket";

export type Role =
  | { readonly kind: "publisher"; readonly admin: boolean }
  | { readonly kind: "subscriber"; readonly mode: SubscriberMode }
  | { readonly kind: "statistics" }
  | { readonly kind: "page" };

/** One `[[location]]`: a URL space with one role. Times of 0 mean never. */
export interface LocationConfig {
  /** nginx location syntax: "= /pub", "/prefix", "^~ /prefix", "~ regex", "~* regex". */
  readonly match: string;
  readonly role: Role;
  /** Complex values: text with `$arg_x`, `$http_x`, `$1` …, evaluated per request. */
  readonly channelsPath: string;
  readonly lastReceivedMessageTime: string | null;
  readonly lastReceivedMessageTag: string | null;
  readonly lastEventId: string | null;
  readonly storeMessages: boolean;
  readonly channelInfoOnPublish: boolean;
  readonly authorizedChannelsOnly: boolean;
  readonly headerTemplate: string;
  readonly messageTemplate: string;
  readonly footerTemplate: string;
  readonly pingMessageIntervalMs: number;
  readonly subscriberConnectionTtlMs: number;
  readonly longpollingConnectionTtlMs: number;
  readonly websocketAllowPublish: boolean;
  readonly eventIds: "off" | "auto";
  /** Content type of streaming, polling and long-polling answers. */
  readonly defaultType: string;
}

export interface StoreConfig {
  readonly size: number;
  /** null: $RUNTIME_DIRECTORY, else /dev/shm, else the temp folder. */
  readonly path: string | null;
  readonly blockSize: number;
  /** How many channel records are preallocated; 0 = from the size. */
  readonly channels: number;
  readonly ringSize: number;
}

export interface MessagesConfig {
  readonly ttlSec: number;
  readonly unstoredTtlSec: number;
  readonly maxStoredPerChannel: number;
  readonly channelInactivitySec: number;
  readonly channelDeletedText: string;
  readonly pingText: string;
}

/** Limits; 0 = unlimited, except maxConnections, where 0 = what the descriptor limit allows. */
export interface LimitsConfig {
  readonly maxBodyBytes: number;
  readonly maxConnections: number;
  readonly maxNumberOfChannels: number;
  readonly maxChannelIdLength: number;
  readonly maxSubscribersPerChannel: number;
  readonly maxChannelsPerRequest: number;
}

export interface Config {
  /** "host:port", "[::1]:port" or "unix:/path". */
  readonly listen: readonly string[];
  readonly workers: number;
  readonly shutdownTimeoutMs: number;
  readonly logLevel: LogLevel;
  readonly store: StoreConfig;
  readonly messages: MessagesConfig;
  readonly limits: LimitsConfig;
  readonly locations: readonly LocationConfig[];
}
