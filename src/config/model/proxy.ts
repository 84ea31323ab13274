/** Part of the checked configuration (../model.ts): where requests go that are passed on. */
import type { ServerAddress } from "../server/proxy-target.ts";

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
