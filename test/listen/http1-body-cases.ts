/**
 * Bodies as literal bytes: lengths, codings, chunks and trailers, with the shapes that requests are smuggled
 * in. Used by the table test of bodies, and by the fuzz, which asks two other parsers the same.
 */
const post = (fields: string, body: string): string => `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`;
const sized = (length: string, body: string): string => post(`Content-Length:${length}\r\n`, body);
const chunked = (body: string): string => post("Transfer-Encoding: chunked\r\n", body);

/** The body that was read, with the next request found behind it; or a status. */
type BodyCase = readonly [what: string, bytes: string, expected: string | number];

const LENGTHS: readonly BodyCase[] = [
  ["a body", sized(" 3", "abc"), "abc"],
  ["none", post("", ""), ""],
  ["of no bytes", sized(" 0", ""), ""],
  ["zeros in front", sized(" 0003", "abc"), "abc"],
  ["no space before the number", sized("3", "abc"), "abc"],
  ["as large as may be", sized(" 1000", "x".repeat(1000)), "x".repeat(1000)],
  ["one too large", sized(" 1001", ""), 413],
  ["far too large", sized(" 9007199254740991", ""), 413],
  ["no number that can be", sized(" 9007199254740992", ""), 400],
  ["overflow", sized(" 99999999999999999999", ""), 400],
  ["overflow to 3", sized(" 18446744073709551619", "abc"), 400],
  ...[
    "",
    " ",
    " +3",
    " -3",
    " 0x3",
    " 3a",
    " 3.0",
    " 3 3",
    " 3,3",
    " 3, 3",
    " 3;",
    ' "3"',
    "\t3",
    " 3\t",
    " \t 3",
    " \xb3",
  ].map((length): BodyCase => [`"Content-Length:${length}"`, sized(length, "abc"), 400]),
  ["twice, the same", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400],
  ["twice, two numbers", post("Content-Length: 3\r\ncontent-length: 4\r\n", "abcd"), 400],
];

const CODINGS: readonly BodyCase[] = [
  ["chunked", post("transfer-ENCODING:chunKED \r\n", "0\r\n\r\n"), ""],
  ["with a length, before", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400],
  ["with a length, behind", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400],
  ["with a length of 0", post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400],
  ["twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400],
  ["twice, one unknown", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "0\r\n\r\n"), 400],
  [
    "twice, the first unknown",
    post("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    501,
  ],
  ...[
    " xchunked",
    " chunkedx",
    " chunked, identity",
    " identity, chunked",
    " chunked, chunked",
    " identity",
    " gzip, chunked",
    " chunked;q=1",
    ' "chunked"',
    " chunked,",
    " ,chunked",
    "",
    "\tchunked",
    " chunked\t",
    " \t chunked",
    " cow",
    " chun ked",
    " chunked\x80",
  ].map(
    (coding): BodyCase => [
      `"Transfer-Encoding:${coding}"`,
      post(`Transfer-Encoding:${coding}\r\n`, "0\r\n\r\n"),
      501,
    ],
  ),
  ["in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
  [
    "a name with an underscore is another field",
    post("Transfer_Encoding: chunked\r\nContent-Length: 1\r\n", "x"),
    "x",
  ],
  ["a space before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400],
  ["a control character before the value", post("Transfer-Encoding:\x0bchunked\r\n", "0\r\n\r\n"), 400],
  ["folded", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 501],
  ["folded under another", post("X: y\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400],
  ["behind a bare CR", post("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400],
  ["behind a bare LF is a field", post("X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), ""],
];

const CHUNKS: readonly BodyCase[] = [
  ["chunks", chunked("3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"), "abc0123456789"],
  ["data that looks like chunks", chunked("5\r\n0\r\n\r\n\r\n0\r\n\r\n"), "0\r\n\r\n"],
  ["digits in both cases, zeros in front", chunked("00a\r\n0123456789\r\n000\r\n\r\n"), "0123456789"],
  ["sixteen digits", chunked("0000000000000001\r\nx\r\n0\r\n\r\n"), "x"],
  ["seventeen digits", chunked("00000000000000001\r\nx\r\n0\r\n\r\n"), 400],
  ["extensions", chunked('1;a\r\nx\r\n1 ; a="b;c"\r\ny\r\n1 \t\r\nz\r\n0;last\r\n\r\n'), "xyz"],
  ["an extension as long as may be", chunked(`1;${"a".repeat(61)}\r\nx\r\n0\r\n\r\n`), "x"],
  ["an extension too long", chunked(`1;${"a".repeat(62)}\r\nx\r\n0\r\n\r\n`), 400],
  ["endless spaces", chunked(`1${" ".repeat(65)}\r\nx\r\n0\r\n\r\n`), 400],
  ["one chunk too large", chunked("3e9\r\n"), 413],
  ["chunks too large in sum", chunked(`3e7\r\n${"x".repeat(999)}\r\n2\r\n`), 413],
  ["as large as may be", chunked(`3e7\r\n${"x".repeat(999)}\r\n1\r\ny\r\n0\r\n\r\n`), `${"x".repeat(999)}y`],
  ["overflow of 64 bits", chunked("10000000000000003\r\nabc\r\n"), 413],
  ["overflow of 32 bits", chunked("100000003\r\nabc\r\n"), 413],
  ...[
    "",
    " 3",
    "\t3",
    "+3",
    "-3",
    "0x3",
    "3h",
    "3 x",
    "3,",
    "g",
    ";a",
    "3\0",
    "3;\0",
    "3;\x7f",
    "3_0",
    "3\x0b",
    "3\r",
  ].map((size): BodyCase => [`size "${size}"`, chunked(`${size}\r\nabc\r\n0\r\n\r\n`), 400]),
  ["no size before the end", chunked("\r\n\r\n"), 400],
  ["an extension before the end", chunked(";a\r\n\r\n"), 400],
  ["a size ended by LF", chunked("3\nabc\r\n0\r\n\r\n"), 400],
  ["an extension ended by LF", chunked("3;a\nabc\r\n0\r\n\r\n"), 400],
  ["a bare CR in an extension", chunked("3;a\rb\r\nabc\r\n0\r\n\r\n"), 400],
  ["data ended by LF", chunked("3\r\nabc\n0\r\n\r\n"), 400],
  ["data not ended", chunked("3\r\nabc0\r\n\r\n"), 400],
  ["data longer than its size", chunked("3\r\nabcd\r\n0\r\n\r\n"), 400],
  ["data ended by CR and something", chunked("3\r\nabc\rX0\r\n\r\n"), 400],
  ["last chunk ended by LF", chunked("0\n\r\n"), 400],
  ["body ended by LF", chunked("0\r\n\n"), 400],
  ["body ended by CR and something", chunked("0\r\n\rX"), 400],
];

const TRAILERS: readonly BodyCase[] = [
  ["trailers", chunked("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n"), "x"],
  [
    "what they say is not believed",
    chunked("0\r\nContent-Length: 5\r\nHost: b\r\nTransfer-Encoding: x\r\n\r\n"),
    "",
  ],
  [
    "as long as may be, behind an extension",
    chunked(`0;${"a".repeat(60)}\r\n${"A: 0123456789\r\n".repeat(8)}\r\n`),
    "",
  ],
  ["too many", chunked(`0\r\n${"A: 0123456789\r\n".repeat(9)}\r\n`), 431],
  ["too long", chunked(`0\r\nA: ${"x".repeat(200)}\r\n\r\n`), 431],
  ...["A : b", " A: b", ": b", "A", "A: b\0", "A: b\rc", "A: \x01", "A@: b", "A: b\nC: d", "A: b\r\n c"].map(
    (line): BodyCase => [`trailer ${JSON.stringify(line)}`, chunked(`0\r\n${line}\r\n\r\n`), 400],
  ),
];

export const BODY_CASES: readonly BodyCase[] = [...LENGTHS, ...CODINGS, ...CHUNKS, ...TRAILERS];
