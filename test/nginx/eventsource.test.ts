/**
 * Eventsource locations of an nginx.conf: push-stream spec 4.2 to 4.10, 4.14, 4.15, A.2, as raw bytes on both
 * listeners. What does not depend on the front end or the listener is in test/subscribe.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expectAntiCache, expectHeaderOnly } from "../binary/answer-checks.ts";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { type Ground, onBothGrounds } from "./grounds.ts";
import { nginxConf, startNginx } from "./nginx-server.ts";

const TYPE = "text/event-stream; charset=utf-8";
const source = (name: string, rest: string): string =>
  `location ~ ^/${name}/(.*)$ { push_stream_subscriber eventsource; ` +
  `push_stream_channels_path $1; ${rest} }\n`;

/** Directives of a location, a message, what is sent with it, and the bytes behind the header. */
const messages: readonly (readonly [
  what: string,
  location: string,
  text: string,
  headers: Record<string, string>,
  bytes: string,
])[] = [
  ["the default template", "plain", "test message", {}, "data: test message\n\n"],
  ["an event id", "plain", "m", { "Event-Id": "e 1" }, "id: e 1\ndata: m\n\n"],
  [
    "id and type, names without case",
    "plain",
    "m",
    { "event-id": "1", "EVENT-TYPE": "t" },
    "id: 1\nevent: t\ndata: m\n\n",
  ],
  ["names that are nearly those", "plain", "m", { "Event-Ids": "1", "Event-I": "2" }, "data: m\n\n"],
  ["an empty id", "plain", "m", { "Event-Id": "" }, "id: \ndata: m\n\n"],
  [
    "four lines",
    "plain",
    "line 1\nline 2\rline 3\r\nline 4",
    {},
    "data: line 1\ndata: line 2\ndata: line 3\ndata: line 4\n\n",
  ],
  ["empty lines", "plain", "\r\n\na\n\n\nb\n\n", {}, "data: a\ndata: b\n\n"],
  ["only line breaks", "plain", "\r\n\n\r", {}, "\n"],
  ["backslash and n", "plain", "a\\nb", {}, "data: a\\nb\n\n"],
  ["a field inside", "plain", "id: 3\ndata: x", {}, "data: id: 3\ndata: data: x\n\n"],
  ["NUL and other bytes", "plain", "a\0b\x7fc", {}, "data: a\0b\x7fc\n\n"],
  [
    "a template for each line",
    "json",
    "ab\ncde",
    {},
    'data: {"id":1,"t":"ab","s":2}\ndata: {"id":1,"t":"cde","s":3}\n\n',
  ],
  ["backslash and n in the template", "escaped", "x", {}, "data: <x>\\n\n\n"],
  [
    "all tokens",
    "tokens",
    "x",
    { "Event-Id": "i", "Event-Type": "t" },
    "id: i\nevent: t\ndata: 1 CH x 1 i t\n\n",
  ],
  ["an empty template is ~text~ (1.6)", "empty", "x", {}, "data: x\n\n"],
  ["a template that is one already", "formatted", "x", {}, "data: <x>\n\n"],
  ["a condition in the location (1.5)", "condition", "x", {}, "data: [x]\n\n"],
];

const conf = (ground: Ground, folder: string): string => `
${source("plain", "push_stream_footer_template FOOTER;")}
${source("json", String.raw`push_stream_message_template "{\"id\":~id~,\"t\":\"~text~\",\"s\":~size~}";`)}
${source("escaped", String.raw`push_stream_message_template "<~text~>\\n";`)}
${source("tokens", "push_stream_message_template '~ID~ ~Channel~ ~text~ ~size~ ~event-id~ ~event-type~';")}
${source("empty", 'push_stream_message_template "";')}
${source("formatted", 'push_stream_message_template "data: <~text~>";')}
${source(
  "condition",
  "push_stream_message_template '[~text~]'; if ($arg_x) { push_stream_channels_path x_$1; } " +
    "if ($arg_y) { push_stream_store_messages on; }",
)}
${source(
  "lines",
  String.raw`push_stream_header_template "first \"1\"\nsecond\\n"; push_stream_footer_template "bye\r\nbye";`,
)}
${source("file", `push_stream_header_template_file ${folder}/header.txt;`)}
${source("ready", 'push_stream_header_template ": ready\n";')}
${source("none", 'push_stream_header_template "";')}
${source(
  "a2",
  'push_stream_header_template ""; push_stream_ping_message_interval 400ms; ' +
    "push_stream_subscriber_connection_ttl 30s;",
)}
${source("ttl", "push_stream_subscriber_connection_ttl 500ms; push_stream_footer_template 'the end';")}
${source("known", "push_stream_authorized_channels_only on;")}
${source("typed", "default_type a/b; types { text/weird foo; }")}
${source("zip", "gzip on; gzip_types text/event-stream; push_stream_subscriber_connection_ttl 500ms;")}
${source("unzipped", "gzip on; push_stream_subscriber_connection_ttl 500ms;")}
${source("padded", 'push_stream_padding_by_user_agent "[T|t]est 1,0,545:[T|t]est 2,1024,0:.,4097,0";')}
${source("events", "push_stream_allow_connections_to_events_channel on;")}
${ground.server}`;

onBothGrounds("eventsource", ({ workers, comment, early, ...ground }) => {
  let server: RunningServer;
  let channels = 0;
  const fresh = (): string => `e${++channels}`;

  beforeAll(async () => {
    server = await startNginx((port, folder) => {
      writeFileSync(join(folder, "header.txt"), 'a "b"\r\n\r\nc\rd');
      const locations = conf({ workers, comment, early, ...ground }, folder);
      // Without a stream that begins with nothing Bun's own listener would serve it.
      const silent = "location /silent { push_stream_subscriber; push_stream_channels_path silent; }";
      const http = "push_stream_events_channel_id EV; push_stream_channel_inactivity_time 60s;";
      return nginxConf(port, folder, { workers, http, locations: locations + (early ? silent : "") });
    });
  });
  afterAll(async () => {
    expect(await server.stop()).toBe(0);
  });

  // Whom a failed test left behind would fail those that follow.
  const opened: RawConnection[] = [];
  afterEach(() => {
    for (const each of opened.splice(0)) each.close();
  });
  async function open(path: string, headers = {}, version: "1.0" | "1.1" = "1.1"): Promise<RawConnection> {
    const connection = await RawConnection.open(server.port);
    opened.push(connection);
    connection.request(path, { headers, version });
    return connection;
  }
  const remove = (id: string) => ask(server.port, `/pub?id=${id}`, { method: "DELETE" });

  test.each(["1.1", "1.0"] as const)(
    "HTTP/%s: head and first comment at once, footer as a comment",
    async (version) => {
      const id = fresh();
      const connection = await open(`/plain/${id}`, {}, version);
      const head = await connection.head();
      expect(head.statusLine).toBe("HTTP/1.1 200 OK");
      expectAntiCache(head);
      expect(head.fields.get("content-type")).toBe(TYPE);
      for (const name of ["last-modified", "etag", "content-length"])
        expect(head.fields.has(name)).toBeFalse();
      const begin =
        version === "1.1" ? connection.chunkedText(comment.length) : connection.read(comment.length);
      expect((await begin).toString()).toBe(comment);
      expect((await server.statistics(id)).subscribers).toBe(1);
      await remove(id);
      const rest = version === "1.1" ? await connection.restOfChunks() : await connection.untilEnd();
      expect(rest.toString()).toBe("data: Channel deleted\n\n: FOOTER\n");
      connection.close();
    },
  );

  describe("messages, stored and live (4.5, 4.14)", () => {
    test.each(messages)("%s", async (_what, name, text, headers, bytes) => {
      const id = fresh();
      await server.publish(id, text, headers);
      const connection = await open(`/${name}/${id}.b1`);
      await connection.head();
      const expected = bytes.replace("CH", id);
      expect(await connection.chunkedText(comment.length + expected.length)).toBe(comment + expected);
      await standing(server.port, id);
      await server.publish(id, text, headers);
      const live = expected.replaceAll('"id":1', '"id":2').replace(`data: 1 ${id}`, `data: 2 ${id}`);
      expect(await connection.chunkedText(live.length)).toBe(live);
      connection.close();
    });
  });

  test.each([
    ["lines", ': first "1"\n: second\\n\n', ": bye\n: bye\n"],
    ["file", ': a "b"\n: c\n: d\n', ""],
    ["ready", ": ready\n", ""],
    ["none", ": \n", ""],
  ])("/%s: header and footer, each line a comment (4.6)", async (name, begin, end) => {
    const id = fresh();
    const connection = await open(`/${name}/${id}`);
    await connection.head();
    expect(await connection.chunkedText(begin.length)).toBe(begin);
    await standing(server.port, id);
    await remove(id);
    expect((await connection.restOfChunks()).toString()).toBe(`data: Channel deleted\n\n${end}`);
    connection.close();
  });

  test("A.2: message with id and type, ping, deletion, end; the connection serves on", async () => {
    const id = fresh();
    const connection = await open(`/a2/${id}`);
    await connection.head();
    expect((await connection.read(8)).toString()).toBe("3\r\n: \n\r\n");
    await standing(server.port, id);
    await server.publish(id, "hello", { "Event-Id": "ev-1", "Event-Type": "news" });
    // A slow machine has been pinged before that.
    let start = await connection.chunkedText(5);
    while (start === ": -1\n") start = await connection.chunkedText(5);
    expect(start + (await connection.chunkedText(29))).toBe("id: ev-1\nevent: news\ndata: hello\n\n");
    expect((await connection.read(10)).toString()).toBe("5\r\n: -1\n\r\n");
    await remove(id);
    expect((await connection.restOfChunks()).toString()).toMatch(/^(: -1\n)*data: Channel deleted\n\n$/);
    connection.request(`/plain/${id}`);
    expect((await connection.head()).status).toBe(200);
    connection.close();
  });

  test("ttl: the footer at its time, whatever is published (4.10)", async () => {
    const id = fresh();
    const connection = await open(`/ttl/${id}`);
    await connection.head();
    let over = false;
    const rest = connection.restOfChunks().finally(() => {
      over = true;
    });
    while (!over) {
      await server.publish(id, "x");
      await Bun.sleep(50);
    }
    expect((await rest).toString()).toMatch(/^: \^?\n(?:data: x\n\n)+: the end\n$/);
    expect((await server.statistics(id)).subscribers).toBe(0);
    connection.close();
  });

  test.each([
    ["plain", "", TYPE],
    ["typed", "", TYPE],
    ["typed", "polling", "a/b"],
    ["typed", "POLLING", "a/b"],
    ["typed", "long-polling", TYPE],
    ["typed", "polling ", "a/b"],
    ["typed", "polling, polling", TYPE],
    ["typed", "websocket", TYPE],
  ])("/%s with mode '%s' is %s (4.2, 4.3)", async (name, mode, type) => {
    const id = fresh();
    const connection = await open(`/${name}/${id}`, { "X-Nginx-PushStream-Mode": mode });
    if (mode === "long-polling") {
      await standing(server.port, id);
      await server.publish(id, "a\nb", { "Event-Id": "1" });
    }
    const head = await connection.head();
    expect(head.fields.get("content-type")).toBe(type);
    expect(head.status).toBe(type === TYPE ? 200 : 304);
    if (mode === "long-polling") {
      // The formatting stays that of the location.
      expect((await connection.body(head)).toString()).toBe(`${comment}id: 1\ndata: a\ndata: b\n\n`);
    }
    connection.close();
  });

  test("several channels: old ones by channel, live as they come, end with the last (2.7, 4.4)", async () => {
    const [a, b] = [fresh(), fresh()];
    for (const [id, text] of [
      [a, "a1"],
      [b, "b1"],
      [a, "a2"],
    ] as const)
      await server.publish(id, text);
    const connection = await open(`/plain/${b}.b2/${a}.b1`);
    await connection.head();
    const old = `${comment}data: b1\n\ndata: a2\n\n`;
    expect(await connection.chunkedText(old.length)).toBe(old);
    for (const id of [a, b]) await standing(server.port, id);
    await remove(b);
    await server.publish(a, "a3");
    await remove(a);
    const end = "data: Channel deleted\n\ndata: a3\n\ndata: Channel deleted\n\n: FOOTER\n";
    expect((await connection.restOfChunks()).toString()).toBe(end);
    connection.close();
  });

  test("coming back with Last-Event-Id, or with time and tag (4.7)", async () => {
    const id = fresh();
    for (const n of ["1", "2", "3"]) await server.publish(id, `m${n}`, { "Event-Id": n });
    const cases = [
      [{ "Last-Event-Id": "1" }, "id: 2\ndata: m2\n\nid: 3\ndata: m3\n\n"],
      [{ "Last-Event-Id": "3" }, ""],
      [{ "Last-Event-Id": "9" }, ""],
      [
        { "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT" },
        "id: 1\ndata: m1\n\nid: 2\ndata: m2\n\nid: 3\ndata: m3\n\n",
      ],
    ] as const;
    for (const [headers, old] of cases) {
      const connection = await open(`/plain/${id}`, headers);
      await connection.head();
      expect(await connection.chunkedText(comment.length + old.length)).toBe(comment + old);
      connection.close();
    }
  });

  test("authorized_channels_only, and the events channel with its types (3.7, 7)", async () => {
    const id = fresh();
    const refused = await ask(server.port, `/known/${id}`);
    expectHeaderOnly(refused, { status: 403, explain: "Subscriber could not create channels." });
    // Whoever has just left is told of, too.
    await until("all have left", async () => (await server.summary()).subscribers === 0);
    const events = await open("/events/EV");
    await events.head();
    expect(await events.chunkedText(comment.length)).toBe(comment);
    await standing(server.port, "EV");
    await server.publish(id, "x");
    const created = `event: channel_created\ndata: {"type": "channel_created", "channel": "${id}"}\n\n`;
    expect(await events.chunkedText(created.length)).toBe(created);
    const connection = await open(`/known/${id}`);
    expect((await connection.head()).status).toBe(200);
    const subscribed = created.replaceAll("channel_created", "client_subscribed");
    expect(await events.chunkedText(subscribed.length)).toBe(subscribed);
    connection.close();
    const left = created.replaceAll("channel_created", "client_unsubscribed");
    expect(await events.chunkedText(left.length)).toBe(left);
    events.close();
  });

  test.each([
    ["zip", true],
    ["unzipped", false],
  ])("/%s: compressed %p, as gzip_types says (4.15)", async (name, isZipped) => {
    const id = fresh();
    const connection = await open(`/${name}/${id}`, { "Accept-Encoding": "deflate, gzip" });
    const head = await connection.head();
    expect(head.fields.get("content-encoding")).toBe(isZipped ? "gzip" : undefined);
    expect(head.fields.get("content-type")).toBe(TYPE);
    await standing(server.port, id);
    await server.publish(id, "one");
    const body = await connection.restOfChunks();
    expect((isZipped ? gunzipSync(body) : body).toString()).toBe(`${comment}data: one\n\n`);
    connection.close();
  });

  test.each([
    ["test 1", 0, 600 - 100],
    ["a test 2", 1100, 0],
    ["other", 4097, 0],
    ["", 0, 0],
  ])("padding for '%s': %p behind the header, %p behind a message (4.8)", async (userAgent, first, each) => {
    const id = fresh();
    // A message of 105 bytes with its "data: " and line ends.
    await server.publish(id, "x".repeat(97), { "Event-Id": "not counted" });
    const connection = await open(`/padded/${id}.b1`, { "User-Agent": userAgent });
    await connection.head();
    await until("it stands", async () => (await server.statistics(id)).subscribers === 1);
    await remove(id);
    const colons = (length: number): string => (length === 0 ? "" : `${":".repeat(length - 1)}\n`);
    // The deletion counts 23.
    const last = each === 0 ? 0 : 600;
    const message = `id: not counted\ndata: ${"x".repeat(97)}\n\n${colons(each)}`;
    const body = `${comment}${colons(first)}${message}data: Channel deleted\n\n${colons(last)}`;
    expect((await connection.restOfChunks()).toString()).toBe(body);
    connection.close();
  });
});
