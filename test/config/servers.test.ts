/** Several servers: which one a request is for, and what they must fulfil together. */
import { describe, expect, test } from "bun:test";
import { buildConfig } from "../../src/config/build.ts";
import { formatFault } from "../../src/config/fault.ts";
import { compileServerNames } from "../../src/config/server-names.ts";
import { readToml } from "../../src/config/toml.ts";

const server = (lines: string, match = "/"): string =>
  `[[server]]\n${lines}\n[[server.location]]\nmatch = "${match}"\npage = true\n`;

function faultsOf(text: string): readonly string[] {
  const outcome = readToml(text, "t.toml");
  return outcome.ok ? [] : outcome.faults.map(formatFault);
}

function load(text: string) {
  const outcome = readToml(text, "t.toml");
  if (!outcome.ok) throw new Error(outcome.faults.map(formatFault).join("\n"));
  return buildConfig(outcome.values);
}

describe("which server", () => {
  const names = [
    '["example.org", "www.example.org"]',
    '["*.example.org"]',
    '["*.deep.example.org", ".both.net"]',
    '["example.*"]',
    '["~^(www\\\\.)?re[0-9]+\\\\.org$"]',
    '["default.org"]',
  ];
  const text = names
    .map((name, i) =>
      server(`listen = "0.0.0.0:80${i === 5 ? " default_server" : ""}"\nserver_name = ${name}`),
    )
    .join("");
  const choose = compileServerNames(load(text));
  test.each([
    ["example.org", 0],
    ["EXAMPLE.org:80", 0],
    ["www.example.org.", 0],
    ["a.example.org", 1],
    ["a.deep.example.org", 2],
    ["deep.example.org", 1],
    ["both.net", 2],
    ["x.both.net", 2],
    ["example.com", 3],
    ["re12.org", 4],
    ["www.re12.org", 4],
    ["nobody.net", 5],
    ["", 5],
    ["[::1]:80", 5],
  ])("%s is for server %d", (host, index) => {
    expect(choose("0.0.0.0:80", host)).toBe(index);
  });

  test("addresses have servers of their own", () => {
    const two = load(server('listen = "127.0.0.1:1"') + server('listen = ["127.0.0.1:2", "127.0.0.1:1"]'));
    const chooseTwo = compileServerNames(two);
    expect([chooseTwo("127.0.0.1:1", "x"), chooseTwo("127.0.0.1:2", "x")]).toEqual([0, 1]);
    expect(two.listen).toEqual(["127.0.0.1:1", "127.0.0.1:2"]);
  });
});

describe("the unnamed server of the top of the file", () => {
  const indexes = (text: string) => load(text).servers.map(({ listen }) => listen);
  test("is there without others", () => {
    expect(indexes("")).toEqual([["127.0.0.1:8080"]]);
  });
  test("is not there with others and nothing of its own", () => {
    expect(indexes(server('listen = "127.0.0.1:1"'))).toEqual([["127.0.0.1:1"]]);
  });
  test("is there with locations of its own", () => {
    const top = '[[location]]\nmatch = "/"\npage = true\n';
    expect(indexes(top + server('listen = "127.0.0.1:1"'))).toEqual([["127.0.0.1:8080"], ["127.0.0.1:1"]]);
  });
});

describe("faults", () => {
  test.each([
    ["no listen", server(""), "t.toml:1: server[0].listen: listen must be set."],
    [
      "TLS without certificate",
      server('listen = "0.0.0.0:443 ssl"'),
      't.toml:2: server[0].listen[0] = "0.0.0.0:443 ssl": no tls_certificate and tls_certificate_key for an address with ssl.',
    ],
    [
      "two default servers",
      server('listen = "0.0.0.0:80 default_server"') + server('listen = "0.0.0.0:80 default_server"'),
      't.toml:7: server[1].listen[0] = "0.0.0.0:80 default_server": a duplicate default server for 0.0.0.0:80, the first is server[0].',
    ],
    [
      "a bad name",
      server('listen = "0.0.0.0:80"\nserver_name = ["~("]'),
      't.toml:3: server[0].server_name[0] = "~(": bad regular expression: missing ).',
    ],
    [
      "a location's fault",
      `${server('listen = "0.0.0.0:80"')}[[server.location]]\nmatch = "x"\npage = true`,
      't.toml:7: server[0].location[1].match = "x": match can never match: a path starts with "/".',
    ],
    [
      "a step's fault",
      `${server('listen = "0.0.0.0:80"')}[[server.location.step]]\nif = "x"`,
      't.toml:7: server[0].location[0].step[0].if = "x": a condition is "$name", or "$name = word", with =, !=, ~, ~*, !~ or !~*.',
    ],
    [
      "servers in one table",
      "server = 1",
      "t.toml:1: server: servers are a list of tables, write [[server]].",
    ],
    [
      "an access rule",
      '[[location]]\nmatch = "/"\npage = true\naccess = ["allow 10.0.0.0/33"]',
      't.toml:4: location[0].access[0] = "allow 10.0.0.0/33": invalid parameter "10.0.0.0/33".',
    ],
    // Read by the check and refused by the workers it would stop each of them.
    [
      "an access rule",
      '[[location]]\nmatch = "/"\npage = true\naccess = ["allow ::ffff:10.0.0.1/64"]',
      't.toml:4: location[0].access[0] = "allow ::ffff:10.0.0.1/64": invalid parameter "::ffff:10.0.0.1/64".',
    ],
    [
      "a header",
      '[[location]]\nmatch = "/"\npage = true\nadd_header = ["X:Y z"]',
      't.toml:4: location[0].add_header[0] = "X:Y z": a header needs a name.',
    ],
  ])("%s", (_name, text, fault) => {
    expect(faultsOf(text)).toEqual([fault]);
  });
});
