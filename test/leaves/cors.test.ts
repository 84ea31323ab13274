/** The CORS headers: push-stream spec 4.11. */
import { expect, test } from "bun:test";
import { corsFields } from "../../src/http/cors.ts";

test("the module's three of them, the value verbatim", () => {
  expect(corsFields("*.example.com, http://a b", "GET, POST, PUT", true)).toEqual({
    "Access-Control-Allow-Origin": "*.example.com, http://a b",
    "Access-Control-Allow-Methods": "GET, POST, PUT",
    "Access-Control-Allow-Headers": "If-Modified-Since,If-None-Match,Etag,Event-Id,Event-Type,Last-Event-Id",
  });
});

test.each(["", "a\r\nX: y", "a\nb", "a\rb", "a\tb", "a\0b", "a\x7fb", "a\u0100b"])("%j: none", (origin) => {
  expect(corsFields(origin, "GET", false)).toEqual({});
});

test("what a page needs to send a token, JSON or a position, and to read where it is", () => {
  const fields = corsFields("https://a.example", "GET", false);
  const listed = (name: string) => (fields[name] ?? "").toLowerCase().split(",");
  const sent = [
    "authorization",
    "content-type",
    "last-event-id",
    "if-none-match",
    "if-modified-since",
    "event-id",
  ];
  expect(listed("Access-Control-Allow-Headers")).toEqual(expect.arrayContaining(sent));
  const read = ["etag", "last-modified", "sluice-gap", "retry-after", "x-nginx-pushstream-explain"];
  expect(listed("Access-Control-Expose-Headers")).toEqual(expect.arrayContaining(read));
});
