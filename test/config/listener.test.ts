/**
 * Which listener serves which address and why, as `sluice check` says it; what cannot be had together is a
 * fault.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatFault } from "../../src/config/fault.ts";
import { loadConfig } from "../../src/config/load.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-listener-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Doors {
  readonly doors: readonly string[];
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
}

function doorsOf(text: string, name = "c.toml", listener?: string): Doors {
  const file = join(folder, name);
  writeFileSync(file, text);
  const outcome = loadConfig({ file, overrides: { listener } });
  const warnings = outcome.warnings.map(formatFault).map((each) => each.replaceAll(`${folder}/`, ""));
  if (!outcome.ok)
    return {
      doors: [],
      faults: outcome.faults.map(({ path, sentence }) => `${path}: ${sentence}`),
      warnings,
    };
  const doors = outcome.config.listeners.map((one) => `${one.address} ${one.door} ${one.doorReason}`);
  return { doors, faults: [], warnings };
}

const PAIR = join(import.meta.dir, "nginx/corpus/ssl/push.example.org");
const TLS = `tls_certificate = "${PAIR}.pem"\ntls_certificate_key = "${PAIR}.key"`;
const OTHER = join(import.meta.dir, "../listen/certificates/one");
const OTHER_TLS = `tls_certificate = "${OTHER}.pem"\ntls_certificate_key = "${OTHER}.key"`;
const server = (listen: string, more = ""): string =>
  `[[server]]\nlisten = ${JSON.stringify(listen.split(", "))}\n${more}\n[[server.location]]\n` +
  `match = "/"\nempty = true\n`;
const LOCATION = '[[location]]\nmatch = "/"\nempty = true\n';

describe("of a TOML file", () => {
  test.each<[why: string, toml: string, doors: string[]]>([
    ["nobody says anything", LOCATION, ["127.0.0.1:8080 native default"]],
    ["the top says native", `listener = "native"\n${LOCATION}`, ["127.0.0.1:8080 native default"]],
    ["the top says wire", `listener = "wire"\n${LOCATION}`, ["127.0.0.1:8080 wire file"]],
    [
      "a server says wire",
      server("h:1, h:2", 'listener = "wire"') + server("h:3"),
      ["h:1 wire server", "h:2 wire server", "h:3 native default"],
    ],
    [
      "one of two servers says it of their address",
      server("h:1") + server("h:1, h:2", 'listener = "wire"'),
      ["h:1 wire server", "h:2 wire server"],
    ],
    [
      "a server says native where the top says wire",
      `listener = "wire"\n${server("h:1", 'listener = "native"')}${server("h:2")}`,
      ["h:1 native server", "h:2 wire file"],
    ],
    [
      "ssl with http2",
      `listener = "wire"\n${server("h:1, h:2 ssl http2, h:3 ssl", TLS)}`,
      ["h:1 wire file", "h:2 native http2", "h:3 wire file"],
    ],
    [
      "several certificates, or one several times",
      `listener = "wire"\n${server("h:1 ssl, h:2 ssl", TLS)}` +
        `${server("h:1 ssl", OTHER_TLS)}${server("h:2 ssl", TLS)}`,
      ["h:1 native certificates", "h:2 wire file"],
    ],
    [
      "ssl here, http2 in another server of the address",
      `listener = "wire"\n${server("h:1 ssl", TLS)}${server("h:1 http2")}`,
      ["h:1 native http2"],
    ],
    [
      "h2c, also in another server of the address",
      `listener = "wire"\n${server("h:1 h2c, h:2")}${server("h:2 h2c")}`,
      ["h:1 native h2c", "h:2 native h2c"],
    ],
    ["a unix socket", `listener = "wire"\n${server("unix:/x mode=660")}`, ["unix:/x wire file"]],
  ])("%s", (_, toml, doors) => {
    expect(doorsOf(toml)).toMatchObject({ doors, faults: [] });
  });

  test("the command line overrules all of it", () => {
    const toml = `listener = "native"\n${server("h:1", 'listener = "native"')}${server("h:2")}`;
    expect(doorsOf(toml, "c.toml", "wire").doors).toEqual(["h:1 wire file", "h:2 wire file"]);
    expect(doorsOf(toml, "c.toml", "both").faults).toEqual([
      "listener: invalid listener value: both, accepted values (native, wire).",
    ]);
  });

  test.each<[what: string, toml: string, faults: string[]]>([
    [
      "another word",
      `listener = "fast"\n${LOCATION}`,
      ["listener: invalid listener value: fast, accepted values (native, wire)."],
    ],
    [
      "two servers of an address that ask for different ones",
      server("h:1", 'listener = "wire"') + server("h:2, h:1", 'listener = "native"'),
      ['server[1].listener: another server of h:1 asks for "wire".'],
    ],
    [
      "wire with ssl and http2",
      server("h:1 ssl http2", `listener = "wire"\n${TLS}`),
      ["server[0].listener: h:1 is to speak HTTP/2, which only the native listener does."],
    ],
    [
      "wire with h2c",
      server("h:1 h2c", 'listener = "wire"'),
      ["server[0].listener: h:1 is to speak HTTP/2, which only the native listener does."],
    ],
    [
      "h2c beside ssl",
      server("h:1 ssl h2c", TLS),
      ["server[0].listen[0]: h2c is HTTP/2 without TLS; the word beside ssl is http2."],
    ],
    [
      "wire with several certificates",
      server("h:1 ssl", `listener = "wire"\n${TLS}`) + server("h:1 ssl", OTHER_TLS),
      [
        "server[0].listener: h:1 has several certificates, " +
          "of which only the native listener shows each name its own.",
      ],
    ],
  ])("%s: a fault", (_, toml, faults) => {
    expect(doorsOf(toml).faults).toEqual(faults);
  });

  test("what a door does not do is a warning", () => {
    const stream = (more: string) =>
      `[[location]]\nmatch = "/s"\nsubscriber = "streaming"\nchannels_path = "x"\n${more}\n`;
    expect(doorsOf(stream("")).warnings).toEqual([
      'c.toml:1: location[0] = "/s": the native listener sends the head of its answers with the first ' +
        'message: a header_template, or listener = "wire", has it sent at once.',
    ]);
    expect(doorsOf(stream('header_template = "x"')).warnings).toEqual([]);
    const proxy = '[[location]]\nmatch = "/a"\nproxy = "http://127.0.0.1:3000"\n';
    expect(doorsOf(proxy).warnings.join()).toContain("passes no WebSockets on");
    expect(doorsOf(`listener = "wire"\n${proxy}`).warnings).toEqual([]);
    const inner = stream("").replace("[[location]]", "[[location.location]]");
    expect(doorsOf(LOCATION + inner).warnings.join()).toContain("location[0].location[0]");
    expect(doorsOf(`listener = "wire"\n${stream("")}`).warnings).toEqual([]);
    expect(doorsOf(stream(""), "c.toml", "wire").warnings).toEqual([]);
    expect(doorsOf(`listener = "wire"\n${server("h:1 http2")}`).warnings).toEqual([
      'c.toml:3: server[0].listen[0] = "h:1 http2": http2 is left out: ' +
        "only the native listener speaks it, and only with ssl.",
    ]);
  });
});

describe("of an nginx.conf", () => {
  const nginx = (servers: string): Doors =>
    doorsOf(`events {} http { push_stream_shared_memory_size 1m; ${servers} }`, "nginx.conf");
  const SSL = `ssl_certificate ${PAIR}.pem; ssl_certificate_key ${PAIR}.key;`;

  test.each<[why: string, text: string, doors: string[]]>([
    ["the wire listener", "server { listen 80; location / { return 200; } }", ["0.0.0.0:80 wire file"]],
    [
      "native for ssl with http2, and for that address alone",
      `server { listen 80; listen 443 ssl http2; ${SSL} } server { listen 80; ` +
        "server_name a; return 301 https://a; }",
      ["0.0.0.0:80 wire file", "0.0.0.0:443 native http2"],
    ],
    ["http2 on its own line", `server { listen 443 ssl; http2 on; ${SSL} }`, ["0.0.0.0:443 native http2"]],
    [
      "what sluice_listener says",
      "sluice_listener native; server { listen 80; }",
      ["0.0.0.0:80 native default"],
    ],
    [
      "what it says in a server",
      "server { listen 80; sluice_listener native; } server { listen 81; }",
      ["0.0.0.0:80 native server", "0.0.0.0:81 wire file"],
    ],
  ])("%s", (_, text, doors) => {
    expect(nginx(text)).toMatchObject({ doors, faults: [] });
  });

  test("another word is a fault with its line", () => {
    expect(nginx("server { listen 80; sluice_listener fast; }").faults[0]).toContain('invalid value "fast"');
  });
});
