/**
 * Rows of the option table about what stands around a location of any role: access rules, passwords, fields,
 * gzip, logs. Part of ../options.ts.
 */

import { contentTypeIssues, pathIssues } from "../checks/checks.ts";
import type { Option } from "../kinds.ts";
import { addressLimitIssues } from "../location/address-limit.ts";

export const FRONT_OPTIONS = {
  "location[].default_type": {
    kind: "string",
    default: null,
    unset: "text/plain; charset=utf-8",
    doc:
      "Content type of streaming, polling and long-polling answers, and of what a handler says that " +
      "names none.",
    example: "text/plain; charset=utf-8",
    check: contentTypeIssues,
  },
  "location[].nosniff": {
    kind: "flag",
    default: true,
    doc:
      "Answers with messages or names of channels say X-Content-Type-Options: nosniff, so that no " +
      "browser takes them for another type than they have.",
    example: false,
  },
  "location[].types": {
    kind: "strings",
    default: [],
    doc: "Content types by the extension of the path, each `type extension…`. They come before default_type.",
    example: ["text/html html htm", "image/gif gif"],
  },
  "location[].allowed_origins": {
    kind: "complex",
    default: null,
    unset: "the server's own, and no CORS headers",
    doc:
      "Origins of pages that may use this location, besides its own: one, several with blanks between, " +
      'or "*". Browsers are told by CORS headers; WebSocket handshakes and publishing of others are ' +
      "answered 403 (check_origin). Empty: none, no CORS headers.",
    example: "https://example.org",
  },
  "location[].check_origin": {
    kind: "flag",
    default: true,
    doc:
      "Refuses WebSocket handshakes and publishing that a browser begins for a page of another origin, " +
      "unless allowed_origins names it. Off: allowed_origins is announced as it stands, and no more. A " +
      "proxy in front has to pass the Host field on.",
    example: false,
  },
  "location[].max_body_size": {
    kind: "size",
    default: null,
    unset: "as limits.max_body_size",
    doc: "Largest body of a request here; a larger one is answered 413. 0 is unlimited.",
    example: "10MiB",
    max: "1GiB",
  },
  "location[].max_connections_per_address": {
    kind: "string",
    default: null,
    unset: "unlimited",
    doc:
      "Requests of one address (IPv6: one /64) that are answered at a time, in each worker: streams, " +
      "long polls and WebSockets while they are held, others until their answer is made. One more is " +
      "answered 503 with Retry-After, or as `status 429` behind the number says. Locations with this " +
      "option are counted together; `zone NAME` behind the number counts those of that name apart.",
    example: "10 zone streams",
    check: addressLimitIssues,
  },
  "location[].access": {
    kind: "strings",
    default: [],
    doc:
      'Who may come, by address: "allow 10.0.0.0/8", "deny all" …; the first that fits decides, and ' +
      "without one that fits all may. A client that is gone before its address is known may not.",
    example: ["allow 127.0.0.1", "deny all"],
  },
  "location[].limit_except": {
    kind: "strings",
    default: [],
    unset: "the same for all methods",
    doc: "Methods that limit_except_access and limit_except_auth_basic do not concern; GET includes HEAD.",
    example: ["GET", "POST"],
  },
  "location[].limit_except_access": {
    kind: "strings",
    default: [],
    doc: "Who may come with any other method, in place of access.",
    example: ["deny all"],
  },
  "location[].limit_except_auth_basic": {
    kind: "string",
    default: null,
    unset: "as auth_basic",
    doc: "Realm of a password for any other method, in place of auth_basic.",
    example: "editors",
  },
  "location[].limit_except_auth_basic_user_file": {
    kind: "string",
    default: null,
    unset: "as auth_basic_user_file",
    doc: "Its users.",
    example: "/etc/sluice/editors",
    check: pathIssues,
  },
  "location[].auth_basic": {
    kind: "string",
    default: null,
    unset: "open to all",
    doc: "Realm of a user name and password asked for with HTTP Basic authentication.",
    example: "publishers",
  },
  "location[].auth_basic_user_file": {
    kind: "string",
    default: null,
    unset: "required with auth_basic",
    doc: "Users and hashed passwords, in the form htpasswd writes.",
    example: "/etc/sluice/users",
    check: pathIssues,
  },
  "location[].add_header": {
    kind: "strings",
    default: [],
    doc: "Headers added to answers, each `Name value`; `always ` before the name adds it to errors as well.",
    example: ["X-Frame-Options DENY", "always X-Served-By sluice"],
  },
  "location[].error_page": {
    kind: "strings",
    default: [],
    doc:
      "What stands for an answer of ours with one of these statuses: `404 /404.html`, `502 503 =200 " +
      "/sorry.html` with another status, `404 = @name` with that of the page, or a URL. What endpoints " +
      "of channels and handlers answer stays.",
    example: ["404 /404.html", "500 502 503 504 /50x.html"],
  },
  "location[].recursive_error_pages": {
    kind: "flag",
    default: false,
    doc: "An error page may have an error page itself, as often as nginx sends a request on: ten times.",
    example: true,
  },
  "location[].expires": {
    kind: "complex",
    default: null,
    unset: "nothing is said",
    doc:
      "How long caches may keep answers: a time such as 30d, -1 (not at all), epoch, max, `modified " +
      "+1h`, `@15h30m`, off, or a variable with one of them.",
    example: "30d",
  },
  "location[].absolute_redirect": {
    kind: "flag",
    default: true,
    doc: "Puts scheme and host before the address of a redirect that names none.",
    example: false,
  },
  "location[].port_in_redirect": {
    kind: "flag",
    default: true,
    doc: "With the port that the client named.",
    example: false,
  },
  "location[].gzip": {
    kind: "flag",
    default: false,
    doc: "Compresses answers for clients that say they take gzip.",
    example: true,
  },
  "location[].gzip_types": {
    kind: "strings",
    default: [],
    doc: 'Content types that are compressed besides text/html; "*" is all.',
    example: ["application/json", "text/plain"],
  },
  "location[].gzip_min_length": {
    kind: "integer",
    default: 20,
    doc: "Bodies below so many bytes are not compressed.",
    example: 1000,
    min: 0,
    max: 4_294_967_295,
  },
  "location[].gzip_comp_level": {
    kind: "integer",
    default: 1,
    doc: "1 is fast, 9 is small.",
    example: 5,
    min: 1,
    max: 9,
  },
  "location[].gzip_vary": {
    kind: "flag",
    default: false,
    doc: "Says `Vary: Accept-Encoding` where gzip is at work.",
    example: true,
  },
  "location[].access_log": {
    kind: "strings",
    default: [],
    doc:
      "Files that get a line for each answer, each `path [format [buffer=64k] [flush=1s]]`; /dev/stdout " +
      "is one.",
    example: ["/var/log/sluice/access.log combined buffer=64k flush=1s"],
  },
} as const satisfies Readonly<Record<string, Option>>;
