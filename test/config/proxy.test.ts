/**
 * `proxy` and `[[upstream]]` in TOML: what is refused, and in which words; what servers of an upstream may
 * say.
 */
import { describe, expect, test } from "bun:test";
import { formatFault } from "../../src/config/fault.ts";
import { readServer } from "../../src/config/server/proxy-config.ts";
import { parseProxyTarget } from "../../src/config/server/proxy-target.ts";
import { readToml } from "../../src/config/toml.ts";

const faultsOf = (text: string): readonly string[] => {
  const outcome = readToml(text, "t.toml");
  return outcome.ok ? [] : outcome.faults.map(formatFault);
};
const location = (lines: string): string => `[[location]]\nmatch = "~ ^/x/(.*)$"\n${lines}\n`;
const PROXY = 'proxy = "http://127.0.0.1:3000"\n';

test.each([
  ["", PROXY, null],
  ["", 'proxy = "http://unix:/run/app.sock"', null],
  ["", 'proxy = "http://$http_x_back/a/$1"', null],
  ["", 'proxy = "https://app"\nproxy_set_header = ["Host $proxy_host"]', null],
  ["", `${PROXY}proxy_redirect = ["~^http://(\\\\w+)/$ http://$1.test/"]`, null],
  [".proxy", 'proxy = "127.0.0.1:3000"', "it must be http:// or https:// and a host"],
  [".proxy", 'proxy = "http://a b/"', "it must be http:// or https:// and a host"],
  [".proxy", 'proxy = "http://a:0"', "it must be http:// or https:// and a host"],
  [".proxy", 'proxy = "http://a/path"', "cannot have a path where the location is a regular expression"],
  [".proxy", 'proxy = "http://$nope"', "unknown variable $nope."],
  [".proxy_set_header[0]", `${PROXY}proxy_set_header = ["X a\\nb"]`, "line breaks"],
  [".proxy_set_header[0]", `${PROXY}proxy_set_header = ["Content-Length 5"]`, "follows from the body"],
  [".proxy_set_header[0]", `${PROXY}proxy_set_header = ["X $nope"]`, "unknown variable $nope."],
  [".proxy_redirect[0]", `${PROXY}proxy_redirect = ["~( x"]`, "regular expression"],
  [".proxy_redirect[0]", `${PROXY}proxy_redirect = ["a"]`, '"default", "off", "from to"'],
  [".proxy_next_upstream[0]", `${PROXY}proxy_next_upstream = ["often"]`, 'invalid value "often"'],
  [".proxy_http_version", `${PROXY}proxy_http_version = "2"`, "1.0, 1.1"],
  [".proxy_hide_header", 'empty = true\nproxy_hide_header = ["X"]', "is for a location with proxy."],
  ["", `${PROXY}root = "/a"`, "two roles"],
])("%s %s", (where, lines, sentence) => {
  const faults = faultsOf(location(lines));
  expect(faults.length).toBe(sentence === null ? 0 : 1);
  if (sentence === null) return;
  expect(faults[0]).toContain(`location[0]${where}`);
  expect(faults[0]).toContain(sentence);
});

describe("[[upstream]]", () => {
  const upstream = (server: string, name = "a"): string =>
    `[[upstream]]\nname = "${name}"\nserver = ["${server}"]\n`;

  test.each([
    [upstream("127.0.0.1:1 weight=2 max_fails=0 fail_timeout=1m"), null],
    [upstream("127.0.0.1"), null],
    [upstream("[::1]:80 down"), null],
    [upstream("unix:/run/a.sock"), null],
    [upstream("127.0.0.1:1 weight=0"), 'invalid value in "weight=0"'],
    [upstream("127.0.0.1:99999"), "is no address"],
    [upstream("127.0.0.1:1 slow"), 'invalid parameter "slow"'],
    [upstream("127.0.0.1:1 backup"), "it needs a server that is no backup."],
    [upstream("127.0.0.1:1", "a/b"), "a name is letters"],
    [upstream("127.0.0.1:1") + upstream("127.0.0.1:2", "A"), "duplicate upstream."],
    ['[[upstream]]\nserver = ["127.0.0.1:1"]\n', "name must be set."],
  ])("%j", (text, sentence) => {
    const faults = faultsOf(text);
    expect(faults.length).toBe(sentence === null ? 0 : 1);
    if (sentence !== null) expect(faults[0]).toContain(sentence);
  });

  test("nginx's defaults", () => {
    expect(readServer("a.test")).toMatchObject({
      address: { host: "a.test", port: 80 },
      weight: 1,
      maxFails: 1,
      failMs: 10_000,
    });
    expect(parseProxyTarget("https://a.test/b?c")).toMatchObject({
      isTls: true,
      authority: "a.test",
      address: { port: 443 },
      uri: "/b?c",
    });
  });
});
