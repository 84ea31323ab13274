/**
 * Rows of the option table about `[[server]]`: an address of its own, with names and certificates. Part of
 * ../options.ts.
 */
import { listenIssues, pathIssues, tlsProtocolIssues } from "../checks/checks.ts";
import { realIpHeaderIssues, trustedProxiesIssues } from "../checks/proxy-checks.ts";
import type { Option } from "../kinds.ts";
import { LONGEST_TIMER } from "./longest.ts";

export const SERVER_OPTIONS = {
  "server[].listen": {
    kind: "strings",
    required: true,
    default: null,
    doc:
      "Addresses of this server, as above. Words may follow an address: ssl, http2, h2c (HTTP/2 without " +
      "TLS), default_server, ipv6only, keepalive=…, tcp_user_timeout=…, sndbuf=…, deferred, backlog=…, " +
      "fastopen=….",
    example: ["0.0.0.0:443 ssl"],
    check: listenIssues,
  },
  "server[].listener": {
    kind: "enum",
    values: ["native", "wire"],
    default: null,
    unset: "as at the top of the file",
    doc: "Who answers on its addresses, as above. Servers that share an address share this as well.",
    example: "wire",
  },
  "server[].server_name": {
    kind: "strings",
    default: [],
    doc: "Hosts it is for; the first server of an address is for all that nobody claims.",
    example: ["push.example.org", "*.example.org"],
  },
  "server[].header_names": {
    kind: "enum",
    values: ["plain", "underscores", "any"],
    default: "plain",
    doc:
      "Which fields of requests are seen: those of letters, digits and dashes, those with underscores " +
      "as well (behind CGI x_forwarded_for and x-forwarded-for are one), or all. The wire listener's; " +
      "for all servers of an address.",
    example: "underscores",
  },
  "server[].keepalive_timeout": {
    kind: "milliseconds",
    default: null,
    unset: "as at the top of the file",
    doc:
      "The same for the addresses of this server, as far as the wire listener has them; of several " +
      "servers of an address the longest time counts, here and in what follows.",
    example: "75s",
    max: LONGEST_TIMER,
  },
  "server[].keepalive_requests": {
    kind: "integer",
    default: null,
    unset: "as at the top of the file",
    doc: "Requests after which a connection is closed.",
    example: 1000,
    min: 1,
    max: 4_294_967_295,
  },
  "server[].client_header_timeout": {
    kind: "milliseconds",
    default: null,
    unset: "as at the top of the file",
    doc: "Time for the head of a request.",
    example: "10s",
    min: "1s",
    max: LONGEST_TIMER,
  },
  "server[].client_body_timeout": {
    kind: "milliseconds",
    default: null,
    unset: "as at the top of the file",
    doc: "Time without a byte of a body that is not whole.",
    example: "10s",
    min: "1s",
    max: LONGEST_TIMER,
  },
  "server[].send_timeout": {
    kind: "milliseconds",
    default: null,
    unset: "as at the top of the file",
    doc: "Time in which a client takes nothing of what it is sent.",
    example: "30s",
    min: "1s",
    max: LONGEST_TIMER,
  },
  "server[].max_header_size": {
    kind: "size",
    default: null,
    unset: "as at the top of the file",
    doc: "Largest head of a request: limits.max_header_size.",
    example: "32KiB",
    min: "1KiB",
    max: "1MiB",
  },
  "server[].max_header_line_size": {
    kind: "size",
    default: null,
    unset: "as at the top of the file",
    doc: "Longest line of a head: limits.max_header_line_size.",
    example: "8KiB",
    min: "1KiB",
    max: "1MiB",
  },
  "server[].trusted_proxies": {
    kind: "strings",
    default: null,
    unset: "as at the top of the file",
    doc: "Proxies that are believed by this server, as above.",
    example: ["10.0.0.0/8"],
    check: trustedProxiesIssues,
  },
  "server[].real_ip_header": {
    kind: "string",
    default: null,
    unset: "as at the top of the file",
    doc: "Field in which they say whose request it is.",
    example: "Forwarded",
    check: realIpHeaderIssues,
  },
  "server[].real_ip_recursive": {
    kind: "flag",
    default: null,
    unset: "as at the top of the file",
    doc: "Whether that is read over all trusted proxies.",
    example: false,
  },
  "server[].tls_certificate": {
    kind: "string",
    default: null,
    unset: "no TLS",
    doc: "Certificate chain in PEM form, for addresses with ssl.",
    example: "/etc/ssl/push.pem",
    check: pathIssues,
  },
  "server[].tls_protocols": {
    kind: "strings",
    default: ["TLSv1.2", "TLSv1.3"],
    doc: "Versions of TLS that are spoken; there are no others.",
    example: ["TLSv1.3"],
    check: tlsProtocolIssues,
  },
  "server[].tls_ciphers": {
    kind: "string",
    default: null,
    unset: "the runtime's",
    doc: "Ciphers of TLSv1.2, as OpenSSL lists them.",
    example: "ECDHE+AESGCM:ECDHE+CHACHA20",
  },
  "server[].tls_prefer_server_ciphers": {
    kind: "flag",
    default: false,
    doc: "Goes by the order of that list, not by the client's.",
    example: true,
  },
  "server[].tls_certificate_key": {
    kind: "string",
    default: null,
    unset: "no TLS",
    doc: "Its private key in PEM form.",
    example: "/etc/ssl/push.key",
    check: pathIssues,
  },
} as const satisfies Readonly<Record<string, Option>>;
