/** URLs and channel arguments. */
import { describe, expect, test } from "bun:test";
import {
  channelsPath,
  parseBaseUrl,
  parseChannels,
  publishUrl,
  shownUrl,
} from "../../../src/cli/client/endpoint.ts";

describe("channels", () => {
  const path = (args: string[], last = 0, withBacktrack = true) =>
    channelsPath(parseChannels(args, last), withBacktrack);

  test("in the order given, split at slashes, each once", () => {
    expect(path(["a", "b/c", "a"])).toBe("a/b/c");
  });

  test("--last is for channels without a .bN of their own", () => {
    expect(path(["a.b5", "b"], 2)).toBe("a.b5/b.b2");
    expect(path(["room.b18.beautiful.b3"])).toBe("room.b18.beautiful.b3");
    expect(path(["a.b5", "b"], 2, false)).toBe("a/b");
  });

  test("names are percent-encoded, slashes excepted", () => {
    expect(path(["é ?#&%"])).toBe("%C3%A9%20%3F%23%26%25");
    expect(publishUrl("http://h", "a b/c&d")).toBe("http://h/pub?id=a%20b/c%26d");
  });

  test("no name at all is a fault of usage", () => {
    for (const args of [[""], ["/"], ["//", ""]])
      expect(() => parseChannels(args, 0)).toThrow("cannot be empty");
  });
});

describe("--url", () => {
  test.each([
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080"],
    ["http://[::1]:8080/", "http://[::1]:8080"],
    ["https://example.org/push/", "https://example.org/push"],
  ])("%s", (text, base) => expect(parseBaseUrl(text)).toBe(base));

  test.each([
    "",
    "localhost",
    "127.0.0.1:8080",
    "ws://x",
    "ftp://x",
    "http://",
    "http://x/?a=1",
    "http://x/#a",
  ])("refuses %p", (text) => expect(() => parseBaseUrl(text)).toThrow("--url wants"));

  test("a password is never shown", () => {
    expect(shownUrl(parseBaseUrl("http://me:secret@host:1/x"))).toBe("http://host:1/x");
  });
});
