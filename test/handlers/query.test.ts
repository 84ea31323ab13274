/**
 * The query of handlers and guards: whatever is sent, `query.get("id")` is what `$arg_id` is to the location.
 */
import { expect, test } from "bun:test";
import { binaryBytes } from "../../src/config/binary-text.ts";
import { compileDecodedValue } from "../../src/config/location/variables.ts";
import { textOf } from "../../src/handlers/publishing.ts";
import { Query } from "../../src/handlers/query.ts";

const value = compileDecodedValue("$arg_id");

/** As a location has it. */
const argument = (rawQuery: string): string =>
  textOf(
    binaryBytes(
      value({
        rawQuery,
        rawUrlPath: "/",
        path: "/",
        sentQuery: rawQuery,
        captures: [],
        pathCaptures: [],
        header: () => null,
        method: "GET",
        remoteAddress: "192.0.2.1",
        connectionAddress: "192.0.2.1",
        scheme: "http",
        variable: () => "",
      }),
    ),
  );

test.each([
  ["id=a", "a"],
  ["ID=a&id=b", "a"],
  ["x&id=b&Id=c", "b"],
  ["id&id=b", "b"],
  ["%69d=a&id=b", "b"],
  ["i%64=a&ID=b", "b"],
  ["%49D=a&id=b", "b"],
  // The sign for Kelvin is a "k" in lower case; so much for names that are decoded.
  ["%E2%84%AA=a&id=b", "b"],
  ["id=&id=b", ""],
  ["id=a+b", "a+b"],
  ["id=a%2Bb%20c", "a+b c"],
  ["id=a%2526b", "a%26b"],
  ["id=%zz%4", "zz"],
  ["id=a=b", "a=b"],
  ["id=a;id=b", "a;id=b"],
  ["id=%C3%A9", "é"],
  [" id=a&id=b", "b"],
  ["&&id=a", "a"],
  ["idx=a", ""],
  ["", ""],
])("%s: %j", (rawQuery, expected) => {
  expect(argument(rawQuery)).toBe(expected);
  expect(new Query(rawQuery).get("id") ?? "").toBe(expected);
  expect(new Query(rawQuery).get("ID") ?? "").toBe(expected);
});

test("the rest is a URLSearchParams", () => {
  const query = new Query("b=1&A=2&a=3&bare&user%20name=x&tags%5B%5D=y");
  expect(query.getAll("a")).toEqual(["2", "3"]);
  expect([query.has("bare"), query.has("A", "3"), query.has("none")]).toEqual([true, true, false]);
  expect([query.get("bare"), query.get("user name"), query.get("tags[]"), query.get("none")]).toEqual([
    "",
    "x",
    "y",
    null,
  ]);
  expect([...query.keys()]).toEqual(["b", "a", "a", "user name", "tags[]", "bare"]);
  expect(new Query("%E2%84%AA=a&k=b").get("k")).toBe("b");
});
