/** Which format an Accept value gets (push-stream spec 5.2), as far as formats exist. */
import { describe, expect, test } from "bun:test";
import { negotiate } from "../../src/wire/statistics-format.ts";

describe("negotiate", () => {
  const rows = [
    [null, "application/json"],
    ["", "application/json"],
    ["*/*", "application/json"],
    ["text/html", "application/json"],
    ["application/json", "application/json"],
    ["anything/json-like;q=0", "application/json"],
    ["text/x-json", "text/x-json"],
    ["text/html, text/x-json, application/json", "text/x-json"],
    ["text/X-JSON", "application/json"],
    ["/".repeat(1000), "application/json"],
  ] as const;
  for (const [accept, contentType] of rows) {
    test(JSON.stringify(accept)?.slice(0, 50), () => expect(negotiate(accept).contentType).toBe(contentType));
  }
});
