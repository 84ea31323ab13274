/**
 * What files say about connections, as the model has it; of an nginx.conf what it says anywhere; what a
 * listener cannot do is a warning.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LoadedConfig, loadConfig } from "../../src/config/load.ts";
import type { ConnectionConfig } from "../../src/config/model/server.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-connections-"));
afterAll(() => rmSync(folder, { recursive: true }));

function load(name: string, text: string): LoadedConfig {
  const file = join(folder, name);
  writeFileSync(file, text);
  const outcome = loadConfig({ file });
  if (!outcome.ok) throw new Error(outcome.faults.map(({ path, sentence }) => `${path}: ${sentence}`).join());
  return outcome;
}

const LOCATION = '[[location]]\nmatch = "/"\nempty = true\n';
const toml = (text: string): LoadedConfig => load("c.toml", `${text}\n${LOCATION}`);
const nginx = (http: string, server = "", more = ""): LoadedConfig =>
  load(
    "nginx.conf",
    `events { worker_connections 700; } http { ${http} server { listen 1; ` +
      `${server} location / { return 200; } } ${more} }`,
  );
const warned = ({ warnings }: LoadedConfig): string[] => warnings.map(({ path }) => path);

const USUAL: ConnectionConfig = {
  headMs: 60_000,
  bodyMs: 60_000,
  sendMs: 60_000,
  idleMs: 75_000,
  isReset: false,
  toldIdleSec: 0,
  maxRequests: 0,
  maxHeadBytes: 81_920,
  maxLineBytes: 67_584,
};

test.each<[said: string, meant: Partial<ConnectionConfig>]>([
  ["", {}],
  ['client_header_timeout = "5s"', { headMs: 5000 }],
  ['client_body_timeout = "1500ms"', { bodyMs: 1500 }],
  ['send_timeout = "10m"', { sendMs: 600_000 }],
  ['keepalive_timeout = "10m"', { idleMs: 600_000 }],
  ['keepalive_header = "1m"', { toldIdleSec: 60 }],
  ["keepalive_timeout = 0", { maxRequests: 1, idleMs: 60_000 }],
  ["keepalive_requests = 1000", { maxRequests: 1000 }],
  ["keepalive_timeout = 0\nkeepalive_requests = 1000", { maxRequests: 1, idleMs: 60_000 }],
  ["reset_timedout_connection = true", { isReset: true }],
  [
    '[limits]\nmax_header_size = "32KiB"\nmax_header_line_size = "8KiB"',
    { maxHeadBytes: 32_768, maxLineBytes: 8192 },
  ],
])("%p", (text, meant) => {
  expect(toml(text).config.connections).toEqual({ ...USUAL, ...meant });
});

describe("nginx.conf", () => {
  test.each<[said: string, meant: Partial<ConnectionConfig>]>([
    ["", {}],
    ["client_header_timeout 5;", { headMs: 5000 }],
    ["client_body_timeout 1500ms;", { bodyMs: 1500 }],
    ["send_timeout 10m;", { sendMs: 600_000 }],
    ["send_timeout 0;", { sendMs: 1000 }],
    ["keepalive_timeout 65 20;", { idleMs: 65_000, toldIdleSec: 20 }],
    ["keepalive_timeout 65 0;", { idleMs: 65_000 }],
    ["keepalive_timeout 0;", { maxRequests: 1, idleMs: 60_000 }],
    ["keepalive_requests 100;", { maxRequests: 100 }],
    ["keepalive_requests 0;", { maxRequests: 1 }],
    ["reset_timedout_connection on;", { isReset: true }],
    ["reset_timedout_connection off;", {}],
    ["large_client_header_buffers 4 8k;", { maxLineBytes: 8192, maxHeadBytes: 33_792 }],
    [
      "large_client_header_buffers 2 1k; client_header_buffer_size 16k;",
      { maxLineBytes: 16_384, maxHeadBytes: 18_432 },
    ],
    ["client_header_buffer_size 2k;", { maxLineBytes: 8192, maxHeadBytes: 34_816 }],
  ])("%p, in http or in its one server", (text, meant) => {
    for (const { config, notes } of [nginx(text), nginx("", text)]) {
      expect(config.connections).toEqual({ ...USUAL, ...meant });
      expect(notes.filter((note) => note.includes("counts for all"))).toEqual([]);
    }
  });

  test("worker_connections is the number of a worker's connections", () => {
    expect(nginx("").config.limits.maxConnections).toBe(700);
  });

  test("several servers have their own on their own addresses, and the largest on one they share", () => {
    const { config, notes } = nginx(
      "client_body_timeout 5s; keepalive_requests 7;",
      "large_client_header_buffers 2 2k;",
      `server { listen 2; client_body_timeout 9s; keepalive_requests 5; location / { return 200; } }
       server { listen 3; send_timeout 3s; location / { return 200; } }
       server { listen 3; server_name b; send_timeout 4s; client_header_timeout 2s;
         location / { return 200; } }`,
    );
    const shown = config.listeners.map(
      ({ connections: { bodyMs, sendMs, headMs, maxRequests, maxLineBytes } }) => [
        ...[bodyMs, sendMs, headMs, maxRequests, maxLineBytes],
      ],
    );
    expect(shown).toEqual([
      [5000, 4000, 2000, 7, 2048],
      [9000, 4000, 2000, 5, USUAL.maxLineBytes],
      [5000, 4000, 2000, 7, USUAL.maxLineBytes],
    ]);
    expect(notes.join()).not.toContain("counts for all");
  });

  test("what a location says counts for its server, and that is told", () => {
    const { config, notes } = nginx(
      "",
      "",
      "server { listen 2; location / { send_timeout 9s; return 200; } }",
    );
    expect(config.connections.sendMs).toBe(9000);
    expect(notes.join()).toContain("send_timeout counts for all locations of a server");
  });

  test.each([
    "keepalive_timeout 65 x;",
    "large_client_header_buffers 0 8k;",
    "large_client_header_buffers 4 0;",
  ])("%s is a fault", (text) => {
    expect(() => nginx(text)).toThrow("directive invalid value");
  });
});

describe("limit_conn", () => {
  const ZONES =
    "limit_conn_zone $binary_remote_addr zone=perip:10m; " +
    "limit_conn_zone $server_name zone=perserver:10m; limit_conn_zone $remote_addr zone=a.b:1m;";
  const limitOf = (http: string, server = "") =>
    nginx(ZONES + http, server).config.locations.at(-1)?.addressLimit;

  test.each([
    ["limit_conn perip 10;", { most: 10, zone: "perip", status: 503 }],
    ["limit_conn a.b 10;", { most: 10, zone: "a_b", status: 503 }],
    ["limit_conn perip 10; limit_conn_status 429;", { most: 10, zone: "perip", status: 429 }],
    ["limit_conn perip 10; limit_conn_dry_run on;", null],
    ["", null],
  ])("%s", (text, limit) => {
    expect(limitOf(text)).toEqual(limit);
    expect(limitOf("limit_conn perip 1;", text)).toEqual(
      text === "" ? { most: 1, zone: "perip", status: 503 } : limit,
    );
  });

  test.each([
    ["limit_conn perserver 10;", 'by "$server_name" is not supported, only by address'],
    ["limit_conn nowhere 10;", 'zero size shared memory zone "nowhere"'],
    ["limit_conn perip 0;", 'invalid number of connections "0"'],
    ["limit_conn perip 65536;", "connection limit must be less 65536"],
    ["limit_conn perip 1; limit_conn a.b 1;", "beside another in the same place is not supported"],
  ])("%s is a fault", (text, sentence) => {
    expect(() => limitOf(text)).toThrow(sentence);
  });

  test.each([
    "",
    "0",
    "65536",
    "10 zone",
    "10 zone a b",
    "10 status 200",
    "10 status 600",
    "10 zone a status 99",
    "-1",
  ])("%p is no limit", (text) => {
    const file = `[[location]]\nmatch = "/"\nempty = true\nmax_connections_per_address = "${text}"`;
    expect(() => load("c.toml", file)).toThrow('it is a number such as "10"');
  });
});

test("what the native listener does not do is a warning, and none where all is wire", () => {
  const said = `keepalive_timeout = "5m"
keepalive_requests = 5
keepalive_header = "5m"
client_header_timeout = "5s"
client_body_timeout = "5s"
send_timeout = "5s"
reset_timedout_connection = true
[limits]
max_header_line_size = "8KiB"
max_header_size = "8KiB"
max_connections = 5`;
  expect(warned(toml(said)).sort()).toEqual([
    "client_body_timeout",
    "client_header_timeout",
    "keepalive_header",
    "keepalive_requests",
    "keepalive_timeout",
    "limits.max_header_line_size",
    "reset_timedout_connection",
  ]);
  expect(warned(toml(`listener = "wire"\n${said}`))).toEqual([]);
  expect(warned(toml("keepalive_requests = 1\nkeepalive_timeout = 0"))).toEqual([]);
});
