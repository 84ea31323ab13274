/**
 * The shape of a checked configuration: what config/ produces and every other folder reads. Everything is
 * resolved (defaults filled in, sizes in bytes, times in the unit the name says), so no reader has a default
 * of its own.
 */

import type { LogLevel, LogStyle } from "../log.ts";
import type { HookEvent } from "./checks/webhook-checks.ts";
import type { AddressLimit } from "./location/address-limit.ts";
import type { ServerAddress } from "./server/proxy-target.ts";
import type { StoreSync } from "./store-sync.ts";

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

/**
 * One `[[location.step]]` or `[[server.step]]`: nginx's `if`, `set`, `rewrite`, `return` and `break`, in the
 * order of the file.
 */
export interface StepConfig {
  /**
   * What stands between the parentheses of nginx's `if`: `$arg_test`, `$arg_qs = "on"`, `$http_user_agent ~*
   * "msie"`; null: always.
   */
  readonly condition: string | null;
  /** `$name value`, each. The value is a complex value. */
  readonly set: readonly string[];
  /** `regex replacement [flag]`, each, tried after what is set. */
  readonly rewrite: readonly string[];
  /** `403`, `200 text`, `301 https://…`, or a URL alone (302); null: goes on. */
  readonly return: string | null;
  readonly isBreak: boolean;
  /** Index in Config.locations of the location as this step changes it; -1: it changes nothing. */
  readonly variant: number;
}

/** `allow` and `deny`, in the order of the file; the first that matches decides. */
export interface AccessRule {
  readonly allow: boolean;
  /** `all`, `unix:`, an address or a network in CIDR form. */
  readonly network: string;
}

export interface AddedHeader {
  readonly name: string;
  /** Complex value; an empty outcome adds nothing. */
  readonly value: string;
  /** Whatever the status; otherwise 200, 201, 204, 206, 301, 302, 303, 304, 307 and 308 only. */
  readonly always: boolean;
}

export interface GzipConfig {
  /** Content types besides text/html; `*` is all. */
  readonly types: readonly string[];
  /** Bodies of known length below it stay as they are. */
  readonly minLength: number;
  readonly level: number;
}

export interface AccessLogConfig {
  readonly path: string;
  /** The text of the format, with variables. */
  readonly format: string;
  /** Bytes; 0 writes each line at once. */
  readonly bufferBytes: number;
  readonly flushMs: number;
}

export interface ListingConfig {
  readonly format: "html" | "json";
  /** Sizes in bytes, not rounded to K, M and G. */
  readonly exactSize: boolean;
  readonly localTime: boolean;
}

/** How files are answered. */
export interface FileAnswersConfig {
  /** Lists what is in a folder; null: 403. */
  readonly listing: ListingConfig | null;
  readonly etag: boolean;
  /** Parts of files are sent. */
  readonly ranges: boolean;
  /** When a file counts as not modified: at the date the client has, at that date or before it, or never. */
  readonly ifModifiedSince: "exact" | "before" | "off";
}

export interface FilesConfig {
  /** Of the two one is set: `root` + path, or `alias` + what follows the location's prefix. */
  readonly root: string | null;
  readonly alias: string | null;
  readonly index: readonly string[];
  /** Below the folder; null: 404. */
  readonly fallback: string | null;
  /** Names that begin with a dot are served, too. */
  readonly dotfiles: boolean;
}

/** TypeScript files a location runs (handlers/): absolute paths, null where there is none. */
export interface CodeConfig {
  readonly handler: string | null;
  readonly authorize: string | null;
  readonly hooks: string | null;
  /** How long an answer may take to begin, and a guard or hook to speak. */
  readonly timeoutMs: number;
  /** How long an answer that nobody watches is still made. */
  readonly answerLingerMs: number;
  readonly answerMaxBytes: number;
  /** The handler reads the body of a request as it comes. */
  readonly isBodyStreamed: boolean;
}

/** A dictionary that the handlers of all workers share. */
export interface SharedConfig {
  readonly name: string;
  readonly size: number;
  /** It outlives a restart. */
  readonly isPersistent: boolean;
}

/** A place in a request where a token may be. */
export interface TokenPlace {
  readonly kind: "header" | "protocol" | "cookie" | "query";
  /** Of the cookie or argument. */
  readonly name: string;
}

/** Who decides about requests that bring neither token nor key: an address, or a path of this server. */
export interface QuestionConfig {
  readonly to: string;
  readonly headers: readonly string[];
  /** 0: each time. */
  readonly cacheMs: number;
  readonly timeoutMs: number;
}

/** Where the grants of a location come from; src/access has the rest. */
export interface GrantsConfig {
  readonly places: readonly TokenPlace[];
  /** Names in Config.issuers. */
  readonly issuers: readonly string[];
  readonly keysFile: string | null;
  readonly question: QuestionConfig | null;
  readonly isOptional: boolean;
  /** Patterns. */
  readonly public: readonly string[];
}

/** Requests that one may make. */
export interface RateConfig {
  readonly perSec: number;
  /** At once. */
  readonly most: number;
  readonly status: number;
}

/** Whoever signs tokens. Of `jwks`, `keyFile` and `keyVariable` one is set. */
export interface IssuerConfig {
  readonly name: string;
  /** null: any. */
  readonly issuer: string | null;
  /** Empty: any. */
  readonly audience: readonly string[];
  readonly algorithms: readonly string[];
  /** URL or path. */
  readonly jwks: string | null;
  readonly keyFile: string | null;
  /** Of the environment. */
  readonly keyVariable: string | null;
  /** Patterns, beside those of its tokens. */
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
  readonly skewSec: number;
}

/** Where a location sends what it answers with one of these statuses. */
export interface ErrorPageConfig {
  readonly statuses: readonly number[];
  /** What the answer's status becomes; 0: what the page answers, null: stays as it was. */
  readonly status: number | null;
  /** A path of this server, "@name", or a URL; complex value. */
  readonly target: string;
}

/** Who may come with other methods than these. */
export interface LimitExcept {
  /** In capitals; GET allows HEAD. */
  readonly methods: readonly string[];
  readonly access: readonly AccessRule[];
  readonly auth: AuthConfig | null;
}

export interface AuthConfig {
  readonly realm: string;
  /** In htpasswd form. */
  readonly userFile: string;
}

/** One `[[map]]`: a variable that follows from another text. */
export interface MapConfig {
  /** Complex value. */
  readonly from: string;
  /** Without `$`, in lower case. */
  readonly to: string;
  /** `pattern value`, each. */
  readonly cases: readonly string[];
  readonly default: string;
  readonly hostnames: boolean;
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

/** Who may say whose a request is (client-address.ts). */
export interface ProxiesConfig {
  /** `unix:`, addresses, and networks in CIDR form; not empty. */
  readonly trusted: readonly string[];
  /** The field in which they say it. */
  readonly header: string;
  /** Whether what a trusted proxy says of another trusted one is believed, and so on. */
  readonly isRecursive: boolean;
}

export interface NamedValue {
  readonly name: string;
  /** Complex value; where it comes out empty there is no such field. */
  readonly value: string;
}

/** Where requests of a location go, and how. Times in ms. */
export interface ProxyConfig {
  /** An address, with variables maybe (proxy-target.ts). */
  readonly to: string;
  readonly setHeaders: readonly NamedValue[];
  readonly hideHeaders: readonly string[];
  readonly passHeaders: readonly string[];
  readonly passesFields: boolean;
  readonly passesBody: boolean;
  /** Of HTTP/1.x. */
  readonly minor: 0 | 1;
  readonly redirects: readonly string[];
  readonly connectMs: number;
  readonly sendMs: number;
  readonly readMs: number;
  readonly interceptsErrors: boolean;
  readonly next: ReadonlySet<string>;
  /** 0 = each server once; 0 = without end. */
  readonly nextTries: number;
  readonly nextMs: number;
  readonly ignoresAbort: boolean;
  readonly tls: {
    readonly tellsName: boolean;
    readonly name: string | null;
    readonly verifies: boolean;
    readonly trusted: string | null;
  };
}

export interface UpstreamServer {
  readonly address: ServerAddress;
  readonly weight: number;
  /** 0 = it is never given up. */
  readonly maxFails: number;
  readonly failMs: number;
  readonly isBackup: boolean;
  readonly isDown: boolean;
}

/** One `[[upstream]]`. */
export interface UpstreamConfig {
  /** In lower case. */
  readonly name: string;
  readonly servers: readonly UpstreamServer[];
  readonly balance: "round_robin" | "least_conn" | "ip_hash";
  /** Idle connections; null: nobody said. */
  readonly keepalive: number | null;
  readonly keepaliveMs: number;
  readonly keepaliveRequests: number;
}

/** A location of a server, and the locations inside it. */
export interface LocationNode {
  /** In Config.locations. */
  readonly index: number;
  readonly inner: readonly LocationNode[];
}

/** One `[[server]]`: a set of locations, found by address and Host. */
export interface ServerConfig {
  readonly setVariables: ReadonlySet<string>;
  /** Of Config.listen. */
  readonly listen: readonly string[];
  /**
   * nginx's forms: `example.org`, `*.example.org`, `example.*`, `.example.org`, `~regex`, "" = none. Lower
   * case.
   */
  readonly names: readonly string[];
  /** null: nobody, and connections speak for themselves. */
  readonly proxies: ProxiesConfig | null;
  readonly steps: readonly StepConfig[];
  /** In the order of the file. */
  readonly locations: readonly LocationNode[];
}

export interface TlsConfig {
  readonly names: readonly string[];
  /** Paths of PEM files. */
  readonly certificate: string;
  readonly key: string;
  /** What is in them, when main has read them (supervisor/sockets/certificates.ts). */
  readonly pem: { readonly certificate: string; readonly key: string } | null;
  /** TLSv1.2 and TLSv1.3, or one of them. */
  readonly protocols: readonly string[];
  /** A list as OpenSSL has it, for TLSv1.2; null: the runtime's. */
  readonly ciphers: string | null;
  /** The order of that list counts, not the client's. */
  readonly prefersOwnCiphers: boolean;
}

/** TCP keepalive of accepted connections: off, or on; 0 leaves a number to the system. */
export type Keepalive =
  | false
  | { readonly idleSec: number; readonly intervalSec: number; readonly count: number };

/** What setsockopt says of a listening socket, and so of the connections it accepts. */
export interface SocketTuning {
  /** null: as the runtime makes it. */
  readonly keepalive: Keepalive | null;
  /**
   * How long sent bytes may stay unacknowledged before the connection is dropped; 0 = the system's own, null:
   * follows from keepalive.
   */
  readonly userTimeoutMs: number | null;
  /**
   * What the kernel keeps for a connection that its peer has not taken; 0 = the system's own, which grows.
   */
  readonly sendBufferBytes: number;
  /** Connections are accepted when they have sent something. */
  readonly deferred: boolean;
  /** Connections that wait to be accepted; 0 = the runtime's own. */
  readonly backlog: number;
  /** Queue of TCP Fast Open; 0 = off. */
  readonly fastopen: number;
}

/** Who may connect to a unix socket: the rights of its file. */
export interface SocketFile {
  readonly mode: number;
  /** Name or number; null: the server's own. */
  readonly group: string | null;
}

/**
 * Who answers on an address: Bun's own server, or HTTP/1.1 of our own, which is exact where that one is not
 * (docs/doors.md).
 */
export type Door = "native" | "wire";
/**
 * Why: one of its servers asks for it, the file as a whole does, only native speaks HTTP/2, or nobody said
 * anything.
 */
export type DoorReason = "server" | "file" | "http2" | "h2c" | "certificates" | "compression" | "default";

/** Names of fields that are looked at: letters, digits and dashes; underscores as well; or any token. */
export type HeaderNames = "plain" | "underscores" | "any";

/** What goes on with one address beyond being listened on. */
export interface ListenerConfig {
  readonly address: string;
  /** Empty: plain HTTP. The first is for clients that name no host or one nobody has a certificate for. */
  readonly tls: readonly TlsConfig[];
  readonly http2: boolean;
  /** "[::]" is not for IPv4. */
  readonly ipv6Only: boolean;
  readonly tuning: SocketTuning;
  readonly file: SocketFile;
  /** Index in Config.servers of the server for hosts nobody claims. */
  readonly defaultServer: number;
  readonly headerNames: HeaderNames;
  /** As far as its door has them. */
  readonly connections: ConnectionConfig;
  readonly door: Door;
  readonly doorReason: DoorReason;
}

/** What a connection has time for, and how much it may ask. */
export interface ConnectionConfig {
  /**
   * For a head; without a byte of a body; without a byte taken of what it is sent; and between an answer and
   * the next request.
   */
  readonly headMs: number;
  readonly bodyMs: number;
  readonly sendMs: number;
  readonly idleMs: number;
  /** Those whose time is over are reset. */
  readonly isReset: boolean;
  /** Seconds, as clients are told; 0 = they are not. */
  readonly toldIdleSec: number;
  /** Requests; 0 = unlimited. */
  readonly maxRequests: number;
  readonly maxHeadBytes: number;
  readonly maxLineBytes: number;
}

export interface UserConfig {
  readonly name: string;
  /** null: the user's own. */
  readonly group: string | null;
}

export interface StoreConfig {
  readonly size: number;
  /** null: $RUNTIME_DIRECTORY, else /dev/shm, else the temp folder. */
  readonly path: string | null;
  readonly sync: StoreSync;
  readonly blockSize: number;
  /** How many channel records are preallocated; 0 = from the size. */
  readonly channels: number;
  readonly ringSize: number;
  /** Idempotency keys that are remembered at a time. */
  readonly keys: number;
  /** Members of all channels that have room. */
  readonly members: number;
  /** Messages outlive a restart, also without a path. */
  readonly keep: boolean;
  /** The zone's name in logs. */
  readonly zone: string;
}

/** One engine: where it is, or who knows where it is. */
export interface EngineAddress {
  readonly kind: "single" | "sentinel" | "cluster";
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly tls: boolean;
  /** The Sentinels' name of the primary; else "". */
  readonly service: string;
}

export type ClusterAck = "primary" | "replica";

/** `[cluster]`: this is one of several nodes. */
export interface ClusterConfig {
  readonly engines: readonly EngineAddress[];
  readonly name: string;
  readonly node: string;
  readonly shards: number;
  readonly user: string | null;
  /** "env:NAME" or "file:/path"; read where it is needed. */
  readonly password: string | null;
  readonly sentinelPassword: string | null;
  readonly tlsCa: string | null;
  readonly tlsCertificate: string | null;
  readonly tlsKey: string | null;
  readonly logBytes: number;
  /** Whom a publish waits for: the primary of the engine alone, or one of its replicas as well. */
  readonly ack: ClusterAck;
  readonly engineTimeoutMs: number;
  readonly readyWhileAway: boolean;
}

export interface MessagesConfig {
  readonly ttlSec: number;
  readonly unstoredTtlSec: number;
  readonly maxStoredPerChannel: number;
  readonly maxStoredBytesPerChannel: number;
  readonly channelInactivitySec: number;
  readonly keyWindowSec: number;
  readonly channelDeletedText: string;
  readonly pingText: string;
  /** A long poll that timed out is answered 200 with a message (id -3) instead of 304. */
  readonly timeoutWithBody: boolean;
  /** "" = off, both. */
  readonly wildcardChannelPrefix: string;
  readonly eventsChannelId: string;
}

/** Limits; 0 = unlimited, except maxConnections, where 0 = what the descriptor limit allows. */
export interface LimitsConfig {
  readonly maxBodyBytes: number;
  /**
   * Of a WebSocket client's message; 0 = what the store can hold, null = the largest body any location takes.
   */
  readonly maxFrameBytes: number | null;
  /** Of any connection: what it was sent and does not take, in memory. */
  readonly maxUnsentBytes: number;
  /** How long a WebSocket client may send no whole frame; 0 = for ever. */
  readonly maxSilenceMs: number;
  readonly maxConnections: number;
  readonly maxNumberOfChannels: number;
  readonly maxNumberOfWildcardChannels: number;
  /** Within a minute, in each worker. */
  readonly maxChannelsCreatedPerAddress: number;
  readonly maxChannelIdLength: number;
  readonly maxSubscribersPerChannel: number;
  readonly maxChannelsPerRequest: number;
  readonly maxMessagesPerRequest: number;
}

/** Where the secret of a webhook is to be had. */
export interface WebhookSecret {
  readonly kind: "variable" | "file" | "text";
  /** The variable, the path, or the secret itself. */
  readonly text: string;
}

export interface WebhookConfig {
  readonly name: string;
  readonly url: string;
  readonly events: readonly HookEvent[];
  /** Patterns (patterns.ts). */
  readonly channels: readonly string[];
  readonly secret: WebhookSecret;
  readonly batchMs: number;
  readonly batchEvents: number;
  readonly batchBytes: number;
  readonly timeoutMs: number;
}

export interface WebhooksConfig {
  readonly hooks: readonly WebhookConfig[];
  /** Of the store, what their events may take. */
  readonly backlogBytes: number;
  readonly vacatedAfterMs: number;
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
