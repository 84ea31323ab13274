/** Part of the checked configuration (../model.ts): one of several nodes, and the engines between them. */

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
