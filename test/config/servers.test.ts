/** Several servers: which one a request is for, and what they must fulfil together. */
import { describe, expect, test } from "bun:test";
import { buildConfig } from "../../src/config/build.ts";
import { formatFault } from "../../src/config/fault.ts";
import { compileServerNames } from "../../src/config/server/server-names.ts";
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
      't.toml:2: server[0].listen[0] = "0.0.0.0:443 ssl": ' +
        "no tls_certificate and tls_certificate_key for an address with ssl.",
    ],
    [
      "two default servers",
      server('listen = "0.0.0.0:80 default_server"') + server('listen = "0.0.0.0:80 default_server"'),
      't.toml:7: server[1].listen[0] = "0.0.0.0:80 default_server": ' +
        "a duplicate default server for 0.0.0.0:80, the first is server[0].",
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
      't.toml:7: server[0].location[0].step[0].if = "x": a condition is "$name", or "$name = word", ' +
        'with =, !=, ~, ~*, !~ or !~*, or "-f $name", with -f, -d, -e or -x.',
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

describe("trusted proxies", () => {
  const location = 'match = "/"\npage = true\n';
  const top = (lines: string): string => `${lines}\n[[location]]\n${location}`;
  const warningsOf = (text: string): readonly string[] => readToml(text, "t.toml").warnings.map(formatFault);

  test("are as at the top of the file, unless a server says otherwise", () => {
    const { servers } = load(
      `${top(
        'listen = "127.0.0.1:1"\ntrusted_proxies = ["10.0.0.0/8"]\nreal_ip_header = "X-Real-IP"\n' +
          "real_ip_recursive = false",
      )}
      ${server('listen = "127.0.0.1:2"')}
      ${server('listen = "127.0.0.1:3"\ntrusted_proxies = []')}
      ${server(
        'listen = "127.0.0.1:4"\ntrusted_proxies = "unix:"\nreal_ip_header = "Forwarded"\n' +
          "real_ip_recursive = true",
      )}`,
    );
    const above = { trusted: ["10.0.0.0/8"], header: "X-Real-IP", isRecursive: false };
    const own = { trusted: ["unix:"], header: "Forwarded", isRecursive: true };
    expect(servers.map(({ proxies }) => proxies)).toEqual([above, above, null, own]);
    expect(load(top("")).servers[0]?.proxies).toBeNull();
    const usual = { trusted: ["127.0.0.1"], header: "X-Forwarded-For", isRecursive: true };
    expect(load(top('trusted_proxies = "127.0.0.1"')).servers[0]?.proxies).toEqual(usual);
  });

  test.each([
    ['trusted_proxies = ["10.0.0.0/8", "all"]', "trusted_proxies[1]"],
    ['trusted_proxies = ["unix:/run/x.sock"]', 'all unix sockets are "unix:"'],
    ['trusted_proxies = ["example.org"]', "an address, a network"],
    ['trusted_proxies = ["10.0.0.0/33"]', "an address, a network"],
    ['trusted_proxies = [""]', "an address, a network"],
    ['real_ip_header = "proxy_protocol"', "the PROXY protocol cannot be read here"],
    ['real_ip_header = "X Forwarded"', "a header has a name"],
    ['real_ip_header = ""', "a header has a name"],
  ])("%s is a fault, of the top and of a server", (line, sentence) => {
    expect(faultsOf(top(line))).toEqual([expect.stringContaining(sentence)]);
    const below = `${top('listen = "127.0.0.1:1"')}${server(`listen = "127.0.0.1:2"\n${line}`)}`;
    const [key = ""] = line.split(" ");
    expect(faultsOf(below)).toEqual([expect.stringContaining(sentence)]);
    expect(faultsOf(below)[0]).toContain(`server[0].${key}`);
  });

  test("what lets everyone say who he is, or says nothing, is told", () => {
    expect(warningsOf(top('trusted_proxies = ["0.0.0.0/0", "unix:"]'))).toEqual([
      't.toml:1: trusted_proxies[0] = "0.0.0.0/0": whoever connects may say who he is.',
      't.toml:1: trusted_proxies[1] = "unix:": no address here is a unix socket.',
    ]);
    expect(warningsOf(top('trusted_proxies = ["::/0", "10.0.0.0/8"]')).length).toBe(1);
  });
});

test("an address on a unix socket is served by one worker, which is told where there are more", () => {
  const text = (workers: string): string =>
    `workers = ${workers}\nlisten = ["127.0.0.1:1", "unix:/tmp/x.sock mode=660"]\n[[location]]\n` +
    `match = "/"\npage = true\n`;
  const warnings = (workers: string) => readToml(text(workers), "t.toml").warnings.map(formatFault);
  expect(warnings("2")).toEqual([
    't.toml:2: listen[1] = "unix:/tmp/x.sock mode=660": one worker serves it, however many there are: ' +
      "workers cannot share a unix socket.",
  ]);
  expect(warnings("1")).toEqual([]);
});

test("a fault of the first [[server]] is told of it, also where the top of the file is a server, too", () => {
  const text =
    `listen = "127.0.0.1:1"\n[[location]]\nmatch = "/"\npage = true\n` +
    `${server('listen = "127.0.0.1:2 ssl"')}`;
  expect(faultsOf(text)).toEqual([expect.stringContaining("t.toml:6: server[0].listen[0]")]);
});
