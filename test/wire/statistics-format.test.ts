/** Which format an Accept value gets: the table of push-stream spec 5.2, and what its rules come to. */
import { expect, test } from "bun:test";
import { negotiate } from "../../src/wire/statistics-format.ts";
import { singleOf } from "./statistics-samples.ts";

test.each([
  ["text/plain", "text/plain", "channel: A\r\n"],
  ["application/json", "application/json", '{"channel": "A"'],
  ["application/yaml", "application/yaml", "  channel: A\r\n"],
  ["application/xml", "application/xml", "<?xml"],
  ["text/x-json", "text/x-json", '{"channel": "A"'],
  ["text/x-yaml", "text/x-yaml", "  channel: A\r\n"],
])("the row of %s", (accept, contentType, start) => {
  const format = negotiate(accept);
  expect(format.contentType).toBe(contentType);
  expect(singleOf(format, "A")).toStartWith(start);
});

test.each([
  [null, "application/json"],
  ["", "application/json"],
  ["/", "application/json"],
  ["xml", "application/json"],
  ["*/*", "application/json"],
  ["text/html", "application/json"],
  ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/xml"],
  // The type before the slash, what follows the subtype, and q-values do not count.
  ["text/xml", "application/xml"],
  ["image/yaml", "application/yaml"],
  ["application/x-yaml", "text/x-yaml"],
  ["anything/json-like;q=0", "application/json"],
  ["text/plainer", "text/plain"],
  ["a/xml;q=0.1, a/plain;q=1", "application/xml"],
  // The first slash with a known subtype decides, not the order of the table.
  ["text/html, text/x-json, application/json", "text/x-json"],
  ["text/x-yaml, text/plain", "text/x-yaml"],
  ["a/b/plain", "text/plain"],
  ["//yaml", "application/yaml"],
  // Bytes, not words: case counts, blanks too.
  ["text/X-JSON", "application/json"],
  ["text/Plain, text/yaml", "application/yaml"],
  ["text/ plain", "application/json"],
  ["/".repeat(1000), "application/json"],
])("%j: %s", (accept, contentType) => {
  expect(negotiate(accept).contentType).toBe(contentType);
});
