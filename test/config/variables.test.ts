/** Variables of complex values and the single percent-decode, as tables. */
import { describe, expect, test } from "bun:test";
import {
  compileDecodedValue,
  compileValue,
  decodeOnce,
  queryArgument,
  type RequestFacts,
  valueFault,
} from "../../src/config/location/variables.ts";

const GROUPS = { count: 12, names: new Map([["room", 2]]) };

function facts(change: Partial<RequestFacts> = {}): RequestFacts {
  const headers: Readonly<Record<string, string>> = {
    host: "Example.COM.:8080",
    "x-team-name": "blue%20ish",
    cookie: 'a=1; SID = s%31; b="q"; sid=2',
  };
  return {
    rawUrlPath: "/ev//x%2541/../ch%251",
    path: "/ev/ch%1",
    rawQuery: "id=a%20b&tag=1",
    sentQuery: "id=a%20b&tag=1",
    captures: ["/ev/ch%1", "ev", "ch%1", "", "", "", "", "", "", "", "ten", "eleven", "twelve"],
    pathCaptures: ["/ev/ch%1", "ev", "ch%1", "", "", "", "", "", "", "", "ten", "eleven", "twelve"],
    header: (name) => headers[name.toLowerCase()] ?? null,
    method: "GET",
    remoteAddress: "192.0.2.1",
    connectionAddress: "10.0.0.1",
    scheme: "http",
    variable: (name) => (name === "lobby" ? "lob%62y" : ""),
    ...change,
  };
}

const VALUES: readonly (readonly [text: string, raw: string, decodedOnce: string])[] = [
  ["", "", ""],
  ["plain", "plain", "plain"],
  ["a%20b", "a%20b", "a b"],
  ["é", "\xc3\xa9", "\xc3\xa9"],
  ["$arg_id", "a%20b", "a b"],
  ["$ARG_ID", "a%20b", "a b"],
  ["$arg_none", "", ""],
  ["$1", "ev", "ev"],
  // A capture is cut out of the decoded path: decoded again, "ch%1" would lose its tail.
  ["$2", "ch%1", "ch%1"],
  [`\${2}`, "ch%1", "ch%1"],
  ["$10", "ev0", "ev0"],
  [`\${10}`, "ten", "ten"],
  ["$room", "ch%1", "ch%1"],
  [`\${room}s`, "ch%1s", "ch%1s"],
  ["test_$arg_id", "test_a%20b", "test_a b"],
  ["$1/$arg_id/$arg_tag!", "ev/a%20b/1!", "ev/a b/1!"],
  ["$http_x_team_name", "blue%20ish", "blue ish"],
  ["$http_missing", "", ""],
  ["$cookie_sid", "s%31", "s1"],
  ["$cookie_a", "1", "1"],
  ["$cookie_zz", "", ""],
  ["$uri", "/ev/ch%1", "/ev/ch%1"],
  ["$request_uri", "/ev//x%2541/../ch%251?id=a%20b&tag=1", "/ev//x%41/../ch%1?id=a b&tag=1"],
  ["$args", "id=a%20b&tag=1", "id=a b&tag=1"],
  ["$is_args", "?", "?"],
  ["$host", "example.com", "example.com"],
  ["$remote_addr", "192.0.2.1", "192.0.2.1"],
  ["$realip_remote_addr", "10.0.0.1", "10.0.0.1"],
  ["$request_method", "GET", "GET"],
  [`\${arg_none|arg_id}`, "a%20b", "a b"],
  [`\${arg_id|arg_tag}`, "a%20b", "a b"],
  [`\${arg_none|http_missing}`, "", ""],
  [`\${arg_none|2}`, "ch%1", "ch%1"],
];

test.each(VALUES)("%s", (text, raw, decodedOnce) => {
  expect(compileValue(text, GROUPS)(facts())).toBe(raw);
  expect(compileDecodedValue(text, GROUPS)(facts())).toBe(decodedOnce);
});

test("without a query there is no question mark", () => {
  const bare = facts({ rawQuery: "", sentQuery: "", rawUrlPath: "/a" });
  expect(compileValue("$request_uri|$is_args|$args")(bare)).toBe("/a||");
});

test("$host of an IPv6 address keeps its brackets", () => {
  expect(compileValue("$host")(facts({ header: () => "[::1]:80" }))).toBe("[::1]");
  expect(compileValue("$host")(facts({ header: () => null }))).toBe("");
});

describe("query arguments", () => {
  test.each([
    ["id=1", "id", "1"],
    ["&id=1", "id", "1"],
    ["&&x=2&id=1&", "id", "1"],
    ["ID=1", "id", "1"],
    ["xid=0&id=1", "id", "1"],
    ["id&id=1", "id", "1"],
    ["idx=0", "id", ""],
    ["id", "id", ""],
    ["id=", "id", ""],
    ["id=&id=2", "id", ""],
    ["id=1&id=2", "id", "1"],
    ["a=id=5", "id", ""],
    ["id=a=b", "id", "a=b"],
    ["i%64=1", "id", ""],
    ["", "id", ""],
  ])("of %p the %s is %p", (query, name, value) => {
    expect(queryArgument(query, name)).toBe(value);
  });
});

describe("one percent-decode", () => {
  test.each([
    ["abc", "abc"],
    ["", ""],
    ["%41", "A"],
    ["%c3%A9", "\xc3\xa9"],
    ["%00%ff", "\x00\xff"],
    ["a+b", "a+b"],
    ["%zz", "zz"],
    ["a%gb", "agb"],
    ["%4zb", "b"],
    ["%%41", "%41"],
    ["%%%41", "%A"],
    ["%", ""],
    ["a%", "a"],
    ["a%4", "a"],
    ["%2541", "%41"],
    ["a%3Fb?c", "a?b?c"],
    ["\xe9%e9", "\xe9\xe9"],
    ["%4%41", "41"],
  ])("%p -> %p", (value, decoded) => {
    expect(decodeOnce(value)).toBe(decoded);
  });
});

describe("faults", () => {
  test.each([
    ["$nope", "unknown variable $nope."],
    ["$arg_", "unknown variable $arg_."],
    ["$3", "unknown variable $3, the location's match has 2 groups."],
    ["$0", "unknown variable $0, the location's match has 2 groups."],
    ["a$", '"$" must be followed by the name of a variable.'],
    ["$$1", '"$" must be followed by the name of a variable.'],
    [`\${`, '"$" must be followed by the name of a variable.'],
    [`\${}`, '"$" must be followed by the name of a variable.'],
    [`\${arg_a|}`, '"$" must be followed by the name of a variable.'],
    [`\${a b}`, "unknown variable $a b."],
  ])("%s", (text, sentence) => {
    expect(valueFault(text, { count: 2, names: new Map() })).toBe(sentence);
    expect(() => compileValue(text, { count: 2, names: new Map() })).toThrow(sentence);
  });

  test("captures without a regex", () => {
    expect(valueFault("$1")).toBe("unknown variable $1, the location's match has no groups.");
  });
});
