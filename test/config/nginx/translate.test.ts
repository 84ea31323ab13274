/**
 * What an nginx.conf means: values, inheritance, addresses, steps, nested locations, and where a path comes
 * from.
 */
import { describe, expect, test } from "bun:test";
import { readDocument } from "../../../src/config/document.ts";
import { compileLocations, type LocationSource } from "../../../src/config/location/locations.ts";
import { at, documentOf, type Table, translate, withPush, withSubscriber } from "./translated.ts";

const SEED = withPush().replace("push_stream_publisher admin", "push_stream_publisher");

describe("nginx's defaults", () => {
  test("of the file and the http block", () => {
    const { server, store, ...rest } = documentOf(SEED);
    expect(rest).toEqual({
      workers: 1,
      shutdown_timeout: "2s",
      drain_rate: 0,
      built_in_paths: false,
      listener: "wire",
      limits: { max_body_size: "1MiB", max_frame_size: 0, max_channels_per_request: 10_000 },
    });
    expect(store).toEqual({ size: "43MiB", channels: 32_768, keep: false });
  });

  test("of a publisher: nothing but what is written, and no header of ours", () => {
    expect(at(documentOf(SEED), "server.0.location")).toEqual([
      {
        match: "/pub",
        publisher: "normal",
        channels_path: "$arg_id",
        nosniff: false,
        module_fields: true,
        check_origin: false,
        gaps: "ignored",
      },
    ]);
  });

  test("of a subscriber: text/plain, and the three types nginx knows by itself", () => {
    expect(at(documentOf(withSubscriber("")), "server.0.location.0")).toEqual({
      match: "~ /sub/(.*)",
      subscriber: "streaming",
      channels_path: "$1",
      nosniff: false,
      check_origin: false,
      module_fields: true,
      gaps: "ignored",
      default_type: "text/plain",
      types: ["text/html html", "image/gif gif", "image/jpeg jpg"],
    });
  });

  test("of the browser client: it needs no channels", () => {
    const text = withPush("", "location = /pushstream.js { sluice_pushstream_client; }");
    expect(at(documentOf(text), "server.0.location.0")).toMatchObject({
      match: "= /pushstream.js",
      pushstream_client: true,
    });
  });

  test("a server without listen has the port that may be bound", () => {
    const port = process.getuid?.() === 0 ? 80 : 8000;
    expect(at(documentOf("http { server { return 204; } }"), "server.0.listen")).toEqual([`0.0.0.0:${port}`]);
  });
});

describe("the http level", () => {
  test.each<[string, string, unknown]>([
    [
      "push_stream_channel_deleted_message_text 'gone \"now\"';",
      "channel_deleted_message_text",
      'gone "now"',
    ],
    ['push_stream_ping_message_text "";', "ping_message_text", ""],
    ["push_stream_channel_inactivity_time 1m30s;", "store.channel_inactivity_time", "1m30s"],
    ["push_stream_timeout_with_body on;", "timeout_with_body", true],
    ["push_stream_message_ttl 1M;", "store.message_ttl", "4w2d"],
    ["push_stream_message_ttl 90;", "store.message_ttl", "1m30s"],
    ["push_stream_max_subscribers_per_channel 5;", "limits.max_subscribers_per_channel", 5],
    ["push_stream_max_messages_stored_per_channel 20;", "store.max_messages_stored_per_channel", 20],
    ["push_stream_max_channel_id_length 200;", "limits.max_channel_id_length", 200],
    ["push_stream_max_channel_id_length 1000000;", "limits.max_channel_id_length", 65_535],
    ["push_stream_max_number_of_channels 7;", "limits.max_number_of_channels", 7],
    ["push_stream_wildcard_channel_prefix broad_;", "wildcard_channel_prefix", "broad_"],
    ["push_stream_events_channel_id events;", "events_channel_id", "events"],
    ["client_max_body_size 2k;", "limits.max_body_size", "2KiB"],
    ["client_max_body_size 0;", "limits.max_body_size", 0],
    ["keepalive_timeout 65;", "keepalive_timeout", "1m5s"],
    ["keepalive_timeout 10m;", "keepalive_timeout", "10m"],
    ["log_format a '$remote_addr ' '$status';", "log_format", ["a $remote_addr $status"]],
    ["log_format a escape=json '{$status}';", "log_format", ["a escape=json {$status}"]],
  ])("%s", (http, path, value) => {
    expect(at(documentOf(withPush(http)), path)).toEqual(value);
  });

  test.each<[string, string, unknown]>([
    ["worker_processes 3;", "workers", 3],
    ["worker_processes auto;", "workers", "auto"],
    ["pid logs/push.pid;", "pid_file", "/conf/logs/push.pid"],
    ["error_log /var/log/e.log notice;", "log_level", "info"],
    ["error_log /var/log/e.log;", "log_level", "error"],
    ["error_log /var/log/e.log;", "error_log", "/var/log/e.log"],
    ["error_log stderr debug;", "error_log", undefined],
    ["worker_shutdown_timeout 5s;", "shutdown_timeout", "5s"],
  ])("the file: %s", (main, path, value) => {
    expect(at(documentOf(main + SEED), path)).toEqual(value);
  });

  test("a zone may have a name, and its records come on top of its size", () => {
    const document = documentOf(SEED.replace("32M", "128k room"));
    expect(document["store"]).toEqual({ size: "244KiB", channels: 256, zone: "room", keep: false });
  });

  test.each(["128k", "129k", "1m", "10m", "500m", "4096m"])("a zone of %s fits its records", (size) => {
    for (const workers of ["1", "16", "64", "256", "auto"]) {
      const { document, faults } = translate(`worker_processes ${workers}; ${SEED.replace("32M", size)}`);
      expect([faults, readDocument(document, (path) => path).faults]).toEqual([[], []]);
    }
  });

  test("what is beyond a bound is cut, and told", () => {
    expect(translate(withPush("push_stream_max_channel_id_length 1000000;")).notices).toEqual([
      "/conf/nginx.conf:3: push_stream_max_channel_id_length is cut to 65535",
    ]);
  });
});

describe("endpoint tuning", () => {
  test.each<[string, string, unknown]>([
    ["push_stream_store_messages on;", "store_messages", true],
    ["push_stream_channel_info_on_publish off;", "channel_info_on_publish", false],
    ["push_stream_authorized_channels_only on;", "authorized_channels_only", true],
    ['push_stream_header_template "a\\r\\n\\\\nb";', "header_template", "a\r\n\\nb"],
    ["push_stream_message_template '~id~:\"~text~\"';", "message_template", '~id~:"~text~"'],
    ["push_stream_footer_template </html>;", "footer_template", "</html>"],
    ["push_stream_ping_message_interval 500ms;", "ping_message_interval", "500ms"],
    ["push_stream_ping_message_interval 1m500ms;", "ping_message_interval", "1m500ms"],
    ["push_stream_subscriber_connection_ttl 2;", "subscriber_connection_ttl", "2s"],
    ["push_stream_subscriber_connection_ttl 8w;", "subscriber_connection_ttl", "3w3d"],
    ["push_stream_longpolling_connection_ttl 1d;", "longpolling_connection_ttl", "1d"],
    ["push_stream_allow_connections_to_events_channel on;", "allow_connections_to_events_channel", true],
    ["push_stream_last_received_message_time $arg_time;", "last_received_message_time", "$arg_time"],
    ['push_stream_last_received_message_tag "$arg_tag";', "last_received_message_tag", "$arg_tag"],
    ["push_stream_last_event_id $arg_eventid;", "last_event_id", "$arg_eventid"],
    ["push_stream_user_agent $arg_ua;", "user_agent", "$arg_ua"],
    [
      'push_stream_padding_by_user_agent "[T|t]est 1,1024,508";',
      "padding_by_user_agent",
      "[T|t]est 1,1024,508",
    ],
    ["push_stream_allowed_origins $http_origin;", "allowed_origins", "$http_origin"],
  ])("%s counts at every level", (directive, key, value) => {
    expect(at(documentOf(withSubscriber(directive)), `server.0.location.0.${key}`)).toEqual(value);
    expect(at(documentOf(withPush(directive)), `server.0.location.0.${key}`)).toEqual(value);
    expect(at(documentOf(withPush("", directive)), `server.0.location.0.${key}`)).toEqual(value);
  });

  test("the channel of messages by WebSocket is inherited, where there are such messages", () => {
    const socket = "push_stream_subscriber websocket; push_stream_channels_path x;";
    const document = documentOf(
      withPush(
        "sluice_websocket_publish_channel $arg_to;",
        `location /w { ${socket} push_stream_websocket_allow_publish on; } location /v { ${socket} }
         location /u { ${socket} push_stream_websocket_allow_publish on;
           sluice_websocket_publish_channel ""; }`,
      ),
    );
    const channels = [0, 1, 2, 3].map((i) =>
      at(document, `server.0.location.${i}.websocket_publish_channel`),
    );
    expect(channels.filter((channel) => channel !== undefined)).toEqual(["$arg_to"]);
  });

  test("publishing by WebSocket is inherited, and said of WebSockets only", () => {
    const path = "push_stream_channels_path x;";
    const document = documentOf(
      withPush(
        "push_stream_websocket_allow_publish on;",
        `location /w { push_stream_subscriber websocket; ${path} }`,
      ),
    );
    expect(at(document, "server.0.location.0.websocket_allow_publish")).toBe(true);
    expect(at(document, "server.0.location.1.websocket_allow_publish")).toBeUndefined();
  });

  test("an inner value replaces an outer one", () => {
    const name = "push_stream_message_template";
    const document = documentOf(
      withPush(
        `${name} a;`,
        `${name} b; location /c { push_stream_publisher; push_stream_channels_path x; }`,
        `${name} c;`,
      ),
    );
    expect(at(document, "server.0.location.0.message_template")).toBe("b");
    expect(at(document, "server.0.location.1.message_template")).toBe("c");
  });

  test("a header file is read, and fills the slot of the text", () => {
    const files = { "/conf/h.html": "<html>\r\n\u{1f389}" };
    const text = withPush(
      "push_stream_header_template outer;",
      "",
      "push_stream_header_template_file h.html;",
    );
    expect(at(documentOf(text, files), "server.0.location.0.header_template")).toBe("<html>\r\n\u{1f389}");
    const other = withPush(
      "push_stream_header_template_file h.html;",
      "",
      "push_stream_header_template inner;",
    );
    expect(at(documentOf(other, files), "server.0.location.0.header_template")).toBe("inner");
  });

  test("captures that the regex does not have are empty", () => {
    const text = withSubscriber("").replace("channels_path $1", `channels_path a$1b$2c${"$"}{3}d`);
    expect(at(documentOf(text), "server.0.location.0.channels_path")).toBe("a$1bcd");
  });

  test("captures of a condition are kept", () => {
    const text = withPush("", "", 'if ($arg_x ~ "^(.)(.*)$") { push_stream_channels_path $2; }');
    expect(at(documentOf(text), "server.0.location.0.step.0.channels_path")).toBe("$2");
  });
});

describe("conditions", () => {
  test.each([
    ["($arg_test)", "$arg_test"],
    ["( $arg_test )", "$arg_test"],
    ["($arg_qs = on)", "$arg_qs = on"],
    ['($arg_qs = "on")', "$arg_qs = on"],
    ['($arg_qs = "")', '$arg_qs = ""'],
    ['($arg_qs != "a b")', '$arg_qs != "a b"'],
    ['($http_x = "say \\"hi\\"")', '$http_x = "say \\"hi\\""'],
    ["($http_user_agent ~ MSIE)", "$http_user_agent ~ MSIE"],
    ["($http_user_agent ~* \\.php$)", '$http_user_agent ~* "\\\\.php$"'],
    ["($request_method !~ ^(GET|HEAD)$)", "$request_method !~ ^(GET|HEAD)$"],
    ["($uri !~* (?i)x)", "$uri !~* x"],
    ["($uri ~ (?i)x)", "$uri ~* x"],
  ])("if %s", (condition, text) => {
    expect(
      at(documentOf(withPush("", "", `if ${condition} { return 403; }`)), "server.0.location.0.step.0"),
    ).toEqual({
      if: text,
      return: "403",
    });
  });

  test("steps keep their order", () => {
    const steps =
      `set $a "x y"; if ($arg_a) { set $b 1; set $c ""; return 302 /x; set $d 2; } ` +
      `return 200 "b c"; break;`;
    expect(at(documentOf(withPush("", steps)), "server.0.step")).toEqual([
      { set: ["$a x y"] },
      { if: "$arg_a", set: ["$b 1", "$c "], return: "302 /x" },
      { return: "200 b c" },
      { break: true },
    ]);
  });

  test("an if of a location changes what it names", () => {
    const text = "if ($arg_test) { push_stream_channels_path test_$arg_id; push_stream_store_messages on; }";
    expect(at(documentOf(withPush("", "", text)), "server.0.location.0.step")).toEqual([
      { if: "$arg_test", channels_path: "test_$arg_id", store_messages: true },
    ]);
  });
});

describe("listen", () => {
  test.each([
    ["80", "0.0.0.0:80"],
    ["*:81", "0.0.0.0:81"],
    ["127.0.0.1", "127.0.0.1:80"],
    ["127.0.0.1:82", "127.0.0.1:82"],
    ["localhost:83", "localhost:83"],
    ["[::]:84 ipv6only=on", "[::]:84 ipv6only"],
    ["[::]:84 ipv6only=off", "[::]:84"],
    ["[::1]", "[::1]:80 ipv6only"],
    ["unix:/run/push.sock", "unix:/run/push.sock"],
    ["unix:push.sock default_server", "unix:/conf/push.sock"],
    ["85 default_server ssl http2", "0.0.0.0:85 default_server ssl http2"],
    [
      "86 reuseport backlog=4096 so_keepalive=30m::10 deferred fastopen=3 rcvbuf=8192 sndbuf=64k bind",
      "0.0.0.0:86 backlog=4096 keepalive=30m::10 deferred fastopen=3 sndbuf=64k",
    ],
    ["87 so_keepalive=off", "0.0.0.0:87 keepalive=off"],
  ])("%s is %s", (text, address) => {
    const server = `listen ${text}; ssl_certificate c.pem; ssl_certificate_key /k.pem;`;
    expect(at(documentOf(`http { server { ${server} return 204; } }`), "server.0.listen")).toEqual([address]);
  });

  test("certificates are inherited; http2 and ssl may be directives", () => {
    const text =
      "http { ssl_certificate a.pem; ssl_certificate_key b.pem; server { listen 443; ssl on; http2 on; " +
      "server_name a .b; return 204; } }";
    expect(at(documentOf(text), "server.0")).toEqual({
      listen: ["0.0.0.0:443 ssl http2"],
      server_name: ["a", ".b"],
      tls_certificate: "/conf/a.pem",
      tls_certificate_key: "/conf/b.pem",
      step: [{ return: "204" }],
    });
  });

  test("what the runtime does by itself is listed", () => {
    const { ignored } = translate(withPush("", "listen 81 rcvbuf=8k reuseport;"));
    expect(ignored.map(({ name, line }) => `${name}:${line}`)).toEqual([
      "listen … rcvbuf:6",
      "listen … reuseport:6",
    ]);
  });
});

describe("files and nginx's own options of a location", () => {
  const location = (http: string, server: string, inner: string) =>
    at(
      documentOf(`http { ${http} server { listen 1; ${server} location / { ${inner} } } }`),
      "server.0.location.0",
    );
  const NONE = {
    match: "/",
    default_type: "text/plain",
    types: ["text/html html", "image/gif gif", "image/jpeg jpg"],
  };

  test.each<[string, string, string, Table]>([
    ["", "", "", { empty: true }],
    ["root /a;", "", "", { root: "/a" }],
    ["root /a;", "root html;", "", { root: "/conf/html" }],
    ["root /a;", "", "alias b/;", { alias: "/conf/b/" }],
    ["root /a;", "", "index a.html b.html;", { root: "/a", index: ["a.html", "b.html"] }],
    ["default_type a/b;", "", "", { empty: true, default_type: "a/b" }],
    ["default_type 'custom content type';", "", "", { empty: true, default_type: "custom content type" }],
    ["types { a/b c d; e/f g; }", "", "", { empty: true, types: ["a/b c d", "e/f g"] }],
    ["types { a/b c; }", "", "types { e/f g; }", { empty: true, types: ["e/f g"] }],
    ["", "", "types { }", { empty: true, types: [] }],
    [
      "charset utf-8;",
      "",
      "default_type text/html; types { text/html html; a/b c; }",
      {
        empty: true,
        default_type: "text/html; charset=utf-8",
        types: ["text/html;charset=utf-8 html", "a/b c"],
      },
    ],
    ["allow 10.0.0.0/8; deny all;", "", "", { empty: true, access: ["allow 10.0.0.0/8", "deny all"] }],
    ["allow 10.0.0.0/8; deny all;", "", "allow all;", { empty: true, access: ["allow all"] }],
    [
      "add_header A b; add_header C 'd e' always;",
      "",
      "",
      { empty: true, add_header: ["A b", "always C d e"] },
    ],
    ["add_header A b;", "", "add_header C d;", { empty: true, add_header: ["C d"] }],
    [
      "auth_basic 'the realm'; auth_basic_user_file users;",
      "",
      "",
      { empty: true, auth_basic: "the realm", auth_basic_user_file: "/conf/users" },
    ],
    ["auth_basic a; auth_basic_user_file users;", "", "auth_basic off;", { empty: true }],
    [
      "gzip on; gzip_types text/html a/b; gzip_min_length 1k; gzip_comp_level 5;",
      "",
      "",
      { empty: true, gzip: true, gzip_types: ["a/b"], gzip_min_length: 1024, gzip_comp_level: 5 },
    ],
    ["gzip on;", "", "gzip off;", { empty: true }],
    [
      "access_log a.log; access_log /b.log combined buffer=4k flush=1s gzip;",
      "",
      "",
      { empty: true, access_log: ["/conf/a.log", "/b.log combined buffer=4k flush=1s"] },
    ],
    ["access_log a.log;", "", "access_log off;", { empty: true }],
    ["client_max_body_size 5k;", "", "", { empty: true }],
    ["client_max_body_size 5k;", "client_max_body_size 6k;", "", { empty: true, max_body_size: "6KiB" }],
    ["root /a;", "", "expires 1h; add_header A b;", { root: "/a", add_header: ["A b"], expires: "1h" }],
    [
      "root /a;",
      "error_page 500 502 /50x.html;",
      "try_files $uri $document_root/x =404; expires off;",
      { root: "/a", try_files: ["$uri", "/a/x", "=404"], error_page: ["500 502 /50x.html"] },
    ],
    ["", "set $r /srv/www; root $r/site;", "", { root: "/srv/www/site" }],
    ["", "set $r /srv; root $r; if ($arg_r) { set $r /x; }", "", { root: "$r" }],
    [
      "root /a; autoindex on; etag off; max_ranges 0; if_modified_since before; absolute_redirect off;",
      "",
      "internal; satisfy any; limit_except GET { deny all; }",
      {
        root: "/a",
        autoindex: true,
        etag: false,
        ranges: false,
        if_modified_since: "before",
        absolute_redirect: false,
        internal: true,
        satisfy: "any",
        limit_except: ["GET"],
        limit_except_access: ["deny all"],
      },
    ],
  ])("%p %p %p", (http, server, inner, expected) => {
    const ofFiles = "root" in expected || "alias" in expected ? { if_modified_since: "exact" } : {};
    expect(location(http, server, inner)).toEqual({ ...NONE, ...ofFiles, ...expected });
  });

  test("map", () => {
    const text = `http { server { listen 1; }
      map $http_x $y { hostnames; volatile; default a; "" b; ~*^c\\.(d)$ $1; "~e f" g; .h i; j ""; } }`;
    expect(documentOf(text)["map"]).toEqual([
      {
        from: "$http_x",
        to: "$y",
        hostnames: true,
        default: "a",
        cases: ['"" b', '"~*^c\\\\.(d)$" $1', '"~e f" g', ".h i", "j"],
      },
    ]);
  });

  test("what stands in an if in another order than a step has becomes several steps", () => {
    const text = "http { server { listen 1; if ($arg_a) { rewrite ^/a /b; set $x y; break; } } }";
    expect(at(documentOf(text), "server.0.step")).toEqual([
      { set: ["$sluice_if_1 "] },
      { if: "$arg_a", set: ["$sluice_if_1 1"] },
      { if: "$sluice_if_1", rewrite: ["^/a /b"] },
      { if: "$sluice_if_1", set: ["$x y"], break: true },
    ]);
  });

  test("pages for errors that a push location has no page for are left out there", () => {
    const pages = "error_page 404 /a; error_page 403 413 500 /b; error_page 502 504 /c;";
    const ofPush = (location: string): unknown =>
      at(documentOf(withPush("", pages, location)), "server.0.location.0.error_page");
    expect(ofPush("")).toEqual(["413 /b"]);
    expect(ofPush("allow 10.0.0.0/8; deny all;")).toEqual(["404 /a", "403 413 /b"]);
    expect(ofPush("if ($arg_x) { return 404; }")).toEqual(["404 /a", "403 413 /b"]);
    const plain = at(documentOf(withPush("", pages)), "server.0.location.1");
    expect(plain).toMatchObject({ match: "/", error_page: ["404 /a", "403 413 500 /b", "502 504 /c"] });
  });

  test("a server's root is for what no location takes", () => {
    const document = documentOf(withPush("", "root /srv; autoindex off;"));
    expect(at(document, "server.0.location.1")).toMatchObject({ match: "/", root: "/srv" });
  });
});

describe("nested locations", () => {
  interface Nested {
    readonly match: string;
    readonly location?: readonly Nested[];
    readonly step?: readonly { readonly return: string }[];
  }
  const nested = (server: string) =>
    at(documentOf(`http { server { listen 1; ${server} } }`), "server.0.location") as readonly Nested[];
  const shown = ({ match, location = [] }: Nested): string =>
    location.length === 0 ? match : `${match} { ${location.map(shown).join(", ")} }`;
  const matches = (server: string) => nested(server).map(shown);

  test.each([
    ["location /a { location /a/b { } location = /a/c { } }", ["/a { /a/b, = /a/c }"]],
    ["location ~ x { } location ^~ /a { location ~ (.)b { } }", ["~ x", "^~ /a { ~ (.)b }"]],
    // No path is like these, which nginx takes as well.
    ["location ^~ ^(/x\\.php)$ { } location b { } location /a//b { } location /c { }", ["/c"]],
    [
      "location =/a { } location ~*\\.php$ { } location ~ x { } location ~ x { }",
      ["= /a", "~* \\.php$", "~ x"],
    ],
    ["location @named { } location / { }", ["@named", "/"]],
  ])("%s", (server, expected) => {
    expect(matches(server)).toEqual(expected);
  });

  /** Answers of nginx 1.22 to the same file. */
  test.each([
    ["/a/b/x", "ax"],
    ["/a/b/q", "abq"],
    ["/a/b/qx", "abq"],
    ["/a/b", "ab"],
    ["/a/b.top", "top"],
    ["/a/b/x.top", "ax"],
    ["/a/f/x", "af"],
    ["/a/f/x.top", "top"],
    ["/a/e", "ae"],
    ["/a/ex", "ax"],
    ["/a/c/x", "ac"],
    ["/a/d", "ad"],
    ["/ax", "ax"],
    ["/h/i.top", "hi"],
    ["/h.top", "h"],
    ["/h/x.re", "hre"],
    ["/x.re", "root"],
    ["/r/z", "rz"],
    ["/r/q", "r"],
    ["/x", "root"],
  ])("%s is answered by %s", (path, name) => {
    const tree = nested(`
      location / { return 200 root; }
      location ~ \\.top$ { return 200 top; }
      location /a {
        location /a/b { location ~ q { return 200 abq; } return 200 ab; }
        location ~ (.)x { return 200 ax; }
        location = /a/e { return 200 ae; }
        location ^~ /a/f { return 200 af; }
        return 200 a;
      }
      location /a/c { return 200 ac; }
      location ^~ /h {
        location /h/i { return 200 hi; }
        location ~ \\.re$ { return 200 hre; }
        return 200 h;
      }
      location = /a/d { return 200 ad; }
      location ~ ^/r/ { location ~ (z) { return 200 rz; } return 200 r; }`);
    const answers: string[] = [];
    const source = ({ match, location = [], step }: Nested): LocationSource => {
      const index = answers.push(step?.[0]?.return ?? "") - 1;
      return { match, index, inner: location.map(source) };
    };
    const found = compileLocations(tree.map(source))(path)?.index ?? -1;
    expect(answers[found]).toBe(`200 ${name}`);
  });

  test("what an outer location says counts inside, its role too", () => {
    const text = withPush(
      "",
      "",
      "push_stream_store_messages on; location /pub/quiet { push_stream_store_messages off; }",
    );
    expect(at(documentOf(text), "server.0.location.0.location.0")).toEqual({
      match: "/pub/quiet",
      publisher: "admin",
      channels_path: "$arg_id",
      store_messages: false,
      nosniff: false,
      module_fields: true,
      check_origin: false,
      gaps: "ignored",
    });
  });
});

test("paths of the document are found in the file", () => {
  const { lineOf } = translate(
    withPush(
      "push_stream_message_ttl 5;",
      "return 204;",
      "push_stream_store_messages on;\nif ($arg_a) {\nreturn 403;\n}",
    ),
  );
  const line = (path: string) => lineOf(path)?.line;
  expect([
    line("store.message_ttl"),
    line("server[0]"),
    line("server[0].listen[0]"),
    line("server[0].step[0].return"),
    line("server[0].location[0]"),
    line("server[0].location[0].match"),
    line("server[0].location[0].store_messages"),
    line("server[0].location[0].step[0].return"),
    line("server[0].location[0].nothing"),
    line("nothing"),
  ]).toEqual([3, 4, 5, 6, 7, 7, 9, 11, 7, undefined]);
});

test("harmless directives are listed once", () => {
  const text = `user www-data; load_module modules/ngx_http_push_stream_module.so;
  events { worker_connections 1; }
${withPush("sendfile on; proxy_buffering on; ssl_protocols TLSv1.3;", "sendfile off;")}`;
  const { faults, ignored } = translate(text);
  expect(faults).toEqual([]);
  expect(ignored.map(({ name, line }) => `${name}:${line}`)).toEqual([
    "load_module:1",
    "sendfile:5",
    "proxy_buffering:5",
  ]);
});

test("auth_request asks the backend its location passes to, or the handler; limit_req is a rate", () => {
  const text = `events {} http {
push_stream_shared_memory_size 1m;
limit_req_zone $binary_remote_addr zone=slow:10m rate=30r/m;
limit_req_zone $server_name zone=all:10m rate=30r/m;
server {
listen 127.0.0.1:9080;
auth_request /auth;
limit_req zone=slow burst=5 nodelay;
location = /auth { internal; proxy_pass http://127.0.0.1:9000; proxy_pass_request_body off;
  proxy_set_header X-Team $http_x_team; proxy_set_header X-Other $remote_addr; }
location /checks/ { proxy_pass http://127.0.0.1:9000/v1/; }
location = /code { sluice_handler decide.ts; auth_request off; }
location /a { push_stream_publisher; push_stream_channels_path a; }
location /b { push_stream_publisher; push_stream_channels_path a; auth_request /checks/who;
  limit_req_status 429; }
location /c { push_stream_publisher; push_stream_channels_path a; auth_request /code; limit_req_dry_run on; }
location /d { push_stream_publisher; push_stream_channels_path a; auth_request off; }
}
}`;
  const { document, faults } = translate(text);
  expect(faults).toEqual([]);
  const [server] = document["server"] as { location: Record<string, unknown>[] }[];
  const shown = (server?.location ?? []).map(
    ({ match, auth_request, auth_headers, auth_cache, rate, internal }) =>
      [match, auth_request, auth_headers, auth_cache, rate, internal].filter((one) => one !== undefined),
  );
  const told = ["Cookie", "Authorization"];
  const slow = "30/m burst 5 status 503";
  expect(shown).toEqual([
    ["= /auth", slow, true],
    ["/checks/", "http://127.0.0.1:9000/auth", [...told, "X-Team"], "0", slow, true],
    ["= /code", slow],
    ["/a", "http://127.0.0.1:9000/auth", [...told, "X-Team"], "0", slow],
    ["/b", "http://127.0.0.1:9000/v1/who", told, "0", "30/m burst 5 status 429"],
    ["/c", "/code", told, "0"],
    ["/d", slow],
  ]);
  const faulty = (location: string) =>
    translate(`events {} http {
push_stream_shared_memory_size 1m;
limit_req_zone $server_name zone=all:10m rate=30r/m;
server { listen 127.0.0.1:9080;
location = /auth { proxy_pass http://$host; }
location = /passed { proxy_pass http://127.0.0.1:1; }
location /a { push_stream_publisher; push_stream_channels_path a; ${location} } } }`).faults.map(
      ({ sentence }) => sentence,
    );
  expect(faulty("")).toEqual([]);
  expect(faulty("auth_request /auth;")).toEqual([
    '"proxy_pass" directive to "http://$host" is not supported',
  ]);
  expect(faulty("limit_req zone=all;")).toEqual([
    '"limit_req_zone" directive by "$server_name" is not supported, only by $binary_remote_addr',
  ]);
});
