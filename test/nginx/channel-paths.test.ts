/**
 * Which channels a request names when an nginx.conf says where to look: variables of every kind, captures,
 * `if` blocks (push-stream spec 3, 1.5), and paths that are none, or far too long.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { channelInfo, expectGroup, expectHeaderOnly, expectJson } from "../binary/answer-checks.ts";
import { ask, type RawAnswer, RawConnection, type RawRequest } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import type { RunningServer } from "../binary/running-server.ts";
import { forWorkers, startNginx } from "./nginx-server.ts";

const LOCATIONS = `
  location ~ ^/re/(.*)$ { push_stream_publisher admin; push_stream_channels_path $1; }
  location ~ ^/two/([^/]+)/([^/]+)$ { push_stream_publisher; push_stream_channels_path "$2.$1"; }
  location ~ ^/named/(?<room>[a-z]+) { push_stream_publisher; push_stream_channels_path room_$room; }
  location ~* ^/CASE/(?P<x>.+) { push_stream_publisher; push_stream_channels_path \${x}!; }
  location /header { push_stream_publisher; push_stream_channels_path $http_x_channel_id; }
  location /cookie { push_stream_publisher; push_stream_channels_path $cookie_Room; }
  location /uri/ { push_stream_publisher; push_stream_channels_path $uri; }
  location /host { push_stream_publisher; push_stream_channels_path "$host-$request_method-$remote_addr"; }
  location /args { push_stream_publisher; push_stream_channels_path $args; }
  location /set { set $who "set_$arg_id"; push_stream_publisher; push_stream_channels_path $who; }
  location /fixed { push_stream_publisher; push_stream_channels_path fixed.b2/other; }
  location = /exact { push_stream_publisher; push_stream_channels_path exact_$arg_id; }
  location ^~ /re/final { push_stream_publisher; push_stream_channels_path final_$arg_id; }
  location /if-pub {
    push_stream_publisher admin; push_stream_channels_path $arg_id; push_stream_store_messages off;
    if ($arg_test) { push_stream_channels_path test_$arg_id; }
  }
  location /if-store {
    push_stream_publisher; push_stream_channels_path $arg_id;
    if ($arg_store = on) { push_stream_store_messages on; }
    if ($http_x_store ~* ^y(es)?$) { push_stream_store_messages on; }
  }
  location /if-stats {
    push_stream_channels_statistics; push_stream_channels_path $arg_id;
    if ($arg_test) { push_stream_channels_path test_$arg_id; }
  }
  location ~ ^/sub/(.*)$ {
    push_stream_subscriber; push_stream_channels_path $1; push_stream_message_template "~channel~:~text~|";
    if ($arg_test) { push_stream_channels_path test_$1; }
  }
  location ~ ^/poll/(.*)$ { push_stream_subscriber polling; push_stream_channels_path $1;
    push_stream_message_template "~channel~:~text~|"; }
  location /poll-arg { push_stream_subscriber polling; push_stream_channels_path $arg_id; }
  location ~ ^/ws/(.*)$ { push_stream_subscriber websocket; push_stream_channels_path $1; }
  location ~ ^/at/(.*)$ {
    push_stream_subscriber polling; push_stream_channels_path $1;
    push_stream_last_received_message_time $arg_time; push_stream_last_received_message_tag $arg_tag;
    push_stream_last_event_id $arg_eventid;
  }
`;

forWorkers("channels paths", (workers) => {
  let server: RunningServer;
  beforeAll(async () => {
    const http =
      "push_stream_events_channel_id EV; push_stream_shared_memory_size 32m; default_type text/html;";
    server = await startNginx({ workers, locations: LOCATIONS, basics: http });
  });
  afterAll(async () => {
    expect(server.log).not.toMatch(/a request failed|panic|uncaught/i);
    await server.stop();
  });
  const on = (path: string, request: RawRequest = {}): Promise<RawAnswer> => ask(server.port, path, request);
  const post = (path: string, headers = {}): Promise<RawAnswer> =>
    on(path, { method: "POST", body: "hello", headers });
  const poll = async (path: string): Promise<string> => (await on(`/poll/${path}`)).body.toString("latin1");
  /** An answer's channels, however many. */
  const names = (answer: RawAnswer): readonly string[] =>
    [...answer.body.toString().matchAll(/"channel": "((?:[^"\\]|\\.)*)"/g)].map(([, name]) => name ?? "");

  describe("parsing (3.3), by publisher, statistics and subscriber", () => {
    const table: readonly (readonly [string, readonly string[], string])[] = [
      ["p1", ["p1"], ""],
      ["p2.b3/p3.b5/p4", ["p2", "p3", "p4"], "p2:hello|p3:hello|"],
      ["p5/", ["p5"], ""],
      ["p6.b18.beautiful.b3", ["p6.b18.beautiful"], "p6.b18.beautiful:hello|"],
      ["p7.b", ["p7.b"], ""],
      ["p8.b10x/c", ["p8.b10x", "c"], ""],
      ["p9.b5.b6", ["p9.b5"], "p9.b5:hello|"],
      ["/p10.b1", ["p10"], "p10:hello|"],
      ["p11.b1//p12.b1", ["p11", "p12"], "p11:hello|p12:hello|"],
      ["p13.b99999999999999999999", ["p13"], "p13:hello|"],
      ["p14.b0", ["p14"], ""],
      ["p15.B3", ["p15.B3"], ""],
      ["p16.b3.", ["p16.b3."], ""],
      ["all", ["all"], ""],
      ["~channel~.b1", ["~channel~"], "~channel~:hello|"],
    ];
    test.each(table)("%s", async (path, ids, polled) => {
      const published = await post(`/pub?id=${path}`);
      const infos = ids.map((id) => channelInfo(id, 1, 1));
      for (const answer of [published, await on(`/channels-stats?id=${path}`), await on(`/pub?id=${path}`)]) {
        if (infos.length === 1) expect(answer.body.toString()).toBe(infos[0] ?? "");
        else expectGroup(answer, infos);
      }
      expect(await poll(path)).toBe(polled);
    });

    test.each(["/", "//", ".b3"])("nothing but empty ids, %s: the channel without name", async (path) => {
      expect(names(await post(`/pub?id=${path}`))[0]).toBe("");
      expect((await on(`/poll-arg?id=${path}`)).status).toBeOneOf([200, 304]);
    });

    test("ids are bytes, and differ by case", async () => {
      for (const id of [
        "case",
        "CASE",
        "Case",
        "caf%c3%a9",
        "caf%e9",
        "a+b",
        "a%20b",
        "a%2bb",
        "%22%3c%5c",
        "%0a",
        "%00",
      ])
        expect(
          JSON.parse((await post(`/pub?id=${id}`)).body.toString("latin1"))["published_messages"],
        ).toBeOneOf([1, 2]);
      expect(names(await on("/pub?id=a%2bb"))).toEqual(["a+b"]);
      expectJson(await on("/pub?id=a+b"), channelInfo("a+b", 2, 2));
      expect((await on("/pub?id=CasE")).status).toBe(404);
    });

    test("names of one CRC-32 are two channels", async () => {
      for (const [one, two] of [
        ["plumless", "buckeroo"],
        ["A", "B"],
        ["codding", "gnu"],
        ["exhibiters", "schlager"],
      ]) {
        await post(`/pub?id=${one}`);
        expectJson(await post(`/pub?id=${two}`), channelInfo(two ?? "", 1, 1));
        expectJson(await on(`/pub?id=${one}`), channelInfo(one ?? "", 1, 1));
      }
    });
  });

  describe("where the path comes from (3.2)", () => {
    const table: readonly (readonly [string, Record<string, string>, readonly string[]])[] = [
      ["/pub?ID=q1", {}, ["q1"]],
      ["/pub?&id=q2&id=no", {}, ["q2"]],
      ["/pub?x=1&id=q3%2Fq4", {}, ["q3", "q4"]],
      ["/pub?xid=no&id=q5", {}, ["q5"]],
      ["/pub?id=q6?no=1", {}, ["q6?no=1"]],
      ["/pub?id=q7%zz", {}, ["q7zz"]],
      ["/pub?id=q8%4z%", {}, ["q8"]],
      ["/pub?id=q9=q9", {}, ["q9=q9"]],
      ["/re/r1/r2", {}, ["r1", "r2"]],
      ["/re/r3%2fr4", {}, ["r3", "r4"]],
      ["/re/r5%20r5?id=no", {}, ["r5 r5"]],
      ["/re//r6/./r7/x/../r8", {}, ["r6", "r7", "r8"]],
      ["/re/r9%3fr9", {}, ["r9?r9"]],
      ["/re/final?id=f", {}, ["final_f"]],
      ["/two/a1/b1", {}, ["b1.a1"]],
      ["/two/a2/b2.b4", {}, ["b2.b4.a2"]],
      ["/named/lobby/x", {}, ["room_lobby"]],
      ["/cAsE/Me", {}, ["Me!"]],
      ["/header", { "X-Channel-Id": "h1/h2.b3" }, ["h1", "h2"]],
      ["/header", { "x-channel-ID": "h3%20h3" }, ["h3 h3"]],
      ["/cookie", { Cookie: "a=b; room=c1; Room=no" }, ["c1"]],
      ["/cookie", { Cookie: "Room=c2/c3" }, ["c2", "c3"]],
      ["/uri/x", {}, ["uri", "x"]],
      ["/host", { Host: "Example.ORG:81" }, ["example.org-POST-127.0.0.1"]],
      ["/args?a1", {}, ["a1"]],
      ["/set?id=s1", {}, ["set_s1"]],
      ["/exact?id=e1", {}, ["exact_e1"]],
      ["/fixed?id=no", {}, ["fixed", "other"]],
    ];
    test.each(table)("%s %j", async (path, headers, ids) => {
      expect(names(await post(path, headers))).toEqual([...ids]);
    });

    test.each([
      ["/header", {}],
      ["/header", { "X-Channel-Id": "" }],
      ["/cookie", {}],
      ["/cookie", { Cookie: "Room=" }],
      ["/re/", {}],
      ["/args", {}],
    ])("%s %j names none", async (path, headers) => {
      expectHeaderOnly(await post(path, headers), { status: 400, explain: "No channel id provided." });
    });

    test("a cookie or header may spell what is forbidden", async () => {
      for (const [path, headers] of [
        ["/cookie", { Cookie: "room=ALL" }],
        ["/header", { "X-Channel-Id": "a%2a" }],
        ["/re/ok/ALL", {}],
        ["/re/EV%2a", {}],
      ] as const)
        expectHeaderOnly(await post(path, headers), {
          status: 403,
          explain: "Channel id not authorized for this method.",
        });
      expectHeaderOnly(await post("/re/EV"), {
        status: 403,
        explain: "Only internal routines can change events channel.",
      });
    });
  });

  describe("if blocks (1.5)", () => {
    test("another path, for every role", async () => {
      expect(names(await post("/if-pub?id=i1"))).toEqual(["i1"]);
      expect(names(await post("/if-pub?id=i1&test=1"))).toEqual(["test_i1"]);
      expect(names(await post("/if-pub?id=i1&test=0"))).toEqual(["i1"]);
      expect(names(await post("/if-pub?id=i1&test="))).toEqual(["i1"]);
      expectJson(await on("/if-stats?id=i1"), channelInfo("i1", 3, 0));
      expectJson(await on("/if-stats?id=i1&test=1"), channelInfo("test_i1", 1, 0));
      expectHeaderOnly(await on("/if-pub?id=i1&test=1", { method: "DELETE" }), {
        status: 200,
        explain: "Channel deleted.",
      });
      expect((await on("/if-stats?id=i1&test=1")).status).toBe(404);
      expect((await on("/if-stats?id=i1")).status).toBe(200);
      const refused = await post("/if-pub?test=1&id=*");
      expect(refused.status).toBe(403);
    });

    test("a path that is empty outside is not inside", async () => {
      expectHeaderOnly(await post("/if-pub"), { status: 400, explain: "No channel id provided." });
      expect(names(await post("/if-pub?test=1"))).toEqual(["test_"]);
    });

    test("store_messages for one request", async () => {
      expectJson(await post("/if-store?id=st"), channelInfo("st", 1, 0));
      expectJson(await post("/if-store?id=st&store=on"), channelInfo("st", 2, 1));
      expectJson(await post("/if-store?id=st&store=ON"), channelInfo("st", 3, 1));
      expectJson(await post("/if-store?id=st", { "X-Store": "YES" }), channelInfo("st", 4, 2));
      expectJson(await post("/if-store?id=st&store=onx"), channelInfo("st", 5, 2));
    });

    test("a subscriber's", async () => {
      const streams = await Promise.all([RawConnection.open(server.port), RawConnection.open(server.port)]);
      streams[0].request("/sub/live");
      streams[1].request("/sub/live?test=1");
      for (const stream of streams) expect((await stream.head()).status).toBe(200);
      expectJson(await post("/pub?id=live"), channelInfo("live", 1, 1, 1));
      expectJson(await post("/pub?id=test_live"), channelInfo("test_live", 1, 1, 1));
      expect(await streams[0].chunkedText(11)).toBe("live:hello|");
      expect(await streams[1].chunkedText(16)).toBe("test_live:hello|");
      for (const stream of streams) stream.close();
    });
  });

  describe("positions that mean nothing are none (4.7)", () => {
    const times = [
      "null",
      "0",
      "-1",
      "99",
      "Thu, 99 Foo 99999 99:99:99 GMT",
      "Thu, 01 Jan",
      "\xff\xfe",
      "9".repeat(3000),
    ];
    const tags = ['""', "W/", "abc", "*", "-1", '"1"', "W/W/1", "1,2", "\xff"];
    test("times, tags and event ids, by header and by argument", async () => {
      await post("/pub?id=pos", { "Event-Id": "e" });
      for (const time of times) {
        expect((await on("/poll/pos", { headers: { "If-Modified-Since": time } })).status).toBe(304);
        expect((await on(`/at/pos?time=${escape(time)}`)).status).toBe(304);
      }
      for (const tag of [...tags, "9".repeat(3000), "W/99999999999999999999"]) {
        const answer = await on("/poll/pos", { headers: { "If-None-Match": tag } });
        expect([tag.slice(0, 9), answer.status, answer.body.length]).toEqual([tag.slice(0, 9), 304, 0]);
        expect((await on(`/at/pos?tag=${escape(tag)}`)).status).toBe(304);
        const epoch = { "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT", "If-None-Match": tag };
        expect((await on("/poll/pos", { headers: epoch })).status).toBe(200);
      }
      for (const id of ["E", "ee", " ", "%", "%zz", "%00", "x".repeat(5000)])
        expect((await on(`/at/pos?eventid=${id}`.replace(" ", "%20"))).status).toBe(304);
      // The directives replace the headers, and never fall back to them.
      const headers = { "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT", "Last-Event-Id": "e" };
      expect((await on("/at/pos", { headers })).status).toBe(304);
      expect((await on("/at/pos?time=Thu%2C%2001%20Jan%201970%2000%3A00%3A00%20GMT&tag=")).status).toBe(200);
    });
  });

  describe("paths that are none", () => {
    test.each([
      "/re/%zz",
      "/re/a%",
      "/re/a%4",
      "/re/a%00b",
      "/re/%u0041",
      "/sub/%",
      "/ws/%fg",
      "/poll/%00",
      "/../pub?id=a",
      "/pub/../../x",
    ])("%s: 400", async (path) => {
      for (const method of ["GET", "POST"]) {
        const { status } = await on(path, method === "GET" ? { method } : { method, body: "x" });
        // nginx answers ".." above the root with 400; Bun resolves it before anybody sees it.
        expect(status).toBeOneOf(path.includes("..") ? [200, 400, 404] : [400]);
      }
    });

    test.each(["\x00", "\x01", " ", "\x7f", "\xff\xfe", "\u00e9"])(
      "a raw byte %j in the target",
      async (byte) => {
        for (const target of [`/re/a${byte}b`, `/pub?id=a${byte}b`]) {
          const connection = await RawConnection.open(server.port);
          connection.send(`POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx`);
          expect((await connection.head()).status).toBeOneOf([200, 400, 505]);
          connection.close();
        }
        expect((await post("/pub?id=alive")).status).toBe(200);
      },
    );

    const long = "c".repeat(65_000);
    const many = Array.from({ length: 10_000 }, (_, i) => `m${i}`).join("/");
    test("65 kB in one id, 10,000 ids in one path: taken, or refused, and the server goes on", async () => {
      for (const path of [`/pub?id=${long}`, `/re/${long}`, `/poll/${long}`, `/channels-stats?id=${long}`]) {
        const method = path.startsWith("/p") && !path.startsWith("/poll") ? "POST" : "GET";
        const answer = await on(path, method === "POST" ? { method, body: "x" } : {});
        expect([path.slice(0, 9), answer.status]).toEqual([path.slice(0, 9), answer.status]);
        expect(answer.status).toBeOneOf([200, 304]);
      }
      const group = await on(`/pub?id=${many}`, { method: "POST", body: "x" });
      expect(group.status).toBe(200);
      expect(names(group).length).toBe(10_000);
      expect((await on(`/poll/${many}`)).status).toBe(304);
      expect((await on(`/channels-stats?id=${many}`)).status).toBe(200);
      expect((await on(`/pub?id=${many}`, { method: "DELETE" })).status).toBe(200);
      const socket = await RawWebSocket.open(server.port, `/ws/${"a/".repeat(10_000)}`);
      socket.close();
      expect((await on(`/pub?id=${"a/".repeat(10_001)}`)).status).toBeOneOf([200, 400, 404]);
      expect((await on(`/pub?id=${"x".repeat(200_000)}`)).status).toBeOneOf([400, 414, 431]);
      expect((await post("/pub?id=alive")).status).toBe(200);
    });
  });
});
