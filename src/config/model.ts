/**
 * The shape of a checked configuration: what config/ produces and every other folder reads. Everything is
 * resolved (defaults filled in, sizes in bytes, times in the unit the name says), so no reader has a default
 * of its own. Here are the whole and a location; the parts they are made of are in model/, by subject.
 */

import type { LogLevel, LogStyle } from "../log.ts";
import type { AddressLimit } from "./location/address-limit.ts";
import type {
  AccessRule,
  AuthConfig,
  GrantsConfig,
  IssuerConfig,
  LimitExcept,
  RateConfig,
} from "./model/access.ts";
import type {
  AccessLogConfig,
  AddedHeader,
  FileAnswersConfig,
  FilesConfig,
  GzipConfig,
} from "./model/answers.ts";
import type { ClusterConfig } from "./model/cluster.ts";
import type { CodeConfig, SharedConfig } from "./model/code.ts";
import type { ProxyConfig, UpstreamConfig } from "./model/proxy.ts";
import type { ConnectionConfig, ListenerConfig, ServerConfig } from "./model/server.ts";
import type { ErrorPageConfig, MapConfig, StepConfig } from "./model/steps.ts";
import type { LimitsConfig, MessagesConfig, StoreConfig } from "./model/store.ts";
import type { WebhooksConfig } from "./model/webhooks.ts";

export type SubscriberMode = "streaming" | "polling" | "long-polling" | "eventsource" | "websocket";

export type Role =
  | { readonly kind: "publisher"; readonly admin: boolean }
  | { readonly kind: "subscriber"; readonly mode: SubscriberMode }
  | { readonly kind: "statistics" }
  /** nginx's stub_status: counts of connections and requests. */
  | { readonly kind: "stub-status" }
  /** The operators' page and its data (src/console). */
  | { readonly kind: "console" }
  | { readonly kind: "page" }
  /** The browser client, `/pushstream.js`. */
  | { readonly kind: "pushstream-client" }
  | { readonly kind: "sluice-client" }
  | { readonly kind: "examples" }
  /** Files of a folder: `root` or `alias` of the location. */
  | { readonly kind: "files" }
  /** Somebody's TypeScript: `code.handler` of the location. */
  | { readonly kind: "handler" }
  /** Takes back what was granted (src/access). */
  | { readonly kind: "revoke" }
  /** Passes requests on: `proxy` of the location. */
  | { readonly kind: "proxy" }
  /** Tells who is in a channel (src/presence). */
  | { readonly kind: "presence" }
  /** Only what its steps return; 404 otherwise. */
  | { readonly kind: "none" };

/** Who stands in a subscriber location is a member of its channels. */
export interface PresenceConfig {
  /** Names are told; false: how many there are, and nothing else. */
  readonly isListed: boolean;
  readonly lingerSec: number;
  /** Above so many members, or events a second (0: any number), a channel tells no names. */
  readonly mostMembers: number;
  readonly mostEvents: number;
  /** Bytes of JSON. */
  readonly mostInfoBytes: number;
}

/** One `[[location]]` or one variant of it: a URL space with one role. Times of 0 mean never. */
export interface LocationConfig {
  /** nginx location syntax: "= /pub", "/prefix", "^~ /prefix", "~ regex", "~* regex". */
  readonly match: string;
  readonly role: Role;
  /** Only what was sent on inside comes here; 404 for all others. */
  readonly isInternal: boolean;
  /** Complex values: text with `$arg_x`, `$http_x`, `$1` …, evaluated per request. */
  readonly channelsPath: string;
  readonly lastReceivedMessageTime: string | null;
  readonly lastReceivedMessageTag: string | null;
  readonly lastEventId: string | null;
  readonly storeMessages: boolean;
  readonly channelInfoOnPublish: boolean;
  /** A request that names no channel may be many messages. */
  readonly batch: boolean;
  readonly authorizedChannelsOnly: boolean;
  readonly headerTemplate: string;
  readonly messageTemplate: string;
  readonly footerTemplate: string;
  readonly pingMessageIntervalMs: number;
  readonly subscriberConnectionTtlMs: number;
  readonly longpollingConnectionTtlMs: number;
  readonly websocketAllowPublish: boolean;
  /** Clients that offer permessage-deflate are sent compressed frames, and may send some. */
  readonly websocketCompression: boolean;
  /** Any channel can be added, or any that is granted. */
  readonly websocketAllowSubscribe: boolean;
  /** A complex value; null: all channels of the connection. */
  readonly websocketPublishChannel: string | null;
  readonly eventIds: "off" | "auto";
  /** null: nobody is counted. */
  readonly presence: PresenceConfig | null;
  /** What is told where the format has no words for a gap. */
  readonly gaps: "told" | "ignored";
  /** What an event source is answered that is refused for now. */
  readonly turnAway: "status" | "retry";
  /**
   * Content type of streaming, polling and long-polling answers, where `types` knows nothing of the path's
   * extension.
   */
  readonly defaultType: string;
  /** What carries messages or names of channels says X-Content-Type-Options: nosniff. */
  readonly nosniff: boolean;
  /**
   * Etag, CORS fields and close frames as the push stream specification has them (4.11 to 4.13), not as RFCs
   * and browsers want them.
   */
  readonly moduleFields: boolean;
  /** Content types by extension (lower case, without dot). */
  readonly types: ReadonlyMap<string, string>;
  /** As written: `regex,headerMin,messageMin:…` (push-stream spec 4.8); "" = off. */
  readonly paddingByUserAgent: string;
  /** Complex values; null: the User-Agent header, and no CORS headers. */
  readonly userAgent: string | null;
  readonly allowedOrigins: string | null;
  /** Pages of other origins than those are refused; see allowed-origins.ts. */
  readonly checkOrigin: boolean;
  /** 0 = not set; the default of the module (max_number_of_wildcard_channels) is filled in. */
  readonly wildcardChannelMaxQtd: number;
  readonly allowConnectionsToEventsChannel: boolean;
  /** 0 = unlimited. */
  readonly maxBodyBytes: number;
  readonly steps: readonly StepConfig[];
  readonly access: readonly AccessRule[];
  readonly auth: AuthConfig | null;
  /** null: whoever passes the rest may. */
  readonly grants: GrantsConfig | null;
  /** Of access rules, auth_basic and grants one is enough. */
  readonly satisfiesAny: boolean;
  readonly rate: RateConfig | null;
  readonly limitExcept: LimitExcept | null;
  /** Candidates, and last what serves without any of them; empty: it is not asked. */
  readonly tryFiles: readonly string[];
  readonly errorPages: readonly ErrorPageConfig[];
  /** Where one stands for an answer of this location, others may stand for that in turn. */
  readonly pagesRecur: boolean;
  /**
   * As nginx's `expires`: a time, `max`, `epoch`, `off`, "modified +time", "@time", or a variable; null:
   * nothing is said.
   */
  readonly expires: string | null;
  /** What a redirect begins with that names no host: scheme and Host, or nothing. */
  readonly absoluteRedirect: boolean;
  /** Without the port of the Host field. */
  readonly redirectsWithoutPort: boolean;
  /** null: an address may have any number of connections. */
  readonly addressLimit: AddressLimit | null;
  readonly addedHeaders: readonly AddedHeader[];
  readonly gzip: GzipConfig | null;
  /** Says that what gzip may compress depends on Accept-Encoding. */
  readonly gzipVary: boolean;
  readonly files: FilesConfig | null;
  readonly fileAnswers: FileAnswersConfig;
  readonly code: CodeConfig | null;
  readonly proxy: ProxyConfig | null;
  readonly accessLogs: readonly AccessLogConfig[];
  /** Names of all variables that some step of the configuration sets, in lower case, without `$`. */
  readonly setVariables: ReadonlySet<string>;
}

export interface UserConfig {
  readonly name: string;
  /** null: the user's own. */
  readonly group: string | null;
}

export interface Config {
  /** "host:port", "[::1]:port" or "unix:/path": the addresses of all servers, each once. */
  readonly listen: readonly string[];
  /** One for each of `listen`, in its order. */
  readonly listeners: readonly ListenerConfig[];
  readonly servers: readonly ServerConfig[];
  readonly maps: readonly MapConfig[];
  readonly upstreams: readonly UpstreamConfig[];
  /** Names requests may ask for; empty: any. See front/known-hosts.ts. */
  readonly allowedHosts: readonly string[];
  readonly workers: number;
  readonly shutdownTimeoutMs: number;
  /** Subscribers sent away per second at a stop or reload, over all workers; 0 = at once. */
  readonly drainRate: number;
  readonly logLevel: LogLevel;
  readonly logStyle: LogStyle;
  /** null: stderr. */
  readonly errorLog: string | null;
  readonly pidFile: string | null;
  /** Whom workers become, if main is root; null: they stay. */
  readonly user: UserConfig | null;
  readonly connections: ConnectionConfig;
  /** /health/live, /health/ready and /metrics are there. */
  readonly builtInPaths: boolean;
  /** Absent: one machine. */
  readonly cluster?: ClusterConfig | null;
  readonly store: StoreConfig;
  readonly messages: MessagesConfig;
  readonly limits: LimitsConfig;
  /** Absent: nobody is told of anything. */
  readonly webhooks?: WebhooksConfig | null;
  readonly issuers: readonly IssuerConfig[];
  /** Dictionaries of handlers. Absent: none. */
  readonly shared?: readonly SharedConfig[];
  /** Of all servers, variants of steps included (those are in no server's list). */
  readonly locations: readonly LocationConfig[];
}
