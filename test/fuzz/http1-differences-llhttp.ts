/**
 * Where our reading of a connection differs from that of node's parser in its strict mode, which knows no
 * bounds and leaves Host to its user, with the reason. The whole list, as http1-differences-nginx.ts is.
 */
import {
  chunked,
  type Difference,
  get,
  hasBadAuthority,
  hasBadHost,
  hasLongLines,
  inFields,
  inLine,
  isChunked,
  lineOf,
  methodOf,
  values,
} from "./http1-divergence.ts";

const METHODS_OF_LLHTTP = new Set(
  `ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE
  NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE
  UNBIND UNLINK UNLOCK UNSUBSCRIBE`.split(/\s+/),
);
export const LLHTTP_DIFFERENCES: readonly Difference[] = [
  {
    peer: "llhttp",
    what: "HTTP/0.9",
    who: "only they read it",
    why: "as above",
    example: "GET / HTTP/0.9\r\n\r\n",
    isCause: inLine(/^[A-Z-]+ +[^ ]+( *| +HTTP\/0\.9)$/),
  },
  {
    peer: "llhttp",
    what: "no Host, two, or one that cannot be",
    who: "only they read it",
    why: "RFC 9112, 3.2; llhttp leaves it to its user, and node's server looks for a missing one only",
    example: "GET / HTTP/1.1\r\n\r\n",
    isCause: (found) => values(found.fields, "host").length !== 1 || hasBadHost(found),
  },
  {
    peer: "llhttp",
    what: "Transfer-Encoding in HTTP/1.0",
    who: "only they read it",
    why: "RFC 9112, 6.1: its framing is faulty; nginx refuses it, too",
    example: chunked("0\r\n\r\n").replace("1.1", "1.0"),
    isCause: (found) => / HTTP\/1\.0/.test(found.line) && isChunked(found),
  },
  {
    peer: "llhttp",
    what: "a tab around Content-Length or Transfer-Encoding",
    who: "only they read it",
    why: "nginx takes the tab for part of the value; whom both have read must have read the same",
    example: get("Content-Length:\t0\r\n"),
    isCause: inFields(/^(content-length|transfer-encoding):.*\t/i),
  },
  {
    peer: "llhttp",
    what: "codings before chunked, and chunked twice",
    who: "only they read it",
    why: "RFC 9112, 6.1: unknown ones are 501; nobody here takes gzip off",
    example: chunked("0\r\n\r\n").replace("chunked", "gzip, chunked"),
    isCause: (found) =>
      isChunked(found) && !/^ *chunked *$/i.test(values(found.fields, "transfer-encoding").join()),
  },
  {
    peer: "llhttp",
    what: "targets: an asterisk of any method, authority-form, authorities that cannot be",
    who: "only they read it",
    why: "RFC 9112, 3.2; a server that is no proxy",
    example: lineOf("GET * HTTP/1.1"),
    isCause: (found) => inLine(/^CONNECT | \*/)(found) || hasBadAuthority(found),
  },
  {
    peer: "llhttp",
    what: "a bare CR, or more than eight empty lines, before a request",
    who: "only they read it",
    why: "as above",
    example: `\r${get("")}`,
    isCause: ({ rest }) => /^(\r?\n)*\r[^\n]|^(\r?\n){9}/.test(rest),
  },
  {
    peer: "llhttp",
    what: "sizes of chunks with more than 16 digits",
    who: "only they read it",
    why: "endless zeros are no size",
    example: chunked(`${"0".repeat(20)}\r\n\r\n`),
    isCause: (found) => isChunked(found) && /0{10}/.test(found.body),
  },
  {
    peer: "llhttp",
    what: "lines that end with LF",
    who: "only we read it",
    why: "RFC 9112, 2.2: MAY; nginx does, and scripts send them",
    example: "GET / HTTP/1.1\nHost: a\n\n",
    isCause: ({ rest, body }) => /(^|[^\r])\n/.test(rest.slice(0, rest.length - body.length)),
  },
  {
    peer: "llhttp",
    what: "methods that are not in a list",
    who: "only we read it",
    why: "RFC 9110, 9.1: any token",
    example: lineOf("FETCH / HTTP/1.1"),
    isCause: (found) => !METHODS_OF_LLHTTP.has(methodOf(found)),
  },
  {
    peer: "llhttp",
    what: "versions 1.2 to 1.9",
    who: "only we read it",
    why: "RFC 9110, 2.5: as the highest version known",
    example: lineOf("GET / HTTP/1.9"),
    isCause: inLine(/HTTP\/1\.[2-9]/),
  },
  {
    peer: "llhttp",
    what: "spaces behind the version",
    who: "only we read it",
    why: "RFC 9112, 3: MAY; nginx does",
    example: lineOf("GET / HTTP/1.1 "),
    isCause: inLine(/ $/),
  },
  {
    peer: "llhttp",
    what: "bytes over 0x7f in the target",
    who: "only we read it",
    why: "old clients send names of channels so; nginx keeps them",
    example: lineOf("GET /\xe4 HTTP/1.1"),
    isCause: inLine(/[\x80-\xff]/),
  },
  {
    peer: "llhttp",
    what: "schemes with other characters than letters",
    who: "only we read it",
    why: "RFC 3986, 3.1",
    example: lineOf("GET h2+x://a/ HTTP/1.1"),
    isCause: inLine(/^\S+ +[a-z]+[0-9+.-][a-z0-9+.-]*:/i),
  },
  {
    peer: "llhttp",
    what: "extensions of chunks that are not quite by the grammar, spaces before them",
    who: "only we read it",
    why: "they are left out; the line's end is the same to all",
    example: chunked("1 ;a\r\nx\r\n0\r\n\r\n"),
    isCause: (found) => isChunked(found) && /[0-9a-f][ \t]|;/i.test(found.body),
  },
  {
    peer: "llhttp",
    what: "version 2.0, and RTSP",
    who: "only they read it",
    why: "RFC 9110, 2.5: another protocol",
    example: lineOf("GET / HTTP/2.0"),
    isCause: inLine(/ (HTTP\/2\.0|RTSP\/1\.0)$/),
  },
  {
    peer: "llhttp",
    what: "bodies larger than may be",
    who: "only they read it",
    why: "413 as soon as it is known; llhttp leaves it to its user",
    example: get("Content-Length: 1001\r\n"),
    isCause: (found) =>
      inFields(/^content-length:.*\d{4}/i)(found) ||
      (isChunked(found) && /(^|\n)[0-9a-f]{3,}/i.test(found.body)),
  },
  {
    peer: "llhttp",
    what: "what Connection says twice, around a tab, in Proxy-Connection, or in a trailer",
    who: "read otherwise",
    why: "RFC 9110, 7.6.1 and 6.5.1: close wins; no field of a proxy; no framing in trailers",
    example: get("Proxy-Connection: close\r\n") + get(""),
    isCause: ({ before, bodyBefore }) =>
      values(before, "connection").length > 1 ||
      /[,\t]/.test(values(before, "connection").join()) ||
      values(before, "proxy-connection").length > 0 ||
      /^connection:/im.test(bodyBefore),
  },
  {
    peer: "llhttp",
    what: "size lines of chunks, and trailers, longer than may be",
    who: "only they read it",
    why: "whoever sends them wants to keep us busy",
    example: chunked(`0;${"a".repeat(200)}\r\n\r\n`),
    isCause: (found) => isChunked(found) && hasLongLines(found.body),
  },
];
