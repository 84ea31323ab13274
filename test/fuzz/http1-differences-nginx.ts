/**
 * Where our reading of a connection differs from that of Debian's nginx 1.22 as it comes, with the reason.
 * This is the whole list: the fuzz fails over any other difference, and each of these is shown by its
 * example, so that one which is no more is found too.
 */
import {
  chunked,
  type Difference,
  type Divergence,
  get,
  hasBadAuthority,
  hasBadHost,
  hasControls,
  hasLongLines,
  hasLooseChunks,
  hasLooseTrailers,
  inFields,
  inLine,
  isChunked,
  lineOf,
  methodOf,
  values,
} from "./http1-divergence.ts";

/** Fields of which nginx refuses a second one. */
const SINGLE = /^(expect|if-[a-z-]+|authorization|content-range):/i;
function hasSingleTwice({ fields }: Divergence): boolean {
  const names = fields
    .map((field) => SINGLE.exec(field)?.[1]?.toLowerCase())
    .filter((name) => name !== undefined);
  return new Set(names).size < names.length;
}

export const NGINX_DIFFERENCES: readonly Difference[] = [
  {
    peer: "nginx",
    what: "HTTP/0.9",
    who: "only they read it",
    why: "its answers have neither status nor end; no client of this century asks so",
    example: "GET /\r\n",
    isCause: inLine(/^[A-Z_-]+ +[^ ]+ *$/),
  },
  {
    peer: "nginx",
    what: "a bare CR, or more than eight empty lines, before a request",
    who: "only they read it",
    why: "RFC 9112, 2.2 allows for an empty line; a bare CR is one to nobody else",
    example: `\r${get("")}`,
    isCause: ({ rest }) => /^(\r?\n)*\r[^\n]|^(\r?\n){9}/.test(rest),
  },
  {
    peer: "nginx",
    what: "two digits behind the version's dot",
    who: "only they read it",
    why: "RFC 9112, 2.3: one digit",
    example: lineOf("GET / HTTP/1.10"),
    isCause: inLine(/HTTP\/1\.\d\d/),
  },
  {
    peer: "nginx",
    what: "a field without a colon, or with a name that is no token",
    who: "only they read it",
    why: "RFC 9110, 5.1; nginx leaves the line out, and others may not",
    example: get("X@Y: a\r\n"),
    isCause: inFields(/^[^:]*$|^[^:]*[^\w!#$%&'*+.^`|~:-]/),
  },
  {
    peer: "nginx",
    what: "control characters in a value",
    who: "only they read it",
    why: "RFC 9110, 5.5: dangerous when passed on",
    example: get("X: a\x01\r\n"),
    isCause: ({ fields }) => fields.some(hasControls),
  },
  {
    peer: "nginx",
    what: "several CRs before a field's LF",
    who: "only they read it",
    why: "RFC 9112, 2.2: a bare CR is refused",
    example: get("X: a\r\r\n"),
    isCause: inFields(/\r$/),
  },
  {
    peer: "nginx",
    what: "hosts with other characters, user information or a port that is no number",
    who: "only they read it",
    why: "RFC 9112, 3.2: an invalid Host is 400",
    example: "GET / HTTP/1.1\r\nHost: u@b:x\r\n\r\n",
    isCause: hasBadHost,
  },
  {
    peer: "nginx",
    what:
      "between chunks: a bare LF, more than 16 digits, anything behind a space, " +
      "control characters in extensions",
    who: "only they read it",
    why: "RFC 9112, 7.1; readers that disagree here see different requests",
    example: chunked("1;a\nx\r\n0\r\n\r\n"),
    isCause: (found) => isChunked(found) && hasLooseChunks(found.body),
  },
  {
    peer: "nginx",
    what: "anything in the lines of a trailer",
    who: "only they read it",
    why: "RFC 9112, 7.1.2: they are fields",
    example: chunked("0\r\nX : y\r\n\r\n"),
    isCause: (found) => isChunked(found) && hasLooseTrailers(found.body),
  },
  {
    peer: "nginx",
    what: "methods with other characters than capitals, - and _",
    who: "only we read it",
    why: "RFC 9110, 9.1: any token; which of them is allowed is decided by the location (405)",
    example: lineOf("get / HTTP/1.1"),
    isCause: (found) => /[^A-Z_-]/.test(methodOf(found)),
  },
  {
    peer: "nginx",
    what: "OPTIONS *",
    who: "only we read it",
    why: "RFC 9112, 3.2.4",
    example: lineOf("OPTIONS * HTTP/1.1"),
    isCause: inLine(/^OPTIONS +\* /),
  },
  {
    peer: "nginx",
    what: "a second field of a kind that is said once (Expect, If-Match, Authorization …)",
    who: "only we read it",
    why: "they do not frame anything; joined they say nothing, as RFC 9110, 5.3 has it",
    example: get("Authorization: a\r\nauthorization: b\r\n"),
    isCause: hasSingleTwice,
  },
  {
    peer: "nginx",
    what: "authorities with other characters than letters, digits, - and .",
    who: "only we read it",
    why: "one rule for hosts, wherever they stand",
    example: lineOf("GET http://a_b/ HTTP/1.1"),
    isCause: hasBadAuthority,
  },
  {
    peer: "nginx",
    what: "paths that lead out of the root, percent signs without two digits, %00",
    who: "only we read it",
    why: "what a path means is decided where it is used",
    example: lineOf("GET /../ HTTP/1.1"),
    isCause: inLine(/\/\.\.|%(?![0-9a-f]{2})|%00/i),
  },
  {
    peer: "nginx",
    what: "what Connection says in several fields, or within longer words",
    who: "read otherwise",
    why: "RFC 9110, 7.6.1: a list of tokens; close wins. nginx looks for the letters, in the last field",
    example: get("Connection: close\r\nConnection: keep-alive\r\n") + get(""),
    isCause: ({ before }) => {
      const said = values(before, "connection");
      const others = said
        .join()
        .split(",")
        .filter((token) => !/^ *(close|keep-alive) *$/i.test(token));
      return said.length > 1 || /close|keep-alive/i.test(others.join());
    },
  },
  {
    peer: "nginx",
    what: "size lines of chunks, and trailers, longer than may be",
    who: "only they read it",
    why: "whoever sends them wants to keep us busy",
    example: chunked(`0;${"a".repeat(200)}\r\n\r\n`),
    isCause: (found) => isChunked(found) && hasLongLines(found.body),
  },
];
