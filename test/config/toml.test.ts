/**
 * Each kind of fault a configuration can have, its place and its sentence; and that all of them come at once.
 */
import { describe, expect, test } from "bun:test";
import { formatFault } from "../../src/config/fault.ts";
import { readToml } from "../../src/config/toml.ts";

/** The faults of a text, one line each; none = []. */
function faultsOf(text: string): readonly string[] {
  const outcome = readToml(text, "t.toml");
  return outcome.ok ? [] : outcome.faults.map(formatFault);
}

const location = (lines: string): string => `[[location]]\nmatch = "~ ^/x/(?<room>.*)$"\n${lines}\n`;
const publisher = (lines: string): string =>
  location(`publisher = "admin"\nchannels_path = "$arg_id"\n${lines}`);
const subscriber = (lines: string): string =>
  location(`subscriber = "streaming"\nchannels_path = "$1"\n${lines}`);

const SINGLE_FAULTS: readonly (readonly [name: string, text: string, fault: string])[] = [
  ["unknown key", "worker = 1", "t.toml:1: worker = 1: unknown option, did you mean workers?"],
  ["unknown key unlike any", "zzzzzz = 1", "t.toml:1: zzzzzz = 1: unknown option."],
  [
    "unknown table",
    "[stores]\nsize = 1",
    't.toml:1: stores = {"size":1}: unknown option, did you mean store?',
  ],
  [
    "unknown key in a table",
    "\n[store]\nsise = 1",
    "t.toml:3: store.sise = 1: unknown option, did you mean size?",
  ],
  [
    "unknown key in a location",
    publisher("store_message = true"),
    "t.toml:5: location[0].store_message = true: unknown option, did you mean store_messages?",
  ],
  [
    "key in the wrong table",
    'message_ttl = "1m"',
    't.toml:1: message_ttl = "1m": unknown option here, message_ttl belongs in [store].',
  ],
  [
    "directive with the module's prefix",
    "[store]\npush_stream_message_ttl = 5",
    "t.toml:2: store.push_stream_message_ttl = 5: unknown option, did you mean message_ttl?",
  ],
  ["key named like a property of objects", "constructor = 1", "t.toml:1: constructor = 1: unknown option."],
  ["__proto__", "__proto__ = 1", "t.toml:1: __proto__ = 1: unknown option."],
  ["path as a quoted key", '"store.size" = 1', "t.toml:1: store.size = 1: unknown option."],

  [
    "number for text",
    "ping_message_text = 1",
    "t.toml:1: ping_message_text = 1: ping_message_text must be text in quotes, not 1.",
  ],
  [
    "date for text",
    "ping_message_text = 2026-01-01",
    't.toml:1: ping_message_text = "2026-01-01": ping_message_text must be text in quotes, not a date.',
  ],
  [
    "text for a flag",
    publisher('store_messages = "on"'),
    't.toml:5: location[0].store_messages = "on": store_messages must be true or false, not the text "on".',
  ],
  [
    "list for a size",
    "[store]\nsize = [1]",
    't.toml:2: store.size = [1]: size must be a size such as "64MiB", ' +
      '"512k" or a number of bytes, not a list.',
  ],
  [
    "fraction for a number",
    "workers = 1.5",
    't.toml:1: workers = 1.5: workers must be a whole number or "auto", not 1.5.',
  ],
  [
    "wrong word for a number",
    'workers = "many"',
    't.toml:1: workers = "many": workers must be a whole number or "auto", not the text "many".',
  ],
  [
    "infinity for a number",
    "[limits]\nmax_connections = inf",
    "t.toml:2: limits.max_connections = Infinity: max_connections must be a whole number, not Infinity.",
  ],
  [
    "text for a time",
    'shutdown_timeout = "soon"',
    't.toml:1: shutdown_timeout = "soon": shutdown_timeout must be a time such as "15s", ' +
      '"500ms" or a number of seconds, not the text "soon".',
  ],
  [
    "part of a second where seconds count",
    '[store]\nmessage_ttl = "1500ms"',
    't.toml:2: store.message_ttl = "1500ms": message_ttl must be a time in whole seconds such as ' +
      '"30m", "1h30m" or a number of seconds, not the text "1500ms".',
  ],
  [
    "numbers in a list of texts",
    "listen = [8080]",
    "t.toml:1: listen = [8080]: listen must be a list of texts, not a list.",
  ],
  ["number for a table", "store = 5", "t.toml:1: store = 5: store is a table, write [store]."],
  [
    "one table for locations",
    '[location]\nmatch = "/"',
    "t.toml:1: location: locations are a list of tables, write [[location]].",
  ],
  [
    "number for a location",
    "location = [1]",
    "t.toml:1: location[0] = 1: a location is a table, write [[location]].",
  ],
  [
    "bad word",
    'log_level = "loud"',
    't.toml:1: log_level = "loud": invalid log_level value: loud, ' +
      "accepted values (debug, info, warn, error).",
  ],
  [
    "bad publisher mode",
    location('publisher = "root"\nchannels_path = "$1"'),
    't.toml:3: location[0].publisher = "root": invalid publisher mode value: root, ' +
      "accepted values (normal, admin).",
  ],
  [
    "bad subscriber mode",
    location('subscriber = "sse"\nchannels_path = "$1"'),
    't.toml:3: location[0].subscriber = "sse": invalid subscriber mode value: sse, ' +
      "accepted values (streaming, polling, long-polling, eventsource, websocket).",
  ],

  [
    "no channels path",
    location('subscriber = "polling"'),
    "t.toml:1: location[0].channels_path: channels_path must be set.",
  ],
  [
    "no channels path for statistics",
    location("statistics = true"),
    "t.toml:1: location[0].channels_path: channels_path must be set.",
  ],
  [
    "a step that makes a subscriber of a location without channels",
    location('empty = true\n[[location.step]]\nsubscriber = "websocket"'),
    "t.toml:1: location[0].channels_path: channels_path must be set.",
  ],
  [
    "blank channels path",
    location('publisher = "normal"\nchannels_path = ""'),
    't.toml:4: location[0].channels_path = "": channels_path cannot be blank.',
  ],
  [
    "ping 0",
    subscriber("ping_message_interval = 0"),
    "t.toml:5: location[0].ping_message_interval = 0: ping_message_interval cannot be zero.",
  ],
  [
    "ttl 0",
    subscriber('subscriber_connection_ttl = "0s"'),
    't.toml:5: location[0].subscriber_connection_ttl = "0s": subscriber_connection_ttl cannot be zero.',
  ],
  [
    "long-poll ttl 0",
    subscriber("longpolling_connection_ttl = 0"),
    "t.toml:5: location[0].longpolling_connection_ttl = 0: longpolling_connection_ttl cannot be zero.",
  ],
  [
    "ttl longer than a timer",
    subscriber('subscriber_connection_ttl = "30d"'),
    't.toml:5: location[0].subscriber_connection_ttl = "30d": subscriber_connection_ttl must be at most 24d.',
  ],
  [
    "blank message template",
    subscriber('message_template = ""'),
    't.toml:5: location[0].message_template = "": message_template cannot be blank.',
  ],
  [
    "message ttl 0",
    "[store]\nmessage_ttl = 0",
    "t.toml:2: store.message_ttl = 0: message_ttl cannot be zero.",
  ],
  [
    "subscribers 0",
    "[limits]\nmax_subscribers_per_channel = 0",
    "t.toml:2: limits.max_subscribers_per_channel = 0: max_subscribers_per_channel cannot be zero.",
  ],
  [
    "stored messages 0",
    "[store]\nmax_messages_stored_per_channel = 0",
    "t.toml:2: store.max_messages_stored_per_channel = 0: max_messages_stored_per_channel cannot be zero.",
  ],
  [
    "id length 0",
    "[limits]\nmax_channel_id_length = 0",
    "t.toml:2: limits.max_channel_id_length = 0: max_channel_id_length cannot be zero.",
  ],
  [
    "channels 0",
    "[limits]\nmax_number_of_channels = 0",
    "t.toml:2: limits.max_number_of_channels = 0: max_number_of_channels cannot be zero.",
  ],
  [
    "small store",
    '[store]\nsize = "100k"',
    't.toml:2: store.size = "100k": The size value must be at least 128KiB.',
  ],
  ["huge store", '[store]\nsize = "4G"', 't.toml:2: store.size = "4G": size must be at most 3GiB.'],
  ["too many workers", "workers = 1000", "t.toml:1: workers = 1000: workers must be at most 256."],
  ["negative number", "workers = -1", "t.toml:1: workers = -1: workers must be at least 1."],
  [
    "ring not a power of two",
    "[store]\nring_size = 1000",
    "t.toml:2: store.ring_size = 1000: must be a power of two, such as 512 or 1024.",
  ],
  [
    "block size off the cache lines",
    "[store]\nblock_size = 200",
    "t.toml:2: store.block_size = 200: must be a multiple of 64, such as 192 or 256.",
  ],
  [
    "ring and channels larger than the store",
    'workers = 1\n[store]\nsize = "1MiB"\nchannels = 100000',
    "t.toml:3: store.size = 1048576: size is too small for its ring, channels and workers: " +
      "they and 32 blocks take 26894208 bytes.",
  ],
  [
    "store path names a folder",
    '[store]\npath = "/tmp/"',
    't.toml:2: store.path = "/tmp/": path must name a file.',
  ],
  [
    "line break in a content type",
    subscriber('default_type = "a\\r\\nb: c"'),
    't.toml:5: location[0].default_type = "a\\r\\nb: c": ' +
      "default_type must be plain ASCII on one line, not empty.",
  ],

  ["no address", "listen = []", "t.toml:1: listen = []: listen needs at least one address."],
  ["no match", "[[location]]\npage = true", "t.toml:1: location[0].match: match must be set."],
  [
    "no role",
    location(""),
    "t.toml:1: location[0]: location has no role, set one of publisher, subscriber, statistics, " +
      "stub_status, console, page, pushstream_client, sluice_client, examples, root, alias, handler, " +
      "revoke, proxy, presence_list, empty.",
  ],
  [
    "role that is false",
    location("page = false"),
    "t.toml:1: location[0]: location has no role, set one of publisher, subscriber, statistics, " +
      "stub_status, console, page, pushstream_client, sluice_client, examples, root, alias, handler, " +
      "revoke, proxy, presence_list, empty.",
  ],
  [
    "two roles",
    publisher('subscriber = "polling"'),
    "t.toml:1: location[0]: location has two roles (publisher, subscriber), it can have one.",
  ],
  [
    "three roles",
    publisher("page = true\nstatistics = true"),
    "t.toml:1: location[0]: location has 3 roles (publisher, statistics, page), it can have one.",
  ],
  [
    "unknown variable",
    location('publisher = "admin"\nchannels_path = "$nope"'),
    't.toml:4: location[0].channels_path = "$nope": unknown variable $nope.',
  ],
  [
    "unknown variable among alternatives",
    subscriber(`last_event_id = "\${arg_a|nope}"`),
    `t.toml:5: location[0].last_event_id = "\${arg_a|nope}": unknown variable $nope.`,
  ],
  [
    "group the regex does not have",
    location('publisher = "admin"\nchannels_path = "$2"'),
    't.toml:4: location[0].channels_path = "$2": unknown variable $2, the location\'s match has 1 group.',
  ],
  [
    "bare dollar",
    location('publisher = "admin"\nchannels_path = "a$"'),
    't.toml:4: location[0].channels_path = "a$": "$" must be followed by the name of a variable.',
  ],
  [
    "two bad variables in one value",
    location('publisher = "admin"\nchannels_path = "$x$y"'),
    't.toml:4: location[0].channels_path = "$x$y": unknown variable $x. unknown variable $y.',
  ],
  [
    "syntax error",
    "a = 1\n\n[store]\nsize = = 1\n",
    "t.toml:4: not valid TOML: Expected a value but found '='.",
  ],
  [
    "syntax error after a text of many lines",
    'a = """\nx\n"""\nb = "\n',
    "t.toml:4: not valid TOML: Unterminated string; newlines must be escaped in basic strings.",
  ],
  ["key twice", "workers = 1\nworkers = 2", "t.toml:2: not valid TOML: Cannot redefine key 'workers'."],
];

test.each(SINGLE_FAULTS)("%s", (_name, text, fault) => {
  expect(faultsOf(text)).toEqual([fault]);
});

describe("listen", () => {
  const BAD: readonly (readonly [address: string, sentence: string])[] = [
    ["nohost", 'an address is "host:port", "[::1]:port" or "unix:/path".'],
    ["8080", 'an address is "host:port", "[::1]:port" or "unix:/path".'],
    ["host:", 'an address is "host:port", "[::1]:port" or "unix:/path".'],
    ["host:http", 'an address is "host:port", "[::1]:port" or "unix:/path".'],
    [
      "::1:80",
      'an address is "host:port", "[::1]:port" or "unix:/path". An IPv6 address stands in brackets.',
    ],
    [":80", 'the host is missing; "0.0.0.0" or "[::]" listens on every address.'],
    ["*:80", 'the host is missing; "0.0.0.0" or "[::]" listens on every address.'],
    ["host:65536", "port 65536 is out of range, the largest is 65535."],
    ["[1.2.3.4]:80", "[1.2.3.4] is not an IPv6 address."],
    ["[zz]:80", "[zz] is not an IPv6 address."],
    ["1.2.3.256:80", "1.2.3.256 is not an IPv4 address."],
    ["a_b!:80", "a_b! is not a host name."],
    ["127.0.0.1:80 tls", 'invalid parameter "tls".'],
    ["-a:80", "-a is not a host name."],
    ["unix:relative", 'a unix address is "unix:/absolute/path/of/the.socket".'],
    ["unix:", 'a unix address is "unix:/absolute/path/of/the.socket".'],
    [`unix:/${"x".repeat(100)}`, "the path of a unix address must be at most 100 bytes."],
  ];
  test.each(BAD)("%s is refused", (address, sentence) => {
    const outcome = readToml(`listen = [${JSON.stringify(address)}]`, "t");
    expect(outcome.ok ? [] : outcome.faults.map((fault) => [fault.path, fault.sentence])).toEqual([
      ["listen[0]", sentence],
    ]);
  });

  test("good addresses are taken, also one outside a list", () => {
    expect(
      faultsOf(
        'listen = ["127.0.0.1:80", "localhost:80", "[::1]:80", "unix:/run/s", ' +
          '"a-b.c_d:1", "ab:1", "h:0", "h:0"]',
      ),
    ).toEqual([]);
    expect(faultsOf('listen = "0.0.0.0:80"')).toEqual([]);
  });

  test.each([
    ["127.0.0.1:80", "127.0.0.1:80"],
    ["localhost:80", "LOCALHOST:80"],
    ["[::1]:80", "[0:0:0:0:0:0:0:1]:80"],
    ["unix:/run/s", "unix:/run/s"],
  ])("%s and %s are duplicates", (first, second) => {
    expect(faultsOf(`listen = ["${first}", "${second}"]`)).toEqual([
      `t.toml:1: listen[1] = "${second}": duplicate listen address, the same as listen[0].`,
    ]);
  });
});

describe("match", () => {
  const BAD: readonly (readonly [match: string, sentence: string | RegExp])[] = [
    ["", "match is empty."],
    ["= ", "match is empty."],
    ["pub", 'match can never match: a path starts with "/".'],
    ["^~ pub", 'match can never match: a path starts with "/".'],
    ["/a//b", 'match can never match: "//", "/./" and "/../" are resolved before.'],
    ["= /a/..", 'match can never match: "//", "/./" and "/../" are resolved before.'],
    ["~ (", /^bad regular expression: missing \)\.$/],
    ["~* [", /^bad regular expression: /],
    ["~ (?P<x>a)", /^bad regular expression: /],
    ["~ ^/(a+)+\\1$", /^regular expression can take far too long: a text of \d+ bytes could stop a worker\./],
    [`~ ${"a".repeat(2000)}`, "match must be at most 2000 characters."],
  ];
  test.each(BAD)("%s is refused", (match, sentence) => {
    const outcome = readToml(`[[location]]\nmatch = ${JSON.stringify(match)}\npage = true`, "t");
    const faults = outcome.ok ? [] : outcome.faults;
    expect(faults.map((fault) => fault.path)).toEqual(["location[0].match"]);
    if (typeof sentence === "string") expect(faults[0]?.sentence).toBe(sentence);
    else expect(faults[0]?.sentence).toMatch(sentence);
  });

  test.each([
    ["= /a", "=/a", true],
    ["/a", "^~ /a", true],
    ["~ ^/a", "~ ^/a", true],
    ["= /a", "/a", false],
    ["~ ^/a", "~* ^/a", false],
    ["/a", "/a/", false],
  ])("%s and %s: duplicate %p", (first, second, isDuplicate) => {
    const text = [first, second].map((match) => `[[location]]\nmatch = "${match}"\npage = true\n`).join("");
    expect(faultsOf(text)).toEqual(
      isDuplicate
        ? [`t.toml:5: location[1].match = "${second}": duplicate location, the same as location[0].`]
        : [],
    );
  });
});

test("a long value is shown cut, on one line", () => {
  const [fault] = faultsOf(`workers = "${"x".repeat(200)}"`);
  expect(fault).toStartWith(`t.toml:1: workers = "${"x".repeat(78)}…: workers must be`);
});

test("a file with ten faults reports ten, each once and in the order of the file", () => {
  const faults = faultsOf(`listen = ["127.0.0.1:8080", "127.0.0.1:8080"]
workers = "lots"
pings = true
[store]
size = "1k"
message_ttl = 0
[[location]]
match = "~ ^/(x*)*\\\\1$"
subscriber = "streaming"
statistics = true
channels_path = "$arg_id"
[[location]]
match = "/sub"
subscriber = "stream"
channels_path = "$1"
[[location]]
match = "/lp"
subscriber = "long-polling"
`);
  expect(faults.map((fault) => fault.split(": ", 1)[0])).toEqual(
    [1, 2, 3, 5, 6, 7, 8, 14, 15, 16].map((line) => `t.toml:${line}`),
  );
  expect(new Set(faults).size).toBe(10);
});

describe("what is no fault", () => {
  test.each([
    ["an empty file", ""],
    ["a file of comments", "# nothing\n\r\n"],
    [
      "templates where the mode makes little of them",
      location('subscriber = "polling"\nchannels_path = "$1"\nheader_template = "h"\nfooter_template = "f"'),
    ],
    ["ping on a publisher", publisher('ping_message_interval = "15s"')],
    [
      "a blank template for eventsource",
      location('subscriber = "eventsource"\nchannels_path = "$1"\nmessage_template = ""'),
    ],
    ["the longest match", `[[location]]\nmatch = "/${"x".repeat(1999)}"\npage = true`],
    ["a page without channels", location("page = true")],
    ["a role in capitals", location('subscriber = "Long-Polling"\nchannels_path = "$1"')],
    ["named groups", location(`publisher = "admin"\nchannels_path = "$room/\${room}"`)],
    ["inactivity 0", "[store]\nchannel_inactivity_time = 0"],
    ["unlimited bodies", "[limits]\nmax_body_size = 0"],
    ["an inline table", 'store = { size = "1MiB" }'],
    ["dotted keys", 'store.size = "1MiB"'],
    ["a byte order mark and CRLF", '\ufeffworkers = 2\r\n[store]\r\nsize = "1MiB"\r\n'],
  ])("%s", (_name, text) => {
    expect(faultsOf(text)).toEqual([]);
  });
});
