/**
 * The parts of an nginx.conf that are nginx's own (push-stream spec 1.7, issue 3), on the compiled binary:
 * which location and server a request belongs to, rewrite steps, files, who may come in, and what is added to
 * answers.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { ask, RawConnection, type RawRequest } from "../binary/raw-client.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { startNginx } from "./nginx-server.ts";

setDefaultTimeout(60_000);

let server: RunningServer;

const conf = (port: number, folder: string): string => `
worker_processes 1;
error_log ${folder}/error.log info;
pid nginx.pid;
events { worker_connections 64; }
http {
  default_type text/plain;
  types { text/html html; text/css css; }
  access_log off;
  log_format short '$remote_addr "$request" $status $body_bytes_sent [$http_x_note]';
  push_stream_shared_memory_size 1m;
  # which location
  server {
    listen 127.0.0.1:${port};
    server_name locations;
    location / { return 200 root; }
    location = / { return 200 exact-root; }
    location /a { return 200 a; }
    location /a/b { return 200 a/b; }
    location = /a/b/c { return 200 exact; }
    location ^~ /final { return 200 final; }
    location ~ \\.php$ { return 200 php; }
    location ~* \\.PNG$ { return 200 png; }
    location ~ ^/a/b/first { return 200 first; }
    location ~ ^/a/b/f { return 200 second; }
    location ~ "^/q{2,3}$" { return 200 quoted; }
    location "/with space" { return 200 space; }
    location ~ ^/named/(?<kind>[a-z]+)/(\\d+)$ { return 200 "$kind|$1|$2|$3"; }
    location ~ ^/python/(?P<kind>[a-z]+)$ { return 200 $kind; }
    location /outer/ {
      return 200 outer;
      location /outer/inner { return 200 inner; }
      location = /outer/exact { return 200 outer-exact; }
      location ~ \\.in$ { return 200 outer-regex; }
    }
  }
  # rewrite steps
  server {
    listen 127.0.0.1:${port};
    server_name steps;
    set $where server;
    if ($http_x_agent ~ "^(a+)b") { set $agent $1; }
    if ($arg_stop = now) { return 403 stopped; }
    location /set { set $a "x$arg_v"; set $b \${a}y; return 200 "$where|$a|$b"; }
    location /if {
      set $r "";
      if ($arg_v) { set $r "\${r}set,"; }
      if ($arg_v = one) { set $r "\${r}equal,"; }
      if ($arg_v != one) { set $r "\${r}unequal,"; }
      if ($arg_v ~ ^O) { set $r "\${r}match,"; }
      if ($arg_v ~* ^O) { set $r "\${r}match-any-case,"; }
      if ($arg_v !~ ^o) { set $r "\${r}no-match,"; }
      if ($arg_v !~* ^O) { set $r "\${r}no-match-any-case,"; }
      if ($arg_v = "") { set $r "\${r}empty,"; }
      if ( $arg_v = 'two words' ) { set $r "\${r}quoted,"; }
      return 200 $r;
    }
    location /captures { if ($arg_v ~ "^(?<left>[a-z]+)-([a-z]+)$") { return 200 "$left|$2"; }
      return 200 none; }
    location ~ ^/kept/(?<kept>\\w+)$ {
      if ($request_method ~ ^(G)ET) { set $m $1; }
      if ($arg_v) { set $kept other; }
      return 200 "$kept|$m|$1|$agent";
    }
    location ~ ^/agent/(.*)$ { return 200 "$1|$agent"; }
    location /names { return 200 "$server_name \${server_port} $hostname"; }
    location /break { set $a before; if ($arg_v) { break; } set $a after; return 200 $a; }
    location /codes/204 { return 204; }
    location /codes/404 { return 404; }
    location /codes/418 { return 418 teapot; }
    location /codes/301 { return 301 https://example.org/x; }
    
    location /codes/302url { return https://example.org/$arg_v; }
    location /codes/303 { return 303 /here?x=$arg_v; }
    location /codes/307 { return 307 $scheme://$host$request_uri; }
    location /codes/type { default_type application/json; return 200 '{"a":1}'; }
    location /vars {
      set $more "$arg_A|$http_x_some_thing|$cookie_sid|$query_string|$document_uri|$scheme";
      return 200 "$uri|$request_uri|$args|$is_args|$host|$remote_addr|$request_method|$more"; }
  }
  # files
  server {
    listen 127.0.0.1:${port};
    server_name files;
    root htdocs;
    index first.html index.html;
    location /alias/ { alias @FOLDER/htdocs/sub/; }
    location /css { default_type text/x-odd; }
    location ~ ^/re/(.+)$ { alias htdocs/$1; }
    location /typed { types { } default_type a/b; alias htdocs/sub/one.html; }
  }
  # who may come in, what is added
  server {
    listen 127.0.0.1:${port};
    server_name doors;
    add_header X-Server yes;
    location /denied { deny all; return 200 in; }
    location /others { allow 10.0.0.0/8; allow ::1; deny all; push_stream_publisher;
      push_stream_channels_path x; }
    location /mine { allow 127.0.0.0/8; deny all; push_stream_publisher; push_stream_channels_path x; }
    location /first { deny 127.0.0.1; allow all; push_stream_publisher; push_stream_channels_path x; }
    location /auth {
      auth_basic "the realm"; auth_basic_user_file users;
      push_stream_publisher; push_stream_channels_path auth;
    }
    location /added {
      add_header X-One "1 $arg_v"; add_header X-Always on always;
      push_stream_publisher admin; push_stream_channels_path $arg_id;
    }
    location /small { client_max_body_size 10; push_stream_publisher; push_stream_channels_path small; }
    location /unlimited { client_max_body_size 0; push_stream_publisher; push_stream_channels_path big;
      push_stream_store_messages off; }
    location /gzip/ {
      gzip on; gzip_min_length 100; gzip_types text/css;
      alias htdocs/;
    }
    location /log { access_log @FOLDER/access.log short; return 200 logged; }
    location /buffered { access_log buffered.log short buffer=64k flush=100ms; push_stream_publisher;
      push_stream_channels_path l; }
  }
  server {
    listen 127.0.0.1:${port} default_server;
    server_name _;
    location / { return 200 default; }
  }
  server { listen 127.0.0.1:${port}; server_name *.wild.org .both.org; return 200 head; }
  server { listen 127.0.0.1:${port}; server_name *.deep.wild.org; return 200 deep; }
  server { listen 127.0.0.1:${port}; server_name tail.*; return 200 tail; }
  server { listen 127.0.0.1:${port}; server_name ~^re(\\d+)\\.; return 200 regex; }
  server { listen 127.0.0.1:${port}; server_name ~^(?P<user>\\w+)\\.users\\.org$; return 200 "user $user"; }
  server { listen 127.0.0.1:${port}; server_name exact.wild.org "Upper.ORG"; return 200 exact; }
  server { listen unix:front.sock; return 200 unix; }
}
`;

beforeAll(async () => {
  server = await startNginx((port, folder) => {
    const root = join(folder, "htdocs");
    mkdirSync(join(root, "sub"), { recursive: true });
    writeFileSync(join(root, "index.html"), "<p>index");
    writeFileSync(join(root, "sub", "one.html"), "one");
    writeFileSync(join(root, "css"), "odd");
    writeFileSync(join(root, "style.css"), "a{}".repeat(100));
    writeFileSync(join(root, "short.css"), "a{}");
    writeFileSync(join(root, ".secret"), "no");
    // {SHA} of "secret"
    writeFileSync(join(folder, "users"), "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
    return conf(port, folder).replaceAll("@FOLDER", folder);
  });
});

afterAll(async () => {
  await server.stop();
});

const get = (host: string, path: string, request: RawRequest = {}) =>
  ask(server.port, path, { ...request, headers: { Host: host, ...request.headers } });

describe("the location of a request", () => {
  test.each([
    ["/", "exact-root"],
    ["/x", "root"],
    ["/a", "a"],
    ["/ab", "a"],
    ["/a/b", "a/b"],
    ["/a/b/c", "exact"],
    ["/a/b/cd", "a/b"],
    ["/a/b/first", "first"],
    ["/a/b/fx", "second"],
    ["/a/x.php", "php"],
    ["/final/x.php", "final"],
    ["/x.png", "png"],
    ["/x.PnG", "png"],
    ["/x.PHP", "root"],
    ["/qq", "quoted"],
    ["/qqqq", "root"],
    ["/with%20space/x", "space"],
    ["/named/cats/12", "cats|cats|12|"],
    ["/python/cats", "cats"],
    ["/outer/x", "outer"],
    ["/outer/inner/x", "inner"],
    ["/outer/exact", "outer-exact"],
    ["/outer/x.in", "outer-regex"],
    ["/x.in", "root"],
    ["/a//b/./c", "exact"],
    ["/x/../a/b", "a/b"],
    ["/%61/b", "a/b"],
    ["/a?x=/a/b", "a"],
  ])("%s", async (path, body) => {
    expect((await get("locations", path)).body.toString()).toBe(body);
  });
});

describe("steps", () => {
  test.each([
    ["/set?v=1", "server|x1|x1y"],
    ["/if?v=one", "set,equal,match-any-case,"],
    ["/if?v=Other", "set,unequal,match,match-any-case,no-match,"],
    ["/if?v=0", "unequal,no-match,no-match-any-case,"],
    ["/if", "unequal,no-match,no-match-any-case,empty,"],
    ["/captures?v=ab-cd", "ab|cd"],
    ["/captures?v=1", "none"],
    ["/break", "after"],
    ["/kept/abc", "abc|G|G|aa"],
    ["/kept/abc?v=1", "other|G|G|aa"],
    ["/agent/abc", "abc|aa"],
    [
      "/vars/%61//b?A=1&b=%20",
      "/vars/a/b|/vars/%61//b?A=1&b=%20|A=1&b=%20|?|steps|127.0.0.1|GET|1|some|s1|A=1&b=%20|/vars/a/b|http",
    ],
    ["/vars", "/vars|/vars|||steps|127.0.0.1|GET||some|s1||/vars|http"],
  ])("%s", async (path, body) => {
    const headers = { "X-Some-Thing": "some", "X-Agent": "aab", Cookie: "a=b; sid=s1" };
    expect((await get("steps", path, { headers })).body.toString()).toBe(body);
  });

  test("names of the server itself", async () => {
    expect((await get("steps", "/names")).body.toString()).toBe(`steps ${server.port} ${hostname()}`);
  });

  test.each<[string, number, string | null, string | null]>([
    ["/codes/204", 204, null, ""],
    ["/codes/404", 404, null, null],
    ["/codes/418", 418, null, "teapot"],
    ["/codes/301", 301, "https://example.org/x", null],
    ["/codes/302url?v=7", 302, "https://example.org/7", null],
    ["/codes/303?v=a", 303, "http://steps/here?x=a", null],
    ["/codes/307?q=1", 307, "http://steps/codes/307?q=1", null],
    ["/codes/type", 200, null, '{"a":1}'],
    ["/set?stop=now", 403, null, "stopped"],
  ])("%s is answered %d", async (path, status, location, body) => {
    const answer = await get("steps", path);
    expect([answer.status, answer.fields.get("location") ?? null]).toEqual([status, location]);
    if (body !== null) expect(answer.body.toString()).toBe(body);
    if (path === "/codes/type") expect(answer.fields.get("content-type")).toBe("application/json");
  });
});

describe("files", () => {
  test.each<[string, number, string | null, string | null]>([
    ["/", 200, "<p>index", "text/html"],
    ["/index.html", 200, "<p>index", "text/html"],
    ["/alias/one.html", 200, "one", "text/html"],
    ["/re/sub/one.html", 200, "one", "text/html"],
    ["/css", 200, "odd", "text/x-odd"],
    ["/typed", 200, "one", "a/b"],
    ["/sub", 301, null, null],
    ["/sub/", 403, null, null],
    ["/none", 404, null, null],
    ["/.secret", 404, null, null],
    ["/..%2f..%2fetc/passwd", 400, null, null],
  ])("%s is answered %d", async (path, status, body, type) => {
    const answer = await get("files", path);
    expect(answer.status).toBe(status);
    if (body !== null) expect(answer.body.toString()).toBe(body);
    if (type !== null) expect(answer.fields.get("content-type")).toBe(type);
    if (status === 301) expect(answer.fields.get("location")).toBe("./sub/");
  });
});

describe("doors", () => {
  test.each([
    ["/denied", "GET", 403],
    ["/others", "POST", 403],
    ["/mine", "POST", 200],
    ["/first", "POST", 403],
    ["/small", "POST", 200],
  ])("%s is answered to %s", async (path, method, status) => {
    const answer = await get("doors", path, { method, ...(method === "POST" ? { body: "x" } : {}) });
    // `return` comes before `deny`, as in nginx.
    expect(answer.status).toBe(path === "/denied" ? 200 : status);
  });

  test.each<[string | null, number]>([
    [null, 401],
    ["ann:secret", 200],
    ["ann:wrong", 401],
    ["bob:secret", 401],
  ])("auth_basic with %p", async (user, status) => {
    const headers = user === null ? {} : { Authorization: `Basic ${btoa(user)}` };
    const answer = await get("doors", "/auth", { method: "POST", body: "x", headers: { ...headers } });
    expect(answer.status).toBe(status);
    if (status === 401) expect(answer.fields.get("www-authenticate")).toBe('Basic realm="the realm"');
  });

  test("add_header goes on good answers, with always on all; an inner level hides the outer", async () => {
    const good = await get("doors", "/added?id=a&v=2", { method: "POST", body: "x" });
    expect([good.fields.get("x-one"), good.fields.get("x-always"), good.fields.get("x-server")]).toEqual([
      "1 2",
      "on",
      undefined,
    ]);
    const bad = await get("doors", "/added?id=ALL", { method: "POST", body: "x" });
    expect([bad.status, bad.fields.get("x-one"), bad.fields.get("x-always")]).toEqual([403, undefined, "on"]);
    const outer = await get("doors", "/mine", { method: "POST", body: "x" });
    expect(outer.fields.get("x-server")).toBe("yes");
  });

  test("client_max_body_size of one location does not bind another", async () => {
    expect((await get("doors", "/small", { method: "POST", body: "x".repeat(10) })).status).toBe(200);
    expect((await get("doors", "/small", { method: "POST", body: "x".repeat(11) })).status).toBe(413);
    expect((await get("doors", "/mine", { method: "POST", body: "x".repeat(11) })).status).toBe(200);
    expect((await get("doors", "/mine", { method: "POST", body: "x".repeat(1_048_577) })).status).toBe(413);
  });

  test("gzip packs the types it is told, from the length it is told", async () => {
    const headers = { "Accept-Encoding": "gzip" };
    const packed = await get("doors", "/gzip/style.css", { headers });
    expect(packed.fields.get("content-encoding")).toBe("gzip");
    expect(gunzipSync(packed.body).toString()).toBe("a{}".repeat(100));
    for (const path of ["/gzip/short.css", "/gzip/css"])
      expect((await get("doors", path, { headers })).fields.has("content-encoding")).toBeFalse();
    expect((await get("doors", "/gzip/style.css")).fields.has("content-encoding")).toBeFalse();
  });

  test.each([
    ["/log?x=1", "access.log", 'GET /log?x=1 HTTP/1.1" 200 6 [n]'],
    ["/buffered", "buffered.log", 'GET /buffered HTTP/1.1" 404 '],
  ])("%s is in %s", async (path, name, line) => {
    await get("doors", path, { headers: { "X-Note": "n" } });
    const file = join(server.folder, name);
    await until("the line", () => existsSync(file) && readFileSync(file, "utf8").includes("\n"));
    expect(readFileSync(file, "utf8")).toStartWith(`127.0.0.1 "${line}`);
  });
});

describe("the server of a request", () => {
  test.each([
    ["unknown.org", "default"],
    ["a.wild.org", "head"],
    ["a.b.wild.org", "head"],
    ["a.deep.wild.org", "deep"],
    ["wild.org", "default"],
    ["both.org", "head"],
    ["x.both.org:8080", "head"],
    ["tail.example.org", "tail"],
    ["re12.org", "regex"],
    ["Ann.users.org:80", "user ann"],
    ["exact.wild.org", "exact"],
    ["EXACT.wild.ORG.", "exact"],
    ["upper.org", "exact"],
  ])("%s", async (host, body) => {
    expect((await get(host, "/")).body.toString()).toBe(body);
  });

  test("without Host it is the default server's", async () => {
    const connection = await RawConnection.open(server.port);
    connection.send("GET / HTTP/1.0\r\n\r\n");
    expect((await connection.answer()).body.toString()).toBe("default");
    connection.close();
  });

  test("a unix socket beside the configuration", async () => {
    const answer = await fetch("http://x/", { unix: join(server.folder, "front.sock") });
    expect(await answer.text()).toBe("unix");
  });
});

test("the pid file holds main's id", () => {
  expect(readFileSync(join(server.folder, "nginx.pid"), "utf8")).toBe(`${server.process.pid}\n`);
});
