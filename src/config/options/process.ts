/**
 * Rows of the option table about the process and its addresses: where it listens, whom it believes, workers,
 * stops, logs. Part of ../options.ts.
 */
import { listenIssues, pathIssues, userIssues } from "../checks/checks.ts";
import { realIpHeaderIssues, trustedProxiesIssues } from "../checks/proxy-checks.ts";
import type { Option } from "../kinds.ts";

export const PROCESS_OPTIONS = {
  listen: {
    kind: "strings",
    default: ["127.0.0.1:8080"],
    doc:
      'Addresses to serve on: "host:port", "[::1]:port" or "unix:/path". Port 0 lets the kernel choose. ' +
      "Who may reach the folder of a unix socket may connect (mode 666), unless words behind it say " +
      'less: "unix:/path mode=660 group=www-data".',
    example: ["127.0.0.1:8080", "[::1]:8080", "unix:/run/sluice/http.sock"],
    check: listenIssues,
  },
  listener: {
    kind: "enum",
    values: ["native", "wire"],
    default: "native",
    doc:
      "Who answers on the addresses: native is Bun's own server, wire is HTTP/1.1 of sluice's own, " +
      "exact to the byte. An address with ssl and http2, or with several certificates, is native, for " +
      "only that does both.",
    example: "wire",
  },
  trusted_proxies: {
    kind: "strings",
    default: [],
    doc:
      "Proxies that are believed when they say whose request they pass on: addresses, networks in CIDR " +
      'form, and "unix:" for all who come through a unix socket. Rules, limits, logs, variables and ' +
      "code then see the address of the client; a trusted proxy that names none is refused (400).",
    example: ["127.0.0.1", "10.0.0.0/8", "unix:"],
    check: trustedProxiesIssues,
  },
  real_ip_header: {
    kind: "string",
    default: "X-Forwarded-For",
    doc:
      "Field in which they say it: X-Forwarded-For, X-Real-IP, Forwarded (RFC 7239), or another that " +
      "holds addresses, one or with commas. The proxy has to set it, or to add to it.",
    example: "X-Real-IP",
    check: realIpHeaderIssues,
  },
  real_ip_recursive: {
    kind: "flag",
    default: true,
    doc:
      "Reads the field from its end over all trusted proxies, to the first address that is none; false " +
      "takes the last address in it.",
    example: false,
  },
  workers: {
    kind: "integer",
    default: "auto",
    word: "auto",
    doc: 'Worker processes; "auto" is one for each processor available.',
    example: 2,
    min: 1,
    max: 256,
  },
  user: {
    kind: "string",
    default: null,
    unset: "who starts it",
    doc:
      "Whom workers become when it is started as root, and maybe a group behind it: when they have " +
      "bound their addresses, read their keys and opened their logs. Main stays root, so that workers " +
      "that are started later can do the same.",
    example: "www-data",
    check: userIssues,
  },
  shutdown_timeout: {
    kind: "milliseconds",
    default: "10s",
    doc:
      "How long a stop or reload waits for connections to end before it ends them. Keep it below " +
      "systemd's TimeoutStopSec.",
    example: "10s",
    min: "100ms",
    max: "1h",
  },
  drain_rate: {
    kind: "integer",
    default: 2000,
    doc:
      "Subscribers sent away per second at a stop or reload, over all workers; more when " +
      "shutdown_timeout would not do for all. 0 is at once.",
    example: 2000,
    min: 0,
    max: 1_000_000,
  },
  log_level: {
    kind: "enum",
    values: ["debug", "info", "warn", "error"],
    default: "info",
    doc: "Least level that is written to stderr: debug, info, warn or error.",
    example: "warn",
  },
  log_style: {
    kind: "enum",
    values: ["auto", "text", "json"],
    default: "auto",
    doc:
      "How log lines look: auto and text are for people, json is one object a line. Towards the journal " +
      "of systemd each begins with its priority.",
    example: "json",
  },
  error_log: {
    kind: "string",
    default: null,
    unset: "stderr",
    doc: "File the log goes to; it is opened again on SIGUSR1.",
    example: "/var/log/sluice/error.log",
    check: pathIssues,
  },
  pid_file: {
    kind: "string",
    default: null,
    unset: "none",
    doc: "File that holds the main process's id while it serves.",
    example: "/run/sluice/sluice.pid",
    check: pathIssues,
  },
  allowed_hosts: {
    kind: "strings",
    default: [],
    unset: "any host",
    doc:
      'Names a request may ask for ("push.example.org", "*.example.org"), besides addresses, localhost, ' +
      "names listened on and server names; another is answered 403. Keeps pages of other names from a " +
      "server on loopback (DNS rebinding).",
    example: ["push.example.org"],
  },
  built_in_paths: {
    kind: "flag",
    default: true,
    doc: "Serves /health/live, /health/ready and /metrics where no location claims them.",
    example: false,
  },
  log_format: {
    kind: "strings",
    default: [],
    doc: "Formats of access logs, each `name text`, with variables in the text. `combined` is always there.",
    example: ["short $remote_addr $status $request_uri"],
  },
} as const satisfies Readonly<Record<string, Option>>;
