/** When colours appear, and what may reach a terminal. */
import { expect, test } from "bun:test";
import { makeStyle, plural, printable, wantsColour } from "../../src/cli/style.ts";

test("colours only on a terminal, and not against NO_COLOR or TERM=dumb", () => {
  expect(wantsColour(true, {})).toBe(true);
  expect(wantsColour(true, { NO_COLOR: "" })).toBe(true);
  expect(wantsColour(true, { NO_COLOR: "1" })).toBe(false);
  expect(wantsColour(true, { TERM: "dumb" })).toBe(false);
  expect(wantsColour(false, { FORCE_COLOR: "1" })).toBe(false);
});

test("a disabled style changes nothing", () => {
  expect(makeStyle(false).red("x")).toBe("x");
  expect(makeStyle(true).red("x")).toBe("\u001b[31mx\u001b[39m");
});

test("control characters and overrides are shown, not sent", () => {
  expect(printable("a\u001b]0;title\u0007\u009b\u202eb\r")).toBe("a\\x1b]0;title\\x07\\x9b\\u202eb\\x0d");
  expect(printable("a\n\tb")).toBe("a\\x0a\\x09b");
  expect(printable("a\n\tb\u001b", true)).toBe("a\n\tb\\x1b");
  expect(printable("é 😀 漢")).toBe("é 😀 漢");
});

test("plural", () => {
  expect([0, 1, 2].map((count) => plural(count, "message"))).toEqual([
    "0 messages",
    "1 message",
    "2 messages",
  ]);
});
