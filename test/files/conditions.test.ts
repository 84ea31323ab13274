/** Conditional requests and ranges, by RFC 9110 13 and 14. */
import { expect, test } from "bun:test";
import { askedRange, fileEtag, preconditionStatus } from "../../src/files/conditions.ts";

const MTIME = 1_715_289_393; // Thu, 09 May 2024 21:16:33 GMT
const AT = "Thu, 09 May 2024 21:16:33 GMT";
const BEFORE = "Thu, 09 May 2024 21:16:32 GMT";
const AFTER = "Thu, 09 May 2024 21:16:34 GMT";
const etag = fileEtag(MTIME, 100);
const file = { etag, mtimeSec: MTIME };
const reader =
  (fields: Readonly<Record<string, string>>) =>
  (name: string): string | null =>
    fields[name] ?? null;

test("the ETag is nginx's", () => {
  expect(etag).toBe('"663d3d31-64"');
});

const PRECONDITIONS: readonly (readonly [Readonly<Record<string, string>>, 304 | 412 | null])[] = [
  [{}, null],
  [{ "if-none-match": etag }, 304],
  [{ "if-none-match": `W/${etag}` }, 304],
  [{ "if-none-match": `"x", ${etag} , "y"` }, 304],
  [{ "if-none-match": "*" }, 304],
  [{ "if-none-match": '"x"' }, null],
  [{ "if-none-match": "" }, null],
  [{ "if-modified-since": AT }, 304],
  [{ "if-modified-since": AFTER }, 304],
  [{ "if-modified-since": BEFORE }, null],
  [{ "if-modified-since": "nonsense" }, null],
  // The tag decides when both are there.
  [{ "if-none-match": '"x"', "if-modified-since": AT }, null],
  [{ "if-none-match": etag, "if-modified-since": BEFORE }, 304],
  [{ "if-match": etag }, null],
  [{ "if-match": "*" }, null],
  [{ "if-match": '"x"' }, 412],
  [{ "if-match": `W/${etag}` }, 412],
  [{ "if-unmodified-since": AT }, null],
  [{ "if-unmodified-since": BEFORE }, 412],
  [{ "if-match": etag, "if-unmodified-since": BEFORE }, null],
  [{ "if-match": etag, "if-none-match": etag }, 304],
];
test.each(PRECONDITIONS)("%j: %p", (fields, expected) => {
  expect(preconditionStatus(reader(fields), file)).toBe(expected);
});

test.each([
  ["bytes=0-0", { first: 0, last: 0 }],
  ["bytes=0-99", { first: 0, last: 99 }],
  ["bytes=10-", { first: 10, last: 99 }],
  ["bytes=99-", { first: 99, last: 99 }],
  ["bytes=90-1000", { first: 90, last: 99 }],
  ["bytes=-1", { first: 99, last: 99 }],
  ["bytes=-100", { first: 0, last: 99 }],
  ["bytes=-500", { first: 0, last: 99 }],
  ["Bytes= 1-2 ", { first: 1, last: 2 }],
  ["bytes=100-", "unsatisfiable"],
  ["bytes=100-200", "unsatisfiable"],
  ["bytes=-0", "unsatisfiable"],
  // Not a range, or more than one: as if there were none.
  ["bytes=5-4", "whole"],
  ["bytes=-", "whole"],
  ["bytes=a-b", "whole"],
  ["bytes=1-2,4-5", "whole"],
  ["bytes=1", "whole"],
  ["bytes", "whole"],
  ["items=1-2", "whole"],
  ["bytes=--5", "whole"],
  ["bytes=9999999999999999-", "whole"],
  ["", "whole"],
] as const)("Range: %s", (range, expected) => {
  expect(askedRange(reader({ range }), file, 100)).toEqual(expected);
});

test("of an empty file there is no part", () => {
  expect(askedRange(reader({ range: "bytes=0-" }), file, 0)).toBe("unsatisfiable");
  expect(askedRange(reader({ range: "bytes=-5" }), file, 0)).toBe("unsatisfiable");
});

test.each([
  [etag, true],
  [AT, true],
  [`W/${etag}`, false],
  ['"x"', false],
  [AFTER, false],
  ["nonsense", false],
])("If-Range: %s", (condition, isPart) => {
  const asked = askedRange(reader({ range: "bytes=1-2", "if-range": condition }), file, 100);
  expect(asked).toEqual(isPart ? { first: 1, last: 2 } : "whole");
});
