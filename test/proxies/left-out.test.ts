/**
 * What the translation leaves out, "as it changes nothing here", observed: Debian's nginx answers the same
 * requests the same way with each directive and without it. A directive that this shows to change something
 * does not belong on the list (config/nginx/directives-harmless.ts).
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { directiveNames, directiveRow } from "../../src/config/nginx/directives.ts";
import { ask, type RawRequest } from "../binary/raw-client.ts";
import { type FrontProxy, startNginx } from "./proxy.ts";

setDefaultTimeout(60_000);

const site = mkdtempSync(join(tmpdir(), "sluice-left-out-"));
const CERTIFICATE = join(import.meta.dir, "../config/nginx/corpus/ssl/push.example.org.pem");

const harmless = directiveNames().flatMap((name) => {
  const row = directiveRow(name);
  return row?.use === "harmless" ? [row] : [];
});

/** Arguments other than the default, for what stands in servers; flags are tried both ways. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  sendfile_max_chunk: ["1k"],
  aio: ["off"],
  directio: ["1k"],
  directio_alignment: ["4k"],
  read_ahead: ["1"],
  output_buffers: ["1 512"],
  postpone_output: ["0"],
  send_lowat: ["0"],
  keepalive_time: ["1s"],
  keepalive_disable: ["safari"],
  lingering_close: ["off", "always"],
  lingering_time: ["1s"],
  lingering_timeout: ["1s"],
  connection_pool_size: ["1k"],
  request_pool_size: ["8k"],
  client_body_buffer_size: ["1k"],
  client_body_temp_path: [`${site}/body`],
  client_body_in_file_only: ["clean"],
  open_log_file_cache: ["max=10"],
  open_file_cache: ["max=10"],
  open_file_cache_valid: ["1s"],
  open_file_cache_min_uses: ["2"],
  types_hash_max_size: ["2048"],
  types_hash_bucket_size: ["128"],
  resolver: ["127.0.0.1"],
  resolver_timeout: ["1s"],
  source_charset: ["utf-8"],
  gzip_buffers: ["4 4k"],
  ssl_session_cache: ["none"],
  ssl_session_timeout: ["1m"],
  ssl_buffer_size: ["4k"],
  ssl_ecdh_curve: ["prime256v1"],
  ssl_verify_depth: ["2"],
  ssl_client_certificate: [CERTIFICATE],
  ssl_trusted_certificate: [CERTIFICATE],
  limit_req_log_level: ["warn"],
  limit_conn_log_level: ["warn"],
  limit_rate_after: ["1k"],
  auth_delay: ["1ms"],
  proxy_buffers: ["64 4k"],
  proxy_buffer_size: ["8k"],
  proxy_max_temp_file_size: ["0"],
  proxy_send_lowat: ["0"],
  sub_filter_types: ["text/css"],
  ssi_types: ["text/css"],
};

/** Not observed, and why. */
const NOT_OBSERVED: Readonly<Record<string, string>> = {
  server_tokens: "it is the version in Server, and none is told",
  gzip_disable: "it chooses who is sent the same content compressed",
  gzip_http_version: "the same",
  gzip_proxied: "the same",
  gzip_no_buffer: "with it this nginx sends what cannot be unpacked",
  msie_refresh: "it is for a browser that is gone",
  msie_padding: "the same",
};

interface Tried {
  readonly server: string;
  readonly line: string;
}

/** Those that stand in a server; http and main have one instance, in which all of theirs stand together. */
const tried: readonly Tried[] = harmless
  .filter(({ name, contexts }) => contexts.includes("server") && !(name in NOT_OBSERVED))
  .flatMap(({ name, isFlag }) =>
    (isFlag ? ["on", "off"] : (ARGUMENTS[name] ?? [])).map((words) => `${name} ${words};`),
  )
  .map((line, i) => ({ server: `s${i}`, line }));

const HTTP = [
  "server_names_hash_max_size 2048;",
  "server_names_hash_bucket_size 128;",
  "variables_hash_max_size 2048;",
  "variables_hash_bucket_size 128;",
  "map_hash_max_size 4096;",
  "map_hash_bucket_size 128;",
];

const server = (port: number, name: string, line: string): string => `server {
  listen 127.0.0.1:${port};
  server_name ${name};
  root ${site};
  types { text/html html; }
  default_type text/plain;
  charset utf-8;
  gzip on;
  gzip_types text/plain;
  ${line}
  location / { }
  location = /text { return 200 "text of $http_x_word"; }
  location = /away { return 302 /text; }
  location = /gone { return 410; }
  location /passed/ { proxy_pass http://127.0.0.1:${port}/; proxy_set_header Host ${name}; }
}`;

/** Refused by this nginx: its build has no such module, or it is newer. */
const refused = new Set<string>();
let nginx: FrontProxy;

const PROBES: readonly (readonly [path: string, request?: RawRequest])[] = [
  ["/page.html"],
  ["/large.txt"],
  ["/large.txt", { headers: { range: "bytes=1000-1999" } }],
  ["/large.txt", { headers: { "accept-encoding": "gzip" } }],
  ["/none"],
  ["/"],
  ["/text", { headers: { "x-word": "w" } }],
  ["/text", { method: "POST", body: "a body of some length" }],
  ["/away"],
  ["/gone"],
  ["/passed/large.txt"],
  ["/passed/text", { method: "POST", body: "a body of some length" }],
  ["/page.html", { headers: { "if-modified-since": "Tue, 14 Nov 2023 22:13:20 GMT" } }],
  ["/page.html", { version: "1.0" }],
];

/** What of an answer does not change from one moment to the next. */
async function seen(port: number, host: string): Promise<readonly string[]> {
  const answers: string[] = [];
  for (const [path, request = {}] of PROBES) {
    const { statusLine, fields, body } = await ask(port, path, {
      ...request,
      headers: { Host: host, ...request.headers },
    });
    const kept = [...fields].filter(([name]) => name !== "date").map(([name, value]) => `${name}: ${value}`);
    const text = fields.get("content-encoding") === "gzip" ? gunzipSync(body) : body;
    answers.push([path, statusLine, ...kept, Bun.hash(text)].join(" | ").replaceAll(host, "HOST"));
  }
  return answers;
}

beforeAll(async () => {
  if (Bun.which("nginx") === null) return;
  chmodSync(site, 0o755);
  writeFileSync(join(site, "page.html"), "<p>a page</p>");
  writeFileSync(join(site, "large.txt"), "some text, again and again. ".repeat(4000));
  // Of what this build does not know the first is told, so each is asked by itself.
  for (const { line } of tried) {
    const file = join(site, "try.conf");
    writeFileSync(file, `pid ${site}/pid; events {} http { access_log off; ${server(1, "x", line)} }`);
    const { stderr } = Bun.spawnSync(["nginx", "-t", "-c", file, "-e", "stderr"]);
    if (/unknown directive|the INET6/.test(stderr.toString())) refused.add(line);
  }
  nginx = await startNginx((port) =>
    [
      ...HTTP,
      server(port, "s-base", ""),
      ...tried.filter(({ line }) => !refused.has(line)).map((one) => server(port, one.server, one.line)),
    ].join("\n"),
  );
});
afterAll(async () => {
  await nginx?.stop();
  rmSync(site, { recursive: true, force: true });
});

test("every entry says why it is there", () => {
  for (const { name, reason } of harmless) expect([name, (reason ?? "").length > 10]).toEqual([name, true]);
});

describe.skipIf(Bun.which("nginx") === null)("left out", () => {
  test("answers are the same with each of them and without", async () => {
    const plain = await seen(nginx.port, "s-base");
    const changed: string[] = [];
    for (const { server: name, line } of tried) {
      if (refused.has(line)) continue;
      const answers = await seen(nginx.port, name);
      answers.forEach((answer, i) => {
        if (answer !== plain[i]) changed.push(`${line} ${answer} <> ${plain[i]}`);
      });
    }
    expect(changed).toEqual([]);
    // Most of the list is there to be observed.
    expect(tried.length - refused.size).toBeGreaterThan(70);
  });
});
