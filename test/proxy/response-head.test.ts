/**
 * Heads of backends' answers as bytes (RFC 9112): what is understood, and what is no answer. A wrong guess
 * here is an answer for the next client.
 */
import { describe, expect, test } from "bun:test";
import { MOST_HEAD_BYTES, parseResponseHead } from "../../src/proxy/response-head.ts";

const read = (text: string) => parseResponseHead(Buffer.from(text, "latin1"));
const OK = "HTTP/1.1 200 OK\r\n";

describe("what is understood", () => {
  test.each([
    ["HTTP/1.1 200 OK\r\n\r\n", { status: 200, reason: "OK", minor: 1, isKept: true, contentLength: -1 }],
    ["HTTP/1.0 200 OK\r\n\r\n", { minor: 0, isKept: false }],
    ["HTTP/1.1 404\r\n\r\n", { status: 404, reason: "" }],
    ["HTTP/1.1 299 a b\xe9\r\n\r\n", { reason: "a b\xe9" }],
    ["HTTP/1.1 200 OK\n\n", { status: 200 }],
    [`${OK}Content-Length: 12\r\n\r\n`, { contentLength: 12 }],
    [`${OK}transfer-encoding: Chunked\r\n\r\n`, { isChunked: true, contentLength: -1 }],
    [`${OK}Connection: close\r\n\r\n`, { isKept: false }],
    [`${OK}Connection: x-a , Close\r\n\r\n`, { isKept: false, hops: new Set(["x-a", "close"]) }],
    ["HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", { isKept: true }],
  ])("%j", (text, wanted) => {
    expect(read(text)).toMatchObject(wanted);
  });

  test("fields stay as they were sent, and the body begins behind them", () => {
    const text = `${OK}Set-Cookie: a=1\r\nX-a:  b \t\r\nSET-COOKIE: b=2\r\n\r\nbody`;
    expect(read(text)).toMatchObject({
      fields: [
        ["Set-Cookie", "a=1", "set-cookie"],
        ["X-a", "b", "x-a"],
        ["SET-COOKIE", "b=2", "set-cookie"],
      ],
      end: text.length - 4,
    });
  });

  test("in whatever pieces it comes", () => {
    const text = `${OK}Content-Length: 2\r\nX: y\r\n\r\n`;
    for (let length = 0; length < text.length; length++) expect(read(text.slice(0, length))).toBeNull();
    expect(read(text)).toMatchObject({ contentLength: 2 });
  });
});

describe("what is none", () => {
  test.each([
    "hello\r\n\r\n",
    "HTTP/2 200 OK\r\n\r\n",
    "HTTP/1.1 099 low\r\n\r\n",
    "HTTP/1.1 600 high\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1 200 O\x01K\r\n\r\n",
    // Two readers could see two bodies (RFC 9112 6.3).
    `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
    `${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`,
    `${OK}Content-Length: 1, 1\r\n\r\n`,
    `${OK}Content-Length: -1\r\n\r\n`,
    `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`,
    `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
    // Nothing may hide in a line.
    `${OK}X: a\rb\r\n\r\n`,
    `${OK}X: a\x00b\r\n\r\n`,
    `${OK}X: a\r\n folded\r\n\r\n`,
    `${OK}X : a\r\n\r\n`,
    `${OK}: a\r\n\r\n`,
    `${OK}no colon\r\n\r\n`,
  ])("%j", (text) => {
    expect(read(text)).toBe("bad");
  });

  test("one that does not end, and one with fields without end", () => {
    expect(read("H".repeat(MOST_HEAD_BYTES))).toBe("bad");
    expect(read(`${OK}X: ${"y".repeat(MOST_HEAD_BYTES)}`)).toBe("bad");
    expect(read(`${OK}${"X: y\r\n".repeat(501)}\r\n`)).toBe("bad");
  });
});
