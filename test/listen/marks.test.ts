/** What a connection knows of itself (listen/wire/marks.ts). */
import { expect, test } from "bun:test";
import * as marks from "../../src/listen/wire/marks.ts";

// Two that were one bit: whoever had asked for something was taken for one whose bytes wait in a volley, so
// each of them was sent to by a system call of its own, and once sent to it counted as new again.
test("each mark is a bit of its own", () => {
  const all = Object.values(marks);
  expect(all.reduce((sum, mark) => sum + mark, 0)).toBe(all.reduce((sum, mark) => sum | mark, 0));
});
