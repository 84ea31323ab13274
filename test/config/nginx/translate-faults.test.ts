/**
 * Faults of an nginx.conf: every row of push-stream spec 1.2, 1.3, 1.6 and 1.8 with its text and line, and
 * nginx's own.
 */
import { describe, expect, test } from "bun:test";
import { readDocument } from "../../../src/config/document.ts";
import { faultsOf, translate, withPush, withSubscriber } from "./translated.ts";

const MODULE = "push stream module: ";

describe("main directives (push-stream spec 1.3)", () => {
  test("the shared memory is required where there is a role", () => {
    const text =
      "http {\nserver {\nlocation / { push_stream_publisher; push_stream_channels_path $arg_id; }\n}\n}";
    expect(faultsOf(translate(text))).toEqual([`1: ${MODULE}push_stream_shared_memory_size must be set.`]);
  });

  test.each(["100k", "127k", "1", "131071"])("a shared memory of %p", (size) => {
    const fits = Number.parseInt(size, 10) >= 127 && size !== "1";
    const text = withPush().replace("32M", size);
    expect(faultsOf(translate(text))).toEqual(
      fits ? [] : ["2: The push_stream_shared_memory_size value must be at least 128KiB"],
    );
  });

  test.each([
    "push_stream_message_ttl",
    "push_stream_max_subscribers_per_channel",
    "push_stream_max_messages_stored_per_channel",
    "push_stream_max_channel_id_length",
    "push_stream_max_number_of_channels",
    "push_stream_max_number_of_wildcard_channels",
  ])("%s 0", (name) => {
    expect(faultsOf(translate(withPush(`${name} 0;`)))).toEqual([`3: ${MODULE}${name} cannot be zero.`]);
  });

  test("push_stream_channel_inactivity_time 0 is accepted", () => {
    expect(faultsOf(translate(withPush("push_stream_channel_inactivity_time 0;")))).toEqual([]);
  });

  test("push_stream_timeout_with_body stands at http level only", () => {
    expect(faultsOf(translate(withPush("", "push_stream_timeout_with_body on;")))).toEqual([
      '6: "push_stream_timeout_with_body" directive is not allowed here',
    ]);
  });
});

describe("roles (push-stream spec 1.2, 1.6 row 17)", () => {
  test.each([
    ["push_stream_publisher", "unknown", "normal, admin"],
    ["push_stream_subscriber", "unknown", "streaming, polling, long-polling, eventsource, websocket"],
  ])("%s %s", (name, mode, accepted) => {
    const text = withSubscriber("", "", `${name} ${mode}`);
    expect(faultsOf(translate(text))).toEqual([
      `7: ${MODULE}invalid ${name} mode value: ${mode}, accepted values (${accepted})`,
    ]);
  });

  test.each([
    [
      "push_stream_publisher; push_stream_publisher admin",
      ['7: "push_stream_publisher" directive is duplicate'],
    ],
    ["push_stream_publisher; push_stream_subscriber", ['7: "push_stream_subscriber" directive is duplicate']],
    ["push_stream_subscriber; push_stream_publisher", ['7: "push_stream_publisher" directive is duplicate']],
    ["push_stream_publisher; push_stream_channels_statistics", []],
    ["push_stream_channels_statistics; push_stream_channels_statistics", []],
    [
      "push_stream_channels_statistics; push_stream_publisher",
      ['7: "push_stream_publisher" directive is duplicate'],
    ],
  ])("%s", (roles, faults) => {
    expect(faultsOf(translate(withSubscriber("", "", roles)))).toEqual(faults);
  });

  test("words are read without case", () => {
    expect(faultsOf(translate(withSubscriber("", "", "push_stream_subscriber Long-Polling")))).toEqual([]);
  });
});

describe("rows 1 to 8 of push-stream spec 1.6", () => {
  test.each(["push_stream_publisher", "push_stream_subscriber", "push_stream_channels_statistics"])(
    "1: %s without a channels path",
    (role) => {
      const text = `http { push_stream_shared_memory_size 1m; server {\nlocation / { ${role}; } } }`;
      expect(faultsOf(translate(text))).toEqual([`2: ${MODULE}push_stream_channels_path must be set.`]);
    },
  );

  test.each([
    ["push_stream_ping_message_interval", 8],
    ["push_stream_subscriber_connection_ttl", 8],
    ["push_stream_longpolling_connection_ttl", 8],
    ["push_stream_wildcard_channel_max_qtd", 8],
  ])("2, 3, 4, 6: %s 0", (name, line) => {
    expect(faultsOf(translate(withSubscriber(`${name} 0;`)))).toEqual([
      `${line}: ${MODULE}${name} cannot be zero.`,
    ]);
  });

  test("a zero at http level is told once, however many locations inherit it", () => {
    const text = withPush(
      "push_stream_ping_message_interval 0;",
      "location /b { push_stream_publisher; push_stream_channels_path b; }",
    );
    expect(faultsOf(translate(text))).toEqual([
      `3: ${MODULE}push_stream_ping_message_interval cannot be zero.`,
    ]);
  });

  test.each([
    ["push_stream_subscriber", [`8: ${MODULE}push_stream_message_template cannot be blank.`]],
    ["push_stream_subscriber websocket", [`8: ${MODULE}push_stream_message_template cannot be blank.`]],
    ["push_stream_subscriber eventsource", []],
  ])("5: an empty message template of %s", (role, faults) => {
    expect(faultsOf(translate(withSubscriber('push_stream_message_template "";', "", role)))).toEqual(faults);
  });

  const NO_PREFIX =
    `${MODULE}cannot set wildcard channel max qtd if ` +
    "push_stream_wildcard_channel_prefix is not set or blank.";
  test.each([
    ["", "push_stream_wildcard_channel_max_qtd 3;", [`8: ${NO_PREFIX}`]],
    [
      'push_stream_wildcard_channel_prefix "";',
      "push_stream_wildcard_channel_max_qtd 3;",
      [`8: ${NO_PREFIX}`],
    ],
    ["push_stream_max_number_of_wildcard_channels 3;", "", [`3: ${NO_PREFIX}`]],
    ["push_stream_wildcard_channel_prefix b_;", "push_stream_wildcard_channel_max_qtd 3;", []],
  ])("7: wildcards without a prefix: %p %p", (http, location, faults) => {
    expect(faultsOf(translate(withSubscriber(location, http)))).toEqual(faults);
  });

  test.each([
    [
      2,
      [
        `8: ${MODULE}max number of wildcard channels cannot be smaller than value in ` +
          "push_stream_wildcard_channel_max_qtd.",
      ],
    ],
    [3, []],
  ])("8: at most %p wildcard channels, and 3 a request", (most, faults) => {
    const number = `push_stream_max_number_of_wildcard_channels ${most};`;
    const http = `push_stream_wildcard_channel_prefix b_; ${number}`;
    expect(faultsOf(translate(withSubscriber("push_stream_wildcard_channel_max_qtd 3;", http)))).toEqual(
      faults,
    );
  });
});

describe("rows 10 to 16 of push-stream spec 1.6", () => {
  const UNPARSABLE = `${MODULE}unable to parse paddings by user agent`;
  test.each([
    ["a,x,y", `${MODULE}padding pattern not match the value a,x,y; ${UNPARSABLE}`],
    ["a,1,2:b;3;4:c,5,6", `${MODULE}error applying padding pattern to b;3;4:c,5,6; ${UNPARSABLE}`],
    ["(,1,2", `${MODULE}unable to compile agent pattern (; ${UNPARSABLE}`],
  ])("10, 11, 12: padding %p", (padding, sentence) => {
    expect(faultsOf(translate(withSubscriber(`push_stream_padding_by_user_agent "${padding}";`)))).toEqual([
      `8: ${sentence}`,
    ]);
  });

  const failure = (code: string) => Object.assign(new Error(code), { code });
  test.each([
    ["/none.html", `unable to open file "/none.html" for header template`],
    ["none.html", `unable to open file "/conf/none.html" for header template`],
    ["/locked.html", `unable to open file "/locked.html" for header template`],
    ["/folder", `unable to read data from file "/folder" for header template`],
  ])("13, 14: header file %p", (path, sentence) => {
    const files = { "/locked.html": failure("EACCES"), "/folder": failure("EISDIR") };
    const text = withSubscriber(`push_stream_header_template_file ${path};`);
    expect(faultsOf(translate(text, files))).toEqual([`8: ${MODULE}${sentence}`]);
  });

  const FILE = "push_stream_header_template_file /h.html;";
  const TEXT = "push_stream_header_template h;";
  test.each([
    [
      TEXT + FILE,
      `"push_stream_header_template_file" directive is duplicate or template set by ` +
        "'push_stream_header_template'",
    ],
    [FILE + TEXT, '"push_stream_header_template" directive is duplicate'],
    [TEXT + TEXT, '"push_stream_header_template" directive is duplicate'],
  ])("15, 16: %p", (location, sentence) => {
    expect(faultsOf(translate(withSubscriber(location), { "/h.html": "h" }))).toEqual([`8: ${sentence}`]);
  });
});

test("18: no push endpoint is a notice", () => {
  const { faults, notices } = translate("http { server { listen 80; location / { return 204; } } }");
  expect({ faults, notices }).toEqual({
    faults: [],
    notices: [`${MODULE}ngx_http_push_stream_module will not be used with this configuration.`],
  });
});

describe("values (push-stream spec 1.1)", () => {
  test.each([
    [
      "push_stream_store_messages yes;",
      'invalid value "yes" in "push_stream_store_messages" directive, it must be "on" or "off"',
    ],
    ["push_stream_store_messages ON;", null],
    [
      "push_stream_wildcard_channel_max_qtd 3x;",
      '"push_stream_wildcard_channel_max_qtd" directive invalid number',
    ],
    ["push_stream_ping_message_interval 1y;", '"push_stream_ping_message_interval" directive invalid value'],
    [
      "push_stream_ping_message_interval soon;",
      '"push_stream_ping_message_interval" directive invalid value',
    ],
    [
      "push_stream_channels_path a b;",
      'invalid number of arguments in "push_stream_channels_path" directive',
    ],
    [
      "push_stream_store_messages on; push_stream_store_messages on;",
      '"push_stream_store_messages" directive is duplicate',
    ],
    ["client_max_body_size 1x;", '"client_max_body_size" directive invalid value'],
    ["push_stream_message_ttl 1;", '"push_stream_message_ttl" directive is not allowed here'],
    ["gzip on { }", 'directive "gzip" is not terminated by ";"'],
    ["if ($arg_x);", 'directive "if" has no opening "{"'],
    [
      "if ($arg_x) { push_stream_message_template x; }",
      '"push_stream_message_template" directive is not allowed here',
    ],
    ["if ($arg_x) { charset utf-8; }", '"charset" directive inside "if" is not supported'],
    ["if ($arg_x) { if ($arg_y) { } }", '"if" directive is not allowed here'],
    ["if (-f $uri /x) { return 404; }", 'invalid condition "(-f $uri /x)"'],
    ["rewrite a b c;", 'invalid parameter "c"'],
    ["satisfy some;", 'invalid value "some" in "satisfy" directive'],
    ["limit_except FETCH { deny all; }", 'invalid method "FETCH"'],
    ["auth_request /a;", '"auth_request" directive names "/a", which no location is for'],
    ["auth_request $uri;", '"auth_request" directive with variables is not supported'],
    ["auth_request off;", null],
    [
      "auth_request /pub;",
      '"auth_request" directive to "/pub" is not supported: ' +
        "that location has neither sluice_handler nor proxy_pass",
    ],
    ["limit_req zone=a;", 'unknown limit_req_zone "a"'],
    ["if ($arg_x > 3) { return 404; }", 'unexpected ">" in condition'],
    ["if (arg_x) { return 404; }", 'invalid condition "(arg_x)"'],
    ["set x y;", 'invalid variable name "x"'],
    // A variable as any other; the module has not asked it for years.
    ["set $push_stream_channel_id $arg_id;", null],
    ["add_header A b c;", 'invalid parameter "c"'],
    ["root /a; alias /b;", '"alias" directive is duplicate'],
    ["location ~ x { location ~ y { return 204; } }", null],
    ["location ~ x { location /pub/y { return 204; } }", 'location "/pub/y" is outside location "x"'],
    ["location @x { return 204; }", 'named location "@x" can be on the server level only'],
    ["location /other { return 204; }", 'location "/other" is outside location "/pub"'],
  ])("%s", (location, sentence) => {
    expect(faultsOf(translate(withPush("", "", location)))).toEqual(
      sentence === null ? [] : [`9: ${sentence}`],
    );
  });
});

describe("names", () => {
  test.each([
    ["push_stream_broadcast_channel_prefix", ", it is push_stream_wildcard_channel_prefix now"],
    ["push_stream_broadcast_channel_max_qtd", ", it is push_stream_wildcard_channel_max_qtd now"],
    [
      "push_stream_max_number_of_broadcast_channels",
      ", it is push_stream_max_number_of_wildcard_channels now",
    ],
    ["push_stream_websocket", ', write "push_stream_subscriber websocket" now'],
    ["push_stream_eventsource_support", ', write "push_stream_subscriber eventsource" now'],
    ["push_stream_content_type", ", write default_type now"],
    ["push_stream_keepalive", ", it was removed from the module; leave it out"],
    ["push_stream_shared_memory_cleanup_objects_ttl", ", it was removed from the module; leave it out"],
    ["push_stream_max_reserved_memory", ", it is push_stream_shared_memory_size now"],
    ["push_stream_min_message_buffer_timeout", ", it is push_stream_message_ttl now"],
    ["push_stream_max_message_buffer_length", ", it is push_stream_max_messages_stored_per_channel now"],
    ["push_stream_subscriber_connection_timeout", ", it is push_stream_subscriber_connection_ttl now"],
    ["push_stream_store_mesages", ', did you mean "push_stream_store_messages"?'],
    ["frobnicate_all", ""],
  ])("%s is unknown", (name, hint) => {
    expect(faultsOf(translate(withPush("", "", `${name} x;`)))).toEqual([
      `9: unknown directive "${name}"${hint}`,
    ]);
  });

  test.each(["proxy_cache a;", "fastcgi_pass a;", "mirror /x;", "content_by_lua_block { }"])(
    "%s is not supported",
    (text) => {
      const name = /^\w+/.exec(text)?.[0] ?? "";
      const [first] = faultsOf(translate(withPush("", "", text)));
      expect(first).toBe(`9: "${name}" directive is not supported`);
    },
  );

  test.each(["split_clients $a $b { * c; }", "geo $a { default b; }"])("%s is not supported", (text) => {
    const name = /^\w+/.exec(text)?.[0] ?? "";
    expect(faultsOf(translate(withPush(text)))).toEqual([`3: "${name}" directive is not supported`]);
  });
});

test("a configuration with 10 faults reports 10, from top to bottom", () => {
  const text = `worker_processes none;
frobnicate on;
http {
push_stream_message_ttl 0;
push_stream_store_messages maybe;
upstream backend { server 127.0.0.1:1; hash $uri; }
server {
listen 127.0.0.1:9080 sideways;
location /a { push_stream_publisher loud; push_stream_channels_path $arg_id; }
location /b { push_stream_subscriber; push_stream_ping_message_interval 0; }
location /c { proxy_pass http://backend; proxy_http_version 2; }
}
}
`;
  const translation = translate(text);
  // What is left of the document has no faults of its own, so that none is told twice.
  expect(readDocument(translation.document, (path) => path).faults).toEqual([]);
  expect(faultsOf(translation)).toEqual([
    '1: "worker_processes" directive invalid value',
    '2: unknown directive "frobnicate"',
    `3: ${MODULE}push_stream_shared_memory_size must be set.`,
    `4: ${MODULE}push_stream_message_ttl cannot be zero.`,
    '5: invalid value "maybe" in "push_stream_store_messages" directive, it must be "on" or "off"',
    '6: "hash" directive is not supported',
    '8: invalid parameter "sideways"',
    `9: ${MODULE}invalid push_stream_publisher mode value: loud, accepted values (normal, admin)`,
    `10: ${MODULE}push_stream_channels_path must be set.`,
    `10: ${MODULE}push_stream_ping_message_interval cannot be zero.`,
    '11: invalid value "2"',
  ]);
});

test.each([
  ["listen 80 80;", 'invalid parameter "80"'],
  ["listen 99999;", 'invalid port in "99999" of the "listen" directive'],
  ["listen host:name;", 'invalid port in "host:name" of the "listen" directive'],
  ["listen 8000-8010;", 'invalid port in "8000-8010" of the "listen" directive'],
  ["listen 81 proxy_protocol;", '"listen" directive with "proxy_protocol" is not supported'],
  ["listen 127.0.0.1:9080;", "a duplicate listen 127.0.0.1:9080"],
  ["location @name x { }", 'invalid location modifier "@name"'],
  [
    "location = /a { location /a/b { return 204; } }",
    'location "/a/b" cannot be inside the exact location "/a"',
  ],
])("%s", (server, sentence) => {
  expect(faultsOf(translate(withPush("", server)))).toEqual([`6: ${sentence}`]);
});

test("a server whose only address and certificate are faulty has only their faults", () => {
  const text = `http { server { listen 1:x ssl;
listen 443 ssl; ssl_certificate $name;
ssl_certificate_key data:x; return 204; } }`;
  const translation = translate(text);
  expect(faultsOf(translation)).toEqual([
    '1: invalid port in "1:x" of the "listen" directive',
    '2: "ssl_certificate" directive "$name" is not supported',
    '3: "ssl_certificate_key" directive "data:x" is not supported',
  ]);
  const { faults } = readDocument(translation.document, (path) => path);
  // That the files are not there either is another matter.
  expect(faults.filter(({ sentence }) => sentence !== "there is no such file.")).toEqual([]);
});

test("a file without a server is a fault", () => {
  expect(faultsOf(translate("events { }"))).toEqual(["1: there is no server in this configuration"]);
});
