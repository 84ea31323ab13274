/**
 * The push stream module's directives as they act (push-stream spec 1.1, 1.3, 1.4, 1.5) on the compiled
 * binary: at every level they may stand at, in the blocks of an `if`, with every spelling of a value.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, RawConnection, type RawRequest } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { binary, type RunningServer } from "../binary/running-server.ts";
import { forWorkers, startNginx } from "./nginx-server.ts";

setDefaultTimeout(60_000);

let server: RunningServer;

const at = async (host: string, path: string, request: RawRequest = {}): Promise<string> => {
  const answer = await ask(server.port, path, { ...request, headers: { Host: host, ...request.headers } });
  return `${answer.status} ${answer.body.toString()}`;
};

const post = (
  host: string,
  path: string,
  body = "x",
  headers: Record<string, string> = {},
): Promise<string> => at(host, path, { method: "POST", body, headers });

/** The whole body of a stream that ends by itself. */
const body = async (host: string, path: string, headers: Record<string, string> = {}): Promise<string> =>
  (await at(host, path, { headers })).slice(4);

interface Tuning {
  /** What stands at the level in question. */
  readonly directive: string;
  /** What stands around it, and must not count any more. */
  readonly outer: string;
  /** Looks from outside; `host` is the server, its name is a fresh channel's, too. */
  readonly look: (host: string) => Promise<string>;
  readonly sees: string;
}

/** Roles that each server has, so that a directive has somebody to act on. */
const ROLES: readonly (readonly [path: string, role: string])[] = [
  ["/pub", "push_stream_publisher admin; push_stream_channels_path $arg_id;"],
  ["~ ^/sub/(.*)$", "push_stream_subscriber; push_stream_channels_path $1;"],
  ["~ ^/ev/(.*)$", "push_stream_subscriber eventsource; push_stream_channels_path $1;"],
  ["~ ^/poll/(.*)$", "push_stream_subscriber polling; push_stream_channels_path $1;"],
  ["~ ^/lp/(.*)$", "push_stream_subscriber long-polling; push_stream_channels_path $1;"],
  ["~ ^/ws/(.*)$", "push_stream_subscriber websocket; push_stream_channels_path $1;"],
];

const LONG_AGO = "Thu, 01 Jan 1970 00:00:00 GMT";
const stored = async (host: string, text = "x", headers: Record<string, string> = {}): Promise<void> => {
  await post("keeper", `/pub?id=${host}`, text, headers);
};

const TUNING: Readonly<Record<string, Tuning>> = {
  store_messages: {
    directive: "push_stream_store_messages on;",
    outer: "push_stream_store_messages off;",
    look: (host) => post(host, `/pub?id=${host}`),
    sees: '200 {"channel": "HOST", "published_messages": 1, "stored_messages": 1, "subscribers": 0}\r\n',
  },
  channel_info_on_publish: {
    directive: "push_stream_channel_info_on_publish off;",
    outer: "push_stream_channel_info_on_publish on;",
    look: (host) => post(host, `/pub?id=${host}`),
    sees: "200 ",
  },
  authorized_channels_only: {
    directive: "push_stream_authorized_channels_only on;",
    outer: "push_stream_authorized_channels_only off;",
    look: (host) => at(host, `/poll/${host}`),
    sees: "403 ",
  },
  header_template: {
    directive: "push_stream_header_template 'HEAD\\r\\n';",
    outer: "push_stream_header_template_file header.html;",
    look: async (host) => {
      await stored(host);
      return await at(host, `/poll/${host}.b1`);
    },
    sees: "200 HEAD\r\nx",
  },
  header_template_file: {
    directive: "push_stream_header_template_file header.html;",
    outer: "push_stream_header_template HEAD;",
    look: async (host) => {
      await stored(host);
      return await at(host, `/poll/${host}.b1`);
    },
    sees: "200 <html>\nx",
  },
  message_template: {
    directive: 'push_stream_message_template "<~id~ ~text~ \\\\n>";',
    outer: "push_stream_message_template outer;",
    look: async (host) => {
      await stored(host);
      return await at(host, `/poll/${host}.b1`);
    },
    sees: "200 <1 x \\n>",
  },
  footer_template: {
    directive: "push_stream_footer_template FOOT;",
    outer: "push_stream_footer_template outer;",
    look: async (host) => {
      await stored(host);
      return await at(host, `/poll/${host}.b1`);
    },
    sees: "200 xFOOT",
  },
  wildcard_channel_max_qtd: {
    directive: "push_stream_wildcard_channel_max_qtd 1;",
    outer: "push_stream_wildcard_channel_max_qtd 3;",
    look: async (host) => `${await at(host, "/poll/w_1/n")} ${await at(host, "/poll/w_1/w_2/n")}`,
    sees: "304  403 ",
  },
  ping_message_interval: {
    directive: "push_stream_ping_message_interval 100ms; push_stream_subscriber_connection_ttl 250ms;",
    outer: "push_stream_ping_message_interval 5m; push_stream_subscriber_connection_ttl 10m;",
    look: async (host) =>
      /^(?:PING){1,2}$/.exec(await body(host, `/sub/${host}`)) === null ? "no" : "pinged",
    sees: "pinged",
  },
  subscriber_connection_ttl: {
    directive: "push_stream_subscriber_connection_ttl 100ms;",
    outer: "push_stream_subscriber_connection_ttl 10m;",
    look: (host) => at(host, `/ev/${host}`),
    sees: "200 : \n",
  },
  "subscriber_connection_ttl, of a long poll": {
    directive: "push_stream_subscriber_connection_ttl 100ms;",
    outer: "push_stream_subscriber_connection_ttl 10m;",
    look: (host) => at(host, `/lp/${host}`),
    sees: "304 ",
  },
  longpolling_connection_ttl: {
    directive: "push_stream_longpolling_connection_ttl 100ms; push_stream_subscriber_connection_ttl 10m;",
    outer: "push_stream_longpolling_connection_ttl 10m;",
    look: (host) => at(host, `/lp/${host}`),
    sees: "304 ",
  },
  websocket_allow_publish: {
    directive: "push_stream_websocket_allow_publish on; push_stream_store_messages on;",
    outer: "push_stream_websocket_allow_publish off;",
    look: async (host) => {
      const socket = await RawWebSocket.open(server.port, `/ws/${host}`, { Host: host });
      socket.sendFrame(Opcode.TEXT, "said");
      const text = await socket.text();
      socket.close();
      return `${text} ${await at(host, `/poll/${host}.b1`)}`;
    },
    sees: "said 200 said",
  },
  allow_connections_to_events_channel: {
    directive: "push_stream_allow_connections_to_events_channel on;",
    outer: "push_stream_allow_connections_to_events_channel off;",
    look: (host) => at(host, "/poll/events"),
    sees: "304 ",
  },
  last_received_message_time: {
    directive: "push_stream_last_received_message_time $arg_time;",
    outer: "push_stream_last_received_message_time '';",
    look: async (host) => {
      await stored(host);
      const headers = { "If-Modified-Since": LONG_AGO };
      return (
        `${await at(host, `/poll/${host}`, { headers })} ` +
        `${await at(host, `/poll/${host}?time=${encodeURIComponent(LONG_AGO)}`)}`
      );
    },
    sees: "304  200 x",
  },
  last_received_message_tag: {
    directive: "push_stream_last_received_message_tag $http_x_tag;",
    outer: "push_stream_last_received_message_tag '';",
    look: async (host) => {
      const answer = await ask(server.port, `/poll/${host}`, {
        headers: { Host: host, "X-Tag": "W/7", "If-None-Match": "9" },
      });
      return `${answer.status} ${answer.fields.get("etag")}`;
    },
    sees: "304 W/7",
  },
  last_event_id: {
    directive: "push_stream_last_event_id $cookie_last;",
    outer: "push_stream_last_event_id '';",
    look: async (host) => {
      await stored(host, "one", { "Event-Id": "e1" });
      await stored(host, "two", { "Event-Id": "e2" });
      const byHeader = await at(host, `/poll/${host}`, { headers: { "Last-Event-Id": "e1" } });
      return `${byHeader} ${await at(host, `/poll/${host}`, { headers: { Cookie: "last=e1" } })}`;
    },
    sees: "304  200 two",
  },
  user_agent: {
    directive:
      "push_stream_user_agent $arg_ua; push_stream_subscriber_connection_ttl 100ms; " +
      "push_stream_header_template H;",
    outer: "push_stream_user_agent '';",
    look: async (host) => {
      const byHeader = await body(host, `/sub/${host}`, { "User-Agent": "padded" });
      const byArgument = await body(host, `/sub/${host}?ua=padded`);
      return `${byHeader.length} ${byArgument.length}`;
    },
    sees: "1 201",
  },
  padding_by_user_agent: {
    directive:
      'push_stream_padding_by_user_agent "[p|q]added,120,0:other,300,0"; ' +
      "push_stream_subscriber_connection_ttl 100ms; push_stream_header_template H;",
    outer: 'push_stream_padding_by_user_agent "padded,0,10";',
    look: async (host) => String((await body(host, `/sub/${host}`, { "User-Agent": "qadded/1" })).length),
    sees: "201",
  },
  allowed_origins: {
    directive: "push_stream_allowed_origins $http_origin;",
    outer: "push_stream_allowed_origins outer;",
    look: async (host) => {
      const answer = await ask(server.port, `/poll/${host}`, { headers: { Host: host, Origin: "http://o" } });
      return answer.fields.get("access-control-allow-origin") ?? "none";
    },
    sees: "http://o",
  },
};

/** What all need: pings that can be told from messages, wildcards, an events channel, somebody who stores. */
const BASICS = `
  push_stream_shared_memory_size 8m;
  push_stream_ping_message_text PING;
  push_stream_wildcard_channel_prefix w_;
  push_stream_events_channel_id events;
  push_stream_padding_by_user_agent "padded,120,0:other,300,0";
`;

const keeper = (port: number): string =>
  `server { listen 127.0.0.1:${port}; server_name keeper; location /pub {
    push_stream_publisher; push_stream_channels_path $arg_id; push_stream_store_messages on; } }`;

const block = (port: number, name: string, inServer: string, inLocation: string): string => `
server {
  listen 127.0.0.1:${port};
  server_name ${name};
  ${inServer}
  ${ROLES.map(([path, role]) => `location ${path} { ${role} ${inLocation} }`).join("\n  ")}
}`;

const hostOf = (name: string, level: string): string =>
  `${level}-${name.replace(/\W+/g, "-").toLowerCase().replaceAll("_", "-")}`;

describe("a directive in a server and in a location replaces what stands around it", () => {
  beforeAll(async () => {
    server = await startNginx((port, folder) => {
      writeFileSync(join(folder, "header.html"), "<html>\n");
      const blocks = Object.entries(TUNING).map(([name, { directive, outer }]) => [
        block(port, hostOf(name, "server"), directive, ""),
        block(port, hostOf(name, "location"), outer, directive),
        block(port, hostOf(name, "outer"), outer, ""),
      ]);
      return `error_log stderr info; http { ${BASICS} ${keeper(port)} ${blocks.flat().join("\n")} }`;
    });
  });
  afterAll(async () => {
    await server.stop();
  });

  describe.each(["server", "location"])("%s", (level) => {
    test.concurrent.each(Object.entries(TUNING))("%s", async (name, { look, sees }) => {
      const host = hostOf(name, level);
      expect(await look(host)).toBe(sees.replaceAll("HOST", host));
    });
  });

  test("header_template and its file fill one slot: the outer one of either gives way", async () => {
    await stored("slots");
    expect(await body(hostOf("header_template", "outer"), "/poll/slots.b1")).toBe("<html>\nx");
    expect(await body(hostOf("header_template_file", "outer"), "/poll/slots.b1")).toBe("HEADx");
  });
});

describe("at http level it reaches every location", () => {
  test.each(Object.entries(TUNING))("%s", async (name, { directive, look, sees }) => {
    const host = hostOf(name, "http");
    server = await startNginx((port, folder) => {
      writeFileSync(join(folder, "header.html"), "<html>\n");
      const basics = directive.includes("padding_by") ? BASICS.replace(/\n.*padding_by.*\n/, "\n") : BASICS;
      return (
        "error_log stderr info; " +
        `http { ${basics} ${directive} ${keeper(port)} ${block(port, host, "", "")} }`
      );
    });
    try {
      expect(await look(host)).toBe(sees.replaceAll("HOST", host));
    } finally {
      await server.stop();
    }
  });
});

describe("inside an if", () => {
  beforeAll(async () => {
    server = await startNginx(
      (port) => `error_log stderr info; http { ${BASICS} ${keeper(port)}
        server {
          listen 127.0.0.1:${port} default_server;
          location /pub {
            push_stream_publisher admin;
            push_stream_channels_path $arg_id;
            if ($arg_test) { push_stream_channels_path test_$arg_id; }
            if ($arg_keep = yes) { push_stream_store_messages on; }
          }
          location ~ ^/poll/(.*)$ {
            push_stream_subscriber polling;
            push_stream_channels_path $1;
            push_stream_message_template "<~text~>";
            if ($arg_events) { push_stream_allow_connections_to_events_channel on; }
            if ($arg_qs) {
              push_stream_last_received_message_time $arg_time;
              push_stream_last_received_message_tag $arg_tag;
              push_stream_last_event_id $arg_eventid;
            }
          }
          location ~ ^/ev/(.*)$ {
            push_stream_subscriber eventsource;
            push_stream_channels_path $1;
            push_stream_header_template "one\\ntwo";
            push_stream_message_template "<~text~>";
            push_stream_footer_template BYE;
            push_stream_subscriber_connection_ttl 100ms;
            if ($arg_qs) { push_stream_last_event_id $arg_eventid; }
          }
        } }`,
    );
  });
  afterAll(async () => {
    await server.stop();
  });
  const x = "any";

  test("channels_path, of one request", async () => {
    await post(x, "/pub?id=i1&test=1");
    expect(await at(x, "/pub?id=test_i1")).toContain('"channel": "test_i1", "published_messages": 1');
    expect(await at(x, "/pub?id=i1")).toStartWith("404");
  });

  test("store_messages, and only where the condition holds", async () => {
    await post(x, "/pub?id=i2&keep=yes");
    await post(x, "/pub?id=i2&keep=no");
    expect(await post(x, "/pub?id=i2&keep=yes")).toContain('"published_messages": 3, "stored_messages": 2');
  });

  test("of two blocks that hold the last one counts, as in nginx", async () => {
    expect(await post(x, "/pub?id=i3&test=1&keep=yes")).toContain(
      '"channel": "i3", "published_messages": 1, "stored_messages": 1',
    );
  });

  test("allow_connections_to_events_channel", async () => {
    expect(await at(x, "/poll/events")).toStartWith("403");
    expect(await at(x, "/poll/events?events=1")).toStartWith("304");
  });

  test("the three positions replace the headers", async () => {
    await stored("i4", "one", { "Event-Id": "e1" });
    await stored("i4", "two");
    const headers = { "If-Modified-Since": LONG_AGO };
    expect(await at(x, "/poll/i4", { headers })).toBe("200 <one><two>");
    expect(await at(x, "/poll/i4?qs=1", { headers })).toBe("304 ");
    expect(await at(x, "/poll/i4?qs=1&eventid=e1", { headers })).toBe("200 <two>");
    expect(await at(x, `/poll/i4?qs=1&time=${LONG_AGO.replaceAll(" ", "%20")}&tag=0`)).toBe("200 <one><two>");
  });

  test("templates of an event source are not wrapped twice", async () => {
    await stored("i5", "text", { "Event-Id": "e1" });
    await stored("i5", "more");
    expect(await body(x, "/ev/i5.b1?qs=1&eventid=none")).toBe(": one\n: two\ndata: <more>\n\n: BYE\n");
    expect(await body(x, "/ev/i5?qs=1&eventid=e1")).toBe(": one\n: two\ndata: <more>\n\n: BYE\n");
  });
});

describe("values (push-stream spec 1.1)", () => {
  test.each([
    ["ON", 'stored_messages": 1'],
    ["Off", 'stored_messages": 0'],
    ['"on"', 'stored_messages": 1'],
    ["'off'", 'stored_messages": 0'],
  ])("a flag written %s", async (text, sees) => {
    server = await startNginx({ workers: 1, pub: `push_stream_store_messages ${text};` });
    expect(await post("x", "/pub?id=a")).toContain(sees);
    await server.stop();
  });

  test("texts: quotes, escapes and what an unquoted word keeps", async () => {
    const templates: readonly (readonly [text: string, sees: string])[] = [
      ['"a\\tb\\r\\nc"', "a\tb\r\nc"],
      ["'it\\'s \"x\"'", 'it\'s "x"'],
      ['"\\\\n"', "\\n"],
      ['"~text~;{}#~id~"', "m;{}#1"],
      ["plain~text~", "plainm"],
      ['"$arg_x ~text~"', "$arg_x m"],
      ['"two\nlines"', "two\nlines"],
      ["é~text~", "\u00c3\u00a9m"],
      ["a\\;b\\ c", "a\\;b\\ c"],
    ];
    server = await startNginx({
      workers: 1,
      locations: templates
        .map(
          ([text], i) =>
            `location ~ ^/t${i}/(.*)$ { push_stream_subscriber polling; push_stream_channels_path $1; ` +
            `push_stream_message_template ${text}; }`,
        )
        .join("\n"),
    });
    await post("x", "/pub?id=a", "m");
    for (const [i, [, sees]] of templates.entries()) {
      const answer = await ask(server.port, `/t${i}/a.b1`);
      expect(answer.body.toString("latin1")).toBe(sees);
    }
    await server.stop();
  });

  test.each([
    ["push_stream_subscriber_connection_ttl 100ms;", 1],
    ["push_stream_subscriber_connection_ttl 1;", 10],
    ["push_stream_subscriber_connection_ttl 1s;", 10],
    ["push_stream_subscriber_connection_ttl '0s 500ms';", 5],
  ])("%s in tenths of a second", async (directive, tenths) => {
    server = await startNginx({
      workers: 1,
      locations: `location /s { push_stream_subscriber; push_stream_channels_path s; ${directive} }`,
    });
    const before = performance.now();
    expect(await at("x", "/s")).toBe("200 ");
    expect(performance.now() - before).toBeGreaterThan(tenths * 100 - 60);
    await server.stop();
  });

  test("times that are accepted, sizes that are", () => {
    const texts = [
      ...["30", "30s", "5m", "1h30m", "1d", "1w", "1M", "1y"].map(
        (time) => `push_stream_message_ttl ${time};`,
      ),
      ...["30", "30ms", "5m", "1h30m", "1d500ms", "1w"].map(
        (time) => `push_stream_ping_message_interval ${time};`,
      ),
    ];
    for (const text of texts) {
      for (const size of ["131072", "128k", "128K", "1m", "1M", "1m my_zone"]) {
        if (size !== "128k" && text !== texts[0]) continue;
        const file = join(server.folder, "..", `sluice-value-${process.pid}.conf`);
        writeFileSync(
          file,
          `http { push_stream_shared_memory_size ${size}; ${text} server { listen 127.0.0.1:1; ` +
            "location /p { push_stream_publisher; push_stream_channels_path x; } } }",
        );
        const checked = Bun.spawnSync([binary, "check", file]);
        expect(`${text} ${size}: ${checked.stderr.toString()}`).toBe(`${text} ${size}: `);
      }
    }
  });
});

forWorkers("the layout of a large portal", (workers) => {
  test("several channels, authorised only, its template, callback kept out", async () => {
    server = await startNginx((port, folder) =>
      readFileSync(join(import.meta.dir, "../config/nginx/corpus/bitrix24.conf"), "utf8")
        .replace("127.0.0.1:8893", `127.0.0.1:${port}`)
        .replace("127.0.0.1:8895", `127.0.0.1:${port + 0}`)
        .replace("server_name localhost;", "server_name publish.local;")
        .replace("worker_processes 4", `worker_processes ${workers}`)
        .replace("256M", "8M")
        .replace("push-server.pid", `${folder}/nginx.pid`)
        // Nobody of that name is here.
        .replace("user bitrix;", ""),
    );
    const publish = (channel: string, text: string): Promise<string> =>
      post("publish.local", `/bitrix/pub/?CHANNEL_ID=${channel}`, text);
    await publish("a/b", '{"n":1}');
    const poll = await RawConnection.open(server.port);
    poll.request("/bitrix/sub?CHANNEL_ID=a/b&time=&tag=", { headers: { Origin: "http://portal" } });
    expect((await at("x", "/bitrix/sub/?CHANNEL_ID=a/c")).slice(0, 3)).toBe("403");
    expect((await at("x", "/bitrix/sub/?CHANNEL_ID=a&callback=f")).slice(0, 3)).toBe("400");
    // Nothing was new for it, so it waits for the next.
    await publish("b", '{"n":2}');
    const answer = await poll.answer();
    expect(answer.fields.get("access-control-allow-origin")).toBe("*");
    const frame = /^#!NGINXNMS!#(\{.*\})#!NGINXNME!#$/.exec(answer.body.toString())?.[1] ?? "";
    expect(JSON.parse(frame)).toMatchObject({ id: 2, channel: "b", text: { n: 2 }, eventid: "" });
    poll.close();
    await server.stop();
  });
});
