/** Part of the checked configuration (../model.ts): servers and what they listen on. */
import type { StepConfig } from "./steps.ts";

/** Who may say whose a request is (client-address.ts). */
export interface ProxiesConfig {
  /** `unix:`, addresses, and networks in CIDR form; not empty. */
  readonly trusted: readonly string[];
  /** The field in which they say it. */
  readonly header: string;
  /** Whether what a trusted proxy says of another trusted one is believed, and so on. */
  readonly isRecursive: boolean;
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
