/**
 * Rows of the option table about `[cluster]`: the engine that orders the channels of several nodes; the
 * manual is docs/cluster.md. Part of ../options.ts.
 */
import { pathIssues } from "../checks/checks.ts";
import { ackIssues, clusterNameIssues, engineIssues, secretIssues } from "../checks/engine-checks.ts";
import type { Option } from "../kinds.ts";

export const CLUSTER_OPTIONS = {
  "cluster.engine": {
    kind: "strings",
    default: [],
    unset: "no cluster: one machine",
    doc:
      'Redis or Valkey that orders the messages of several nodes: "redis://host:port", "rediss://…" ' +
      'with TLS, "redis+sentinel://host:port,host:port/name", "redis+cluster://host:port,host:port"; of ' +
      "a list the shards are dealt to the engines.",
    example: "redis://10.0.0.5:6379",
    check: engineIssues,
  },
  "cluster.name": {
    kind: "string",
    default: "main",
    doc: "Name of the cluster: the first part of all its keys in the engine.",
    example: "main",
    check: clusterNameIssues,
  },
  "cluster.node": {
    kind: "string",
    default: null,
    unset: "the host's name",
    doc: "Name of this node, another one on each.",
    example: "node-a",
    check: clusterNameIssues,
  },
  "cluster.shards": {
    kind: "integer",
    default: 1,
    doc:
      "Logs that the channels are spread over. The same on all nodes, and for good: another number is " +
      "another cluster. With more than one, time and tag order the messages of one channel, not those " +
      "of several.",
    example: 1,
    min: 1,
    max: 16,
  },
  "cluster.user": {
    kind: "string",
    default: null,
    unset: "the engine's default user",
    doc: "User of the engine's access control list.",
    example: "sluice",
  },
  "cluster.password": {
    kind: "string",
    default: null,
    unset: "none",
    doc: 'Where the engine\'s password stands: "env:NAME" or "file:/path"; never the password itself.',
    example: "file:/etc/sluice/engine-password",
    check: secretIssues,
  },
  "cluster.sentinel_password": {
    kind: "string",
    default: null,
    unset: "none",
    doc: "Likewise, that of the Sentinels.",
    example: "env:SENTINEL_PASSWORD",
    check: secretIssues,
  },
  "cluster.tls_ca": {
    kind: "string",
    default: null,
    unset: "the authorities that the runtime trusts",
    doc: "File with the certificates of the authorities that may have signed the engine's.",
    example: "/etc/sluice/ca.pem",
    check: pathIssues,
  },
  "cluster.tls_certificate": {
    kind: "string",
    default: null,
    unset: "none",
    doc: "File with the certificate this node shows to the engine.",
    example: "/etc/sluice/node.pem",
    check: pathIssues,
  },
  "cluster.tls_certificate_key": {
    kind: "string",
    default: null,
    unset: "none",
    doc: "Its key.",
    example: "/etc/sluice/node-key.pem",
    check: pathIssues,
  },
  "cluster.log_size": {
    kind: "size",
    default: "256MiB",
    doc:
      "Memory in the engine for the log of a shard; what is older than message_ttl goes in any case. " +
      "Looked at every two seconds.",
    example: "256MiB",
    min: "1MiB",
    max: "64GiB",
  },
  "cluster.ack": {
    kind: "string",
    default: "primary",
    doc:
      'Whom a publish waits for: "primary" the engine that took it; "replica" one of its replicas as ' +
      "well, for at most 100 ms: without one the answer is 503, marked as unknown, though subscribers " +
      "have the message.",
    example: "replica",
    check: ackIssues,
  },
  "cluster.engine_timeout": {
    kind: "milliseconds",
    default: "2s",
    doc: "How long a publish waits for the engine before it is answered 503.",
    example: "2s",
    min: "100ms",
    max: "1m",
  },
  "cluster.ready_while_away": {
    kind: "flag",
    default: true,
    doc:
      "/health/ready stays 200 while the engine cannot be reached: subscribers lose nothing by it. " +
      "false sends new connections elsewhere.",
    example: false,
  },
} as const satisfies Readonly<Record<string, Option>>;
