/**
 * One configuration, served by Debian's nginx and by sluice: what a client gets is compared, status, body and
 * the fields a directive is about. Everything here is nginx's own, as its push stream module is not in
 * Debian; what push does is in test/nginx.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, type RawAnswer, RawConnection, type RawRequest } from "../binary/raw-client.ts";
import type { RunningServer } from "../binary/running-server.ts";
import { startNginx as startSluice } from "../nginx/nginx-server.ts";
import { type FrontProxy, startNginx } from "./proxy.ts";

setDefaultTimeout(60_000);

const site = mkdtempSync(join(tmpdir(), "sluice-site-"));

/** In `http`. */
/** Lets in who brings a cookie that says so, to what it is asked about. */
const backend = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: ({ url, headers }) => {
    const isIn = headers.get("cookie") === "in" || headers.get("x-team") === "red";
    if (headers.get("cookie") === "who")
      return new Response("?", { status: 401, headers: { "WWW-Authenticate": 'X realm="x"' } });
    return new Response(url, { status: isIn && url.endsWith("/check") ? 200 : 403 });
  },
});

const http = (port: number): string => `
  default_type text/plain;
  limit_req_zone $binary_remote_addr zone=slow:1m rate=1r/m;
  limit_req_zone $binary_remote_addr zone=slower:1m rate=1r/m;
  types { text/html html; text/css css; image/png png; }
  map $http_x_color $color { default none; red R; "" empty; ~^b(?<rest>.*)$ "B-$rest-$1";
    ~*^GREEN $http_x_shade; }
  map $http_x_shade $shade { default "d"; dark $color; }
  map $host $zone { hostnames; default other; .example.org org; *.wild.test wild; mail.* mail; }
  map $uri $cache { default off; ~\\.css$ 1h; /max.html max; /epoch.html epoch; /no.html -1; }
  server {
    listen 127.0.0.1:${port};
    server_name rewrites;
    rewrite ^/server/(.*)$ /plain/$1;
    if ($arg_go = away) { rewrite ^(.*)$ http://away.test$1 permanent; }
    set $seen "";
    location / { return 200 "root $uri $args $request_uri"; }
    location /plain/ { return 200 "plain $uri $is_args$args"; }
    location /last/ { rewrite ^/last/(.*)$ /plain/$1?a=1 last; return 200 unreached; }
    location /drop/ { rewrite ^/drop/(.*)$ /plain/$1? last; }
    location /on/ { set $seen yes; rewrite ^/on/(.*)$ /seen/$1; set $seen "$seen-$1"; }
    location /seen/ { return 200 "seen $seen $uri"; }
    location /stay/ { rewrite ^/stay/(.*)$ /other/$1 break; return 200 unreached; }
    location /redirect/ { rewrite ^/redirect/(.*)$ /to/$1 redirect; }
    location /permanent/ { rewrite ^/permanent/(.*)$ /to/$1? permanent; }
    location /url/ { rewrite ^/url/(.*)$ https://elsewhere.test/$1?x=y; }
    location /circle/ { rewrite ^/circle/(.*)$ /circle/x$1 last; }
    location /args/ { rewrite ^/args/([^/]*)/(.*)$ /plain/?first=$1&second=$2 last; }
    location ~ ^/regex/(?<name>[a-z]+)/(\\d+)$ { rewrite ^ /named/$name/$2 last; }
    location /named/ { return 200 "named $uri"; }
    location /if/ { if ($arg_a) { rewrite ^/if/(.*)$ /plain/$1; set $seen in; } return 200 "if $seen $uri"; }
    location /both/ { rewrite ^/both/a(.*)$ /both/b$1; rewrite ^/both/b(.*)$ /plain/$1 last;
      return 200 "both $uri"; }
    location /hidden/ { internal; return 200 "hidden $uri"; }
    location /show/ { rewrite ^/show/(.*)$ /hidden/$1 last; }
    location = /file { if (-f ${site}/a.html) { return 200 f; } return 200 none; }
    location = /folder { if (!-d ${site}/sub) { return 200 none; } return 200 d; }
    location = /exists { if (-e ${site}/nothing) { return 200 e; }
      if (!-e ${site}/nothing) { return 200 "not e"; } }
    location = /runs { if (-x ${site}/a.html) { return 200 x; } return 200 "not x"; }
    location = /broken { break; return 200 unreached; }
    location ^~ ^(/x\\.php)$ { return 200 dead; }
    location ^~ /final/ { return 200 final; location ~ \\.in$ { return 200 inside; } }
    location ~ \\.in$ { return 200 outside; }
    location ~ ^/outer/ { return 200 outer; location ~ /(z+)$ { return 200 "z $1"; } }
  }
  server {
    listen 127.0.0.1:${port};
    server_name maps *.wild.test mail.* example.org *.example.org;
    location / { return 200 "$color|$shade|$zone"; }
  }
  server {
    listen 127.0.0.1:${port};
    server_name files;
    set $docroot ${site};
    root $docroot;
    index index.html;
    error_page 404 /404.html;
    error_page 403 =200 /a.html;
    error_page 405 = @method;
    error_page 410 http://gone.test$uri;
    error_page 402 @named;
    error_page 418 =204 /none;
    location / { try_files $uri $uri/ /sub/other.html?fell=1; expires $cache; add_header X-Uri "$uri $args"; }
    location = /404.html { internal; add_header X-Page yes always; }
    location /code/ { try_files $uri =404; }
    location /coded/ { try_files $uri =503; }
    location /to-named/ { try_files $uri @named; }
    location @named { return 200 "named $uri $args $request_method"; }
    location @method { return 200 "method $request_method"; }
    location = /forbidden { deny all; }
    location = /gone { return 410; }
    location = /pay { return 402; }
    location = /text { return 404 "with a text"; }
    location = /cs { add_header A b always; return 404; }
    location /bare/ { error_page 404 =404 /a.html; alias ${site}/none/; }
    location /alias/ { alias ${site}/sub/; try_files $uri $uri/ =404; }
    location /list/ { alias ${site}/; autoindex on; index none; }
    location /json/ { alias ${site}/; autoindex on; autoindex_format json; index none; }
    location /rounded/ { alias ${site}/; autoindex on; autoindex_exact_size off; index none; }
    location /no-etag/ { alias ${site}/; etag off; max_ranges 0; if_modified_since off; }
    location /before/ { alias ${site}/; if_modified_since before; }
    location = /folder.html { root ${site}/sub; }
    location ~ ^/sub/index\\.html$ { deny all; error_page 403 /404.html; }
    location ~ /(no|epoch)-x$ { return 200 x; expires modified +1h; }
    location = /method { limit_except GET { deny all; } return 405; }
  }
  server {
    listen 127.0.0.1:${port};
    server_name pages;
    recursive_error_pages on;
    error_page 404 /second;
    error_page 403 =200 /third;
    error_page 402 /circle;
    location / { return 404; }
    location = /second { return 403; }
    location = /third { return 200 "third $uri"; }
    location = /circle { return 402; }
    location /once/ { recursive_error_pages off; return 404; }
  }
  server {
    listen 127.0.0.1:${port};
    server_name doors;
    location = /any { satisfy any; deny 127.0.0.1; auth_basic r; auth_basic_user_file ${site}/users;
      try_files /none @in; }
    location = /any-allow { satisfy any; allow 127.0.0.1; deny all; auth_basic r;
      auth_basic_user_file ${site}/users; try_files /none @in; }
    location = /any-none { satisfy any; allow 192.0.2.1; auth_basic r; auth_basic_user_file ${site}/users;
      try_files /none @in; }
    location = /any-free { satisfy any; allow 192.0.2.1; try_files /none @in; }
    location /asked/ { alias ${site}/; auth_request /auth; }
    location /asked-or/ { alias ${site}/; auth_request /auth; satisfy any; allow 192.0.2.1; deny all; }
    location /asked-user/ { alias ${site}/; auth_request /auth; satisfy any; auth_basic r;
      auth_basic_user_file ${site}/users; }
    location /asked-not/ { alias ${site}/; auth_request off; }
    location = /auth { internal; proxy_pass http://127.0.0.1:${backend.port}/check;
      proxy_set_header X-Team $http_x_team; }
    location /limited-rate { limit_req zone=slow burst=1 nodelay; try_files /none @in; }
    location /limited-429 { limit_req zone=slower; limit_req_status 429; try_files /none @in; }
    location = /all { satisfy all; allow 127.0.0.1; auth_basic r; auth_basic_user_file ${site}/users;
      try_files /none @in; }
    location = /limited { limit_except GET { deny all; } try_files /none @in; }
    location = /limited-user { root ${site}; limit_except GET POST { auth_basic r;
      auth_basic_user_file ${site}/users; } try_files /none @in; }
    location = /page { auth_basic r; auth_basic_user_file ${site}/users; error_page 401 /login; }
    location = /login { internal; return 200 "please"; }
    location @in { return 200 in; }
    location = /relative { absolute_redirect off; return 301 /x; }
    location = /absolute { return 301 /x; }
    location = /portless { port_in_redirect off; return 302 /x?$args; }
    location = /gz { gzip on; gzip_vary on; gzip_types text/plain; gzip_min_length 1;
      return 200 "some text to compress"; }
    location = /status { stub_status; }
    location = /silent { return 444; }
  }
`;

const FIELDS = [
  ...["location", "content-type", "content-length", "www-authenticate", "vary", "x-uri", "x-page"],
  ...["a", "cache-control", "etag", "last-modified", "accept-ranges", "content-range", "content-encoding"],
];

let nginx: FrontProxy;
let sluice: RunningServer;

beforeAll(async () => {
  mkdirSync(join(site, "sub"));
  mkdirSync(join(site, "empty"));
  const files: Readonly<Record<string, string>> = {
    "a.html": "<p>a</p>",
    "404.html": "not here",
    "x.css": "p {}",
    "max.html": "max",
    "epoch.html": "epoch",
    "no.html": "no",
    "blank b&<c>.png": "png",
    "big.txt": "x".repeat(20_000),
    "sub/index.html": "index",
    "sub/other.html": "other",
    users: "u:{PLAIN}p\n",
  };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(site, name), text);
    utimesSync(join(site, name), 1_700_000_000, 1_700_000_000);
  }
  for (const name of ["sub", "empty"]) utimesSync(join(site, name), 1_700_000_000, 1_700_000_000);
  nginx = await startNginx(http);
  sluice = await startSluice(
    (port, folder) => `worker_processes 1; pid ${folder}/nginx.pid; events {} http { ${http(port)} }`,
  );
});
afterAll(async () => {
  void backend.stop(true);
  await nginx?.stop();
  await sluice?.stop();
  rmSync(site, { recursive: true, force: true });
});

/** What is compared: names of servers and ports are each their own. */
function told(answer: RawAnswer, port: number): string {
  const named = (text: string): string =>
    text
      .replaceAll(String(port), "PORT")
      .replace(/<center>(?:nginx\/[\d.]+|sluice)<\/center>/, "<center>S</center>");
  const body = named(answer.body.toString("latin1"));
  const hasOtherLength = /<center>S<\/center>|<title>Index of|^\[/.test(body);
  const fields = FIELDS.flatMap((name) => {
    const value = answer.fields.get(name);
    // The length of a page follows from the server's name; nginx sends listings in chunks.
    if (value === undefined || (hasOtherLength && name === "content-length")) return [];
    return [`${name}: ${named(value)}`.trimEnd()];
  });
  return [String(answer.status), ...fields, "", body].join("\n");
}

type Case = readonly [path: string, request?: RawRequest];
const USER = { authorization: `Basic ${btoa("u:p")}` };

const CASES: Readonly<Record<string, readonly Case[]>> = {
  rewrites: [
    ...[
      "/",
      "/server/x?q=1",
      "/x?go=away",
      "/last/b?c=d",
      "/drop/b?c=d",
      "/on/z",
      "/stay/x",
      "/redirect/a?b=c",
    ],
    ...[
      "/permanent/a?b=c",
      "/url/q?z=1",
      "/circle/",
      "/args/one/two?three=3",
      "/args/a%20b/c%26d",
      "/args/a+b/c",
    ],
    ...[
      "/regex/abc/12",
      "/if/x",
      "/if/x?a=1",
      "/both/a1",
      "/both/c",
      "/hidden/x",
      "/show/x",
      "/file",
      "/folder",
    ],
    ...["/exists", "/runs", "/broken", "/x.php", "/final/a", "/final/a.in", "/a.in", "/outer/a"],
    ...["/outer/a/zz", "/redirect/a%20b", "/last/a%2541"],
  ].map((path): Case => [path]),
  maps: [
    ["/"],
    ...["red", "RED", "blue", "Green", "black"].map(
      (color): Case => ["/", { headers: { "x-color": color } }],
    ),
    ["/", { headers: { "x-color": "green", "x-shade": "dark" } }],
    ...["example.org", "a.example.org", "a.wild.test", "wild.test", "mail.any", "x"].map(
      (Host): Case => ["/", { headers: { Host } }],
    ),
  ],
  files: [
    ...["/", "/a.html", "/x.css", "/max.html", "/epoch.html", "/no.html", "/sub/", "/sub/other.html"],
    ...["/none", "/none?q=1", "/404.html", "/code/x", "/coded/x", "/to-named/x?y=z", "/forbidden", "/gone"],
    ...["/pay", "/text", "/cs", "/bare/x", "/alias/other.html", "/alias/", "/alias/none", "/list/", "/json/"],
    ...["/rounded/", "/list/empty/", "/no-etag/a.html", "/folder.html", "/big.txt"],
  ].map((path): Case => [path]),
  pages: (["/nothing", "/circle", "/once/a", "/second"] as const).map((path): Case => [path]),
  doors: [
    ...[
      "/any",
      "/any-allow",
      "/any-none",
      "/any-free",
      "/all",
      "/limited",
      "/limited-user",
      "/page",
      "/login",
      "/relative",
      "/absolute",
    ],
    ...["/portless?a=b", "/gz"],
  ].map((path): Case => [path]),
};

const MORE: readonly (readonly [server: string, ...Case])[] = [
  ["files", "/a.html", { method: "POST", body: "x" }],
  ["files", "/pay", { method: "POST", body: "x" }],
  ["files", "/to-named/x", { method: "POST", body: "x" }],
  ["files", "/none", { method: "HEAD" }],
  ["files", "/method", { method: "DELETE" }],
  ["files", "/method"],
  ["files", "/none", { headers: { range: "bytes=0-1" } }],
  ["files", "/a.html", { headers: { range: "bytes=0-1" } }],
  ["files", "/no-etag/a.html", { headers: { range: "bytes=0-1" } }],
  ...["Tue, 14 Nov 2023 22:13:20 GMT", "Wed, 15 Nov 2023 22:13:20 GMT"].flatMap((since) =>
    ["/a.html", "/before/a.html", "/no-etag/a.html"].map(
      (path) => ["files", path, { headers: { "if-modified-since": since } }] as const,
    ),
  ),
  ["doors", "/any", { headers: USER }],
  ...["/asked/a.html", "/asked-or/a.html", "/asked-user/a.html"].flatMap((path) =>
    [{}, { cookie: "in" }, { cookie: "out" }, { cookie: "who" }, { "x-team": "red" }, USER].map(
      (headers) => ["doors", path, { headers }] as const,
    ),
  ),
  ["doors", "/asked-not/a.html"],
  ["doors", "/auth"],
  // The first is in; how fast the others come is the machine's affair.
  ["doors", "/limited-rate"],
  ["doors", "/limited-429"],
  ["doors", "/limited-429"],
  ["doors", "/any-none", { headers: USER }],
  ["doors", "/all", { headers: USER }],
  ["doors", "/page", { headers: USER }],
  ["doors", "/limited", { method: "POST", body: "x" }],
  ["doors", "/limited", { method: "HEAD" }],
  ["doors", "/limited-user", { method: "POST", body: "x" }],
  ["doors", "/limited-user", { method: "PUT", body: "x" }],
  ["doors", "/limited-user", { method: "PUT", body: "x", headers: USER }],
  ["doors", "/gz", { headers: { "accept-encoding": "gzip" } }],
];

describe.skipIf(Bun.which("nginx") === null)("the same file", () => {
  test("444 ends the connection without a word", async () => {
    for (const { port } of [sluice, nginx]) {
      const connection = await RawConnection.open(port);
      connection.request("/silent", { headers: { Host: "doors" } });
      expect((await connection.untilEnd()).length).toBe(0);
    }
  });

  const all = [
    ...Object.entries(CASES).flatMap(([server, cases]) => cases.map((one) => [server, ...one] as const)),
    ...MORE,
  ];
  test.each(all)("%s: %s %j", async (Host, path, request = {}) => {
    const asked = (port: number): RawRequest => ({
      ...request,
      headers: { Host: `${Host}:${port}`, ...request.headers },
    });
    const [ours, theirs] = await Promise.all(
      [sluice.port, nginx.port].map((port) => ask(port, path, asked(port))),
    );
    if (ours === undefined || theirs === undefined) throw new Error("no answer");
    const isPacked = theirs.fields.has("content-encoding");
    if (isPacked) expect(ours.fields.get("content-encoding")).toBe("gzip");
    else expect(told(ours, sluice.port)).toBe(told(theirs, nginx.port));
  });
});
