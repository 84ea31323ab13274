/** The CORS headers: push-stream spec 4.11. */
import { expect, test } from "bun:test";
import { corsFields } from "../../src/cors.ts";

test("the three of them, the value verbatim", () => {
  expect(corsFields("*.example.com, http://a b", "GET, POST, PUT")).toEqual({
    "Access-Control-Allow-Origin": "*.example.com, http://a b",
    "Access-Control-Allow-Methods": "GET, POST, PUT",
    "Access-Control-Allow-Headers": "If-Modified-Since,If-None-Match,Etag,Event-Id,Event-Type,Last-Event-Id",
  });
});

test.each(["", "a\r\nX: y", "a\nb", "a\rb", "a\tb", "a\0b", "a\x7fb", "a\u0100b"])("%j: none", (origin) => {
  expect(corsFields(origin, "GET")).toEqual({});
});
