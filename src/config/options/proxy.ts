/**
 * Rows of the option table about `proxy`, the role that passes requests on, and `[[upstream]]`. Part of
 * ../options.ts.
 */
import type { Option } from "../kinds.ts";
import { LONGEST_TIMER } from "./longest.ts";

export const PROXY_OPTIONS = {
  "location[].proxy": {
    kind: "string",
    default: null,
    unset: "not a proxy",
    doc:
      "Makes it a reverse proxy: requests go on to this address, `http://host:port`, `https://…`, " +
      "`http://unix:/path` or `http://NAME` of an [[upstream]], and answers come back as they come. " +
      "With a path behind it that stands in place of what the location matched. May have variables.",
    example: "http://127.0.0.1:3000",
  },
  "location[].proxy_set_header": {
    kind: "strings",
    default: [
      "Host $http_host",
      "X-Forwarded-For $proxy_add_x_forwarded_for",
      "X-Forwarded-Proto $scheme",
      "Upgrade $http_upgrade",
    ],
    doc:
      "Fields of the request that are set for the backend, `name value` each, with variables; where the " +
      "value is empty, the field is left out. `$proxy_host` is the backend's own name.",
    example: ["Host $http_host", "X-Real-IP $remote_addr"],
  },
  "location[].proxy_hide_header": {
    kind: "strings",
    default: [],
    doc: "Fields of answers that clients do not get, beside Date, Server, X-Pad and X-Accel-….",
    example: ["X-Powered-By"],
  },
  "location[].proxy_pass_header": {
    kind: "strings",
    default: [],
    doc: "Fields of those that they do get.",
    example: ["Server"],
  },
  "location[].proxy_pass_request_headers": {
    kind: "flag",
    default: true,
    doc: "The client's fields go on to the backend.",
    example: false,
  },
  "location[].proxy_pass_request_body": {
    kind: "flag",
    default: true,
    doc: "The client's body goes on to the backend.",
    example: false,
  },
  "location[].proxy_http_version": {
    kind: "enum",
    values: ["1.0", "1.1"],
    default: "1.1",
    doc: "What is spoken with the backend. With 1.0 a body in chunks is read whole first.",
    example: "1.1",
  },
  "location[].proxy_redirect": {
    kind: "strings",
    default: ["default"],
    doc:
      "What becomes of Location and Refresh of answers: `default` (the backend's address becomes the " +
      "location's path), `off`, `from to`, or `~regex to`; the first that fits.",
    example: ["http://127.0.0.1:3000/ /"],
  },
  "location[].proxy_connect_timeout": {
    kind: "milliseconds",
    default: "60s",
    min: "1ms",
    max: LONGEST_TIMER,
    doc: "For a connection to the backend; then 504.",
    example: "5s",
  },
  "location[].proxy_send_timeout": {
    kind: "milliseconds",
    default: "60s",
    min: "1ms",
    max: LONGEST_TIMER,
    doc: "How long the backend may take nothing of a request.",
    example: "60s",
  },
  "location[].proxy_read_timeout": {
    kind: "milliseconds",
    default: "60s",
    min: "1ms",
    max: LONGEST_TIMER,
    doc:
      "How long the backend may say nothing: before its answer 504, in the midst of it the end of the " +
      "connection. Of a WebSocket: both sides.",
    example: "1h",
  },
  "location[].proxy_intercept_errors": {
    kind: "flag",
    default: false,
    doc: "error_page stands for answers of the backend, too.",
    example: true,
  },
  "location[].proxy_next_upstream": {
    kind: "strings",
    default: ["error", "timeout"],
    doc:
      "When the next server of the upstream is asked, as in nginx: error, timeout, invalid_header, " +
      "http_500, http_502, http_503, http_504, http_403, http_404, http_429, non_idempotent, off. Only " +
      "while the client has got nothing; a POST, LOCK or PATCH that was sent only with non_idempotent.",
    example: ["error", "timeout", "http_503"],
  },
  "location[].proxy_next_upstream_tries": {
    kind: "integer",
    default: 0,
    min: 0,
    max: 1000,
    doc: "How many servers are asked at most; 0 = each once.",
    example: 2,
  },
  "location[].proxy_next_upstream_timeout": {
    kind: "milliseconds",
    default: "0s",
    min: "0s",
    max: LONGEST_TIMER,
    doc: "How long others are tried; 0 = without end.",
    example: "10s",
  },
  "location[].proxy_ignore_client_abort": {
    kind: "flag",
    default: false,
    doc: "The backend's connection stays when the client leaves.",
    example: true,
  },
  "location[].proxy_ssl_server_name": {
    kind: "flag",
    default: true,
    doc: "Its name is told to the backend in the handshake (SNI).",
    example: false,
  },
  "location[].proxy_ssl_name": {
    kind: "string",
    default: null,
    unset: "that in the address",
    doc: "The name that is told, and that its certificate must have.",
    example: "backend.example.org",
  },
  "location[].proxy_ssl_verify": {
    kind: "flag",
    default: true,
    doc: "The backend's certificate is verified.",
    example: false,
  },
  "location[].proxy_ssl_trusted_certificate": {
    kind: "string",
    default: null,
    unset: "those of the runtime",
    doc: "Certificates in PEM that it may be signed by.",
    example: "/etc/sluice/backend-ca.pem",
  },
  "upstream[].name": {
    kind: "string",
    required: true,
    default: null,
    doc: "What `proxy` calls it.",
    example: "backend",
  },
  "upstream[].server": {
    kind: "strings",
    default: [],
    doc:
      "Its servers: `host:port` or `unix:/path`, and behind it weight=, max_fails=, fail_timeout=, " +
      "backup or down, as in nginx. Each worker counts for itself.",
    example: ["127.0.0.1:3001 weight=2", "127.0.0.1:3002", "unix:/run/app.sock backup"],
  },
  "upstream[].balance": {
    kind: "enum",
    values: ["round_robin", "least_conn", "ip_hash"],
    default: "round_robin",
    doc:
      "Which is asked: in turn by weight, the one with the fewest requests under way, or always the " +
      "same for a client's network.",
    example: "least_conn",
  },
  "upstream[].keepalive": {
    kind: "integer",
    default: null,
    min: 0,
    max: 10_000,
    unset: "32, and POST, LOCK and PATCH go by new ones, as one that has gone stale loses them",
    doc: "Idle connections that each worker keeps to each server.",
    example: 16,
  },
  "upstream[].keepalive_timeout": {
    kind: "milliseconds",
    default: "60s",
    min: "1ms",
    max: LONGEST_TIMER,
    doc: "How long they are kept.",
    example: "30s",
  },
  "upstream[].keepalive_requests": {
    kind: "integer",
    default: 1000,
    min: 1,
    max: 1_000_000_000,
    doc: "How many requests one of them carries.",
    example: 1000,
  },
} as const satisfies Readonly<Record<string, Option>>;
