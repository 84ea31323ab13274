/** When bodies are compressed: push-stream spec 4.15, RFC 9110 12.5.3. */
import { expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { acceptsGzip, gzipped, isGzipType } from "../../src/http/content-coding.ts";

test.each([
  [null, false],
  ["", false],
  ["gzip", true],
  ["GZip", true],
  ["deflate, gzip;q=0.5", true],
  ["gzip , br", true],
  ["br;q=1.0,gzip ; q=0.001", true],
  ["gzip;q=0", false],
  ["gzip; Q = 0.000", false],
  ["gzip;q=0, *", false],
  ["*", false],
  ["identity", false],
  ["xgzip", false],
  ["gzipx", false],
  [`${"a,".repeat(600)}gzip`, false],
])("Accept-Encoding: %s", (field, accepted) => {
  expect(acceptsGzip(field)).toBe(accepted);
});

test.each([
  [[], "text/html", true],
  [[], "text/html; charset=utf-8", true],
  [[], "TEXT/HTML", true],
  [[], "text/plain", false],
  [["text/plain"], "text/plain", true],
  [["Text/Plain"], "text/plain;charset=utf-8", true],
  [["text/event-stream"], "text/event-stream; charset=utf-8", true],
  [["*"], "custom content type", true],
  [["custom content type"], "custom content type", true],
  [["text/plain"], "text/plainer", false],
] as const)("gzip_types %p, %s", (types, type, listed) => {
  expect(isGzipType(types, type)).toBe(listed);
});

test.each([1, 6, 9])("level %p: one gzip member", (level) => {
  const body = new Uint8Array(5000).fill(0x61);
  const packed = gzipped(body, level);
  expect(packed.length).toBeLessThan(100);
  expect(new Uint8Array(gunzipSync(packed))).toEqual(body);
});
