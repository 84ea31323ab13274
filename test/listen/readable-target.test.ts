/** What is quick for most targets gives what is slow for all of them. */
import { expect, test } from "bun:test";
import { parseHead } from "../../src/listen/http1/parse-head.ts";
import { DEFAULT_BOUNDS, RequestHead } from "../../src/listen/http1/request-head.ts";
import { isRefusedPath } from "../../src/listen/raw-path.ts";
import { readableTarget } from "../../src/listen/wire/readable-target.ts";
import { seededRandom } from "../random.ts";

function read(target: string): string | null | "refused" {
  const bytes = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, "latin1");
  const head = new RequestHead();
  return parseHead(bytes, 0, bytes.length, head, DEFAULT_BOUNDS) < 0
    ? "refused"
    : readableTarget(head, bytes);
}

/** raw-path.ts for the path, and for all of it what a URL may have. */
function expected(target: string): string | null {
  const path = target.split("?", 1)[0] ?? "";
  if (!path.startsWith("/") || isRefusedPath(path)) return null;
  return target.replace(
    /[^\x21-\x7e]|#/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

test.each([
  ["/pub?id=a", "/pub?id=a"],
  ["/pub?id=a/../b//", "/pub?id=a/../b//"],
  ["/sub/a_b-c/d", "/sub/a_b-c/d"],
  ["/sub/a.b20", "/sub/a.b20"],
  ["/", "/"],
  ["/?", "/?"],
  ["/a//b", "/a//b"],
  ["/a/../../b", null],
  ["/a\\b", null],
  ["/a#b", null],
  ["/a?b#c", "/a?b%23c"],
  ["/a\xe9?\xe9", "/a%e9?%e9"],
  ["http://b", "/"],
  ["http://b?c", "/?c"],
  ["http://b/c/../../d", null],
] as const)("%s is %s", (target, readable) => {
  expect(read(target)).toBe(readable);
  // From what it was the last time.
  expect(read(target)).toBe(readable);
});

test("targets of any signs: as raw-path.ts says, each time", () => {
  const random = seededRandom("targets");
  const signs = ["/", "/", "a", "Z", "0", "-", "_", ".", "%2e", "%2F", "?", "#", "\\", "~", "&", "=", "\x80"];
  let before = "/";
  for (let i = 0; i < 4000; i++) {
    const target = `/${random.text(signs, 8)}`;
    expect([target, read(target)]).toEqual([target, expected(target)]);
    if (i % 4 === 0) expect([before, read(before)]).toEqual([before, expected(before)]);
    before = target;
  }
});
