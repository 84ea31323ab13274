/**
 * Request heads as literal bytes, clause by clause, with what is to be read from them. Used by the table test
 * of heads, and by the fuzz, which asks two other parsers the same.
 */
import type { Seen } from "./http1-fixture.ts";

const HOST = "Host: a\r\n";
const get = (fields: string): string => `GET / HTTP/1.1\r\n${HOST}${fields}\r\n`;
const line = (text: string, fields = HOST): string => `${text}\r\n${fields}\r\n`;

/** What a case expects: a status, or the parts of the first request that matter. */
export type Expected = number | Partial<Seen>;
type HeadCase = readonly [what: string, bytes: string, expected: Expected];

/** RFC 9112, 2.2 and 3: the request line. */
const LINES: readonly HeadCase[] = [
  ["a request", line("GET /x?y HTTP/1.1"), { method: "GET", target: "/x?y", minor: 1, host: "a" }],
  [
    "lines ended by LF",
    "GET /x HTTP/1.1\nHost: a\nB: c\n\n",
    {
      target: "/x",
      fields: [
        ["Host", "a"],
        ["B", "c"],
      ],
    },
  ],
  ["empty lines before it", `\r\n\n\r\n${get("")}`, { target: "/" }],
  ["nine empty lines before it", `${"\r\n".repeat(9)}${get("")}`, 400],
  ["a bare CR before it", `\r${get("")}`, 400],
  ["a space before it", ` ${get("")}`, 400],
  ["any method that is a token", line("M!x~1 / HTTP/1.1"), { method: "M!x~1" }],
  ["methods are case-sensitive", line("get / HTTP/1.1"), { method: "get" }],
  ...["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "GE", "GETS", "P", "POS"].map(
    (method): HeadCase => [`method ${method}`, line(`${method} / HTTP/1.1`), { method }],
  ),
  ["a method that is none", line("G(T / HTTP/1.1"), 400],
  ["no method", line("/ HTTP/1.1"), 400],
  ["a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
  ["a tab for the space", line("GET\t/ HTTP/1.1"), 400],
  ["several spaces, and behind the version", line("GET   /  HTTP/1.1  "), { method: "GET", target: "/" }],
  ["a space in the target", line("GET /a b HTTP/1.1"), 400],
  ["a tab in the target", line("GET /a\tb HTTP/1.1"), 400],
  ["NUL in the target", line("GET /a\0b HTTP/1.1"), 400],
  ["DEL in the target", line("GET /a\x7f HTTP/1.1"), 400],
  ["CR in the target", line("GET /a\rb HTTP/1.1"), 400],
  ["CRLF in the target", line("GET /a\r\nHost: b HTTP/1.1"), 400],
  ["bytes over 0x7f in the target", line("GET /\x80\xff HTTP/1.1"), { target: "/\x80\xff" }],
  ["a fragment stays", line("GET /a#b HTTP/1.1"), { target: "/a#b" }],
  ["no target", line("GET HTTP/1.1"), 400],
  ["a relative target", line("GET a/b HTTP/1.1"), 400],
  ["HTTP/0.9", "GET /\r\n\r\n", 400],
  ["version 1.0", line("GET / HTTP/1.0"), { minor: 0 }],
  ["version 1.9 is read as 1.1", line("GET / HTTP/1.9"), { minor: 1 }],
  ["version 1.10", line("GET / HTTP/1.10"), 400],
  ["version 2.0", line("GET / HTTP/2.0"), 505],
  ["version 9.9", line("GET / HTTP/9.9"), 505],
  ["version 0.9", line("GET / HTTP/0.9"), 400],
  ["version 01.1", line("GET / HTTP/01.1"), 400],
  ["version 1,1", line("GET / HTTP/1,1"), 400],
  ["version 1.x", line("GET / HTTP/1.x"), 400],
  ["version 1", line("GET / HTTP/1"), 400],
  ["a version in lower case", line("GET / http/1.1"), 400],
  ["another protocol", line("GET / ICY/1.1"), 400],
  ["something behind the version", line("GET / HTTP/1.1 x"), 400],
  ["a bare CR behind the version", line("GET / HTTP/1.1\r"), 400],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
  ["asterisk-form", line("OPTIONS * HTTP/1.1"), { method: "OPTIONS", target: "*" }],
  ["asterisk-form with another method", line("GET * HTTP/1.1"), 400],
  ["an asterisk and more", line("OPTIONS *a HTTP/1.1"), 400],
  ["authority-form", line("CONNECT a:443 HTTP/1.1"), 400],
  ["CONNECT with a path", line("CONNECT / HTTP/1.1"), 405],
  ["absolute-form wins over Host", line("GET http://b:81/p?x HTTP/1.1"), { target: "/p?x", host: "b:81" }],
  ["absolute-form, other letters", line("GET hTTp+1-.://B/ HTTP/1.1"), { target: "/", host: "B" }],
  ["absolute-form without path", line("GET http://b HTTP/1.1"), { target: "/", host: "b" }],
  ["absolute-form with only a query", line("GET http://b?x HTTP/1.1"), { target: "/?x", host: "b" }],
  ["absolute-form without Host", line("GET http://b/ HTTP/1.1", ""), 400],
  ["absolute-form of 1.0 without Host", line("GET http://b/ HTTP/1.0", ""), { host: "b", minor: 0 }],
  ["absolute-form with a bad Host", line("GET http://b/ HTTP/1.1", "Host: /\r\n"), 400],
  ["absolute-form without a host", line("GET http:///p HTTP/1.1"), 400],
  ["absolute-form with a user", line("GET http://u@b/p HTTP/1.1"), 400],
  ["absolute-form with one slash", line("GET http:/b/p HTTP/1.1"), 400],
  ["absolute-form, space in the authority", line("GET http://b c/p HTTP/1.1"), 400],
  ["absolute-form, scheme with a hyphen first", line("GET -://b/p HTTP/1.1"), 400],
  ["absolute-form without a scheme", line("GET ://b/p HTTP/1.1"), 400],
  ["absolute-form, scheme with a digit first", line("GET 1http://b/p HTTP/1.1"), 400],
];

/** RFC 9112, 3.2: Host. */
const HOSTS: readonly HeadCase[] = [
  ["no Host in 1.1", line("GET / HTTP/1.1", ""), 400],
  ["no Host in 1.0", line("GET / HTTP/1.0", ""), { host: "" }],
  ["two Hosts", line("GET / HTTP/1.1", "Host: a\r\nhost: a\r\n"), 400],
  ["two Hosts in 1.0", line("GET / HTTP/1.0", "Host: a\r\nHost: b\r\n"), 400],
  ...["a", "a.example:8080", "[::1]", "[::1]:80", "A-b_c~d", "a.", "a:", "1.2.3.4", "a%20b", "a,b"].map(
    (host): HeadCase => [`host ${host}`, line("GET / HTTP/1.1", `hOsT:  ${host} \r\n`), { host }],
  ),
  ...[
    "",
    " ",
    ".",
    "a..b",
    ":80",
    "a/b",
    "a b",
    "u@b",
    "a:x",
    "a:80:90",
    "[::1",
    "[]",
    "[::1]x",
    "a]",
    "a[",
    "\xe4",
    "a?b",
    "\ta",
    "a\t",
    " \t a",
  ].map((host): HeadCase => [`no host: "${host}"`, line("GET / HTTP/1.1", `Host: ${host}\r\n`), 400]),
];

/** RFC 9112, 5; RFC 9110, 5: fields. */
const FIELDS: readonly HeadCase[] = [
  [
    "values are trimmed",
    get("X: \t a b\t \r\nY:\r\nZ:z\r\n"),
    {
      fields: [
        ["Host", "a"],
        ["X", "a b"],
        ["Y", ""],
        ["Z", "z"],
      ],
    },
  ],
  [
    "bytes over 0x7f are kept",
    get("X: \x80\xff\r\n"),
    {
      fields: [
        ["Host", "a"],
        ["X", "\x80\xff"],
      ],
    },
  ],
  [
    "a tab inside a value",
    get("X: a\tb\r\n"),
    {
      fields: [
        ["Host", "a"],
        ["X", "a\tb"],
      ],
    },
  ],
  [
    "names with other characters are left out",
    get("X_A: 1\r\nX.B: 2\r\nX!: 3\r\nY: 4\r\n"),
    {
      fields: [
        ["Host", "a"],
        ["Y", "4"],
      ],
    },
  ],
  ["a space before the colon", get("X : a\r\n"), 400],
  ["a tab before the colon", get("X\t: a\r\n"), 400],
  ["a folded line", get("X: a\r\n b\r\n"), 400],
  ["a line folded with a tab", get("X: a\r\n\tb\r\n"), 400],
  ["a space before the first field", `GET / HTTP/1.1\r\n ${HOST}\r\n`, 400],
  ["no name", get(": a\r\n"), 400],
  ["no colon", get("X\r\n"), 400],
  ["a name that is no token", get("X@: a\r\n"), 400],
  ["a name with a byte over 0x7f", get("X\xe4: a\r\n"), 400],
  ["a control character in a name", get("X\x0b: a\r\n"), 400],
  ["NUL in a name", get("X\0: a\r\n"), 400],
  ["a bare CR in a value", get("X: a\rb\r\n"), 400],
  ["two CRs at a line's end", get("X: a\r\r\n"), 400],
  ["NUL in a value", get("X: a\0b\r\n"), 400],
  ["a control character in a value", get("X: a\x01b\r\n"), 400],
  ["DEL in a value", get("X: a\x7fb\r\n"), 400],
  ["a bare CR for the empty line", `GET / HTTP/1.1\r\n${HOST}\rX`, 400],
];

/** RFC 9112, 9.3 and 9.6; RFC 9110, 7.8 and 10.1.1: what becomes of the connection. */
const CONNECTIONS: readonly HeadCase[] = [
  ["1.1 stays", get(""), { keepsAlive: true }],
  ["1.1 with close", get("Connection: close\r\n"), { keepsAlive: false }],
  ["close in a list, in any case", get("Connection: x, CLOSE ,y\r\n"), { keepsAlive: false }],
  ["close in a second field", get("Connection: keep-alive\r\nConnection: close\r\n"), { keepsAlive: false }],
  ["close before keep-alive", get("Connection: close\r\nConnection: keep-alive\r\n"), { keepsAlive: false }],
  ["another token with close in it", get("Connection: close-not\r\n"), { keepsAlive: true }],
  ["1.0 goes", line("GET / HTTP/1.0"), { keepsAlive: false }],
  ["1.0 with keep-alive stays", line("GET / HTTP/1.0", "Connection: Keep-Alive\r\n"), { keepsAlive: true }],
  ["1.0 with both goes", line("GET / HTTP/1.0", "Connection: keep-alive, close\r\n"), { keepsAlive: false }],
  ["a WebSocket", get("Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"), { isWebSocket: true }],
  [
    "a WebSocket among others",
    get("Upgrade: h2c, websocket\r\nConnection: upgrade\r\n"),
    { isWebSocket: true },
  ],
  ["an upgrade without Connection", get("Upgrade: websocket\r\n"), { isWebSocket: false }],
  ["a Connection without upgrade", get("Connection: upgrade\r\n"), { isWebSocket: false }],
  ["an upgrade to something else", get("Connection: upgrade\r\nUpgrade: h2c\r\n"), { isWebSocket: false }],
  [
    "an upgrade by 1.0",
    line("GET / HTTP/1.0", "Connection: upgrade\r\nUpgrade: websocket\r\n"),
    { isWebSocket: false },
  ],
  ["100-continue", get("Expect: 100-Continue\r\n"), { expects: true }],
  ["100-continue by 1.0", line("GET / HTTP/1.0", "Expect: 100-continue\r\n"), { expects: false }],
  ["another expectation", get("Expect: 200-ok\r\n"), { expects: false }],
];

export const HEAD_CASES: readonly HeadCase[] = [...LINES, ...HOSTS, ...FIELDS, ...CONNECTIONS];
