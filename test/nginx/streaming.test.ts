/**
 * Streaming locations of an nginx.conf: push-stream spec 4.1 to 4.11, 4.15 to 4.17, A.2, as raw bytes on both
 * listeners. What does not depend on the front end or the listener is in test/subscribe.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expectAntiCache, expectHeaderOnly, expectNoAntiCache } from "../binary/answer-checks.ts";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { type Ground, onBothGrounds } from "./grounds.ts";
import { nginxConf, startNginx } from "./nginx-server.ts";

const stream = (name: string, rest: string): string =>
  `location ~ ^/${name}/(.*)$ { push_stream_subscriber; push_stream_channels_path $1; ${rest} }\n`;

/**
 * Name, directive, bytes for the message `a "b" ~id~\n` with id 1, Event-Id e1 and Event-Type t1 in the
 * channel c.x.
 */
const TEXT = 'a "b" ~id~\n';
const templates: readonly (readonly [name: string, directive: string, bytes: string])[] = [
  ["default", "", TEXT],
  ["bare", "push_stream_message_template ~id~:~text~:~size~|;", `1:${TEXT}:11|`],
  [
    "double",
    String.raw`push_stream_message_template "{\"id\":~id~,\"t\":\"~text~\"}\r\n";`,
    `{"id":1,"t":"${TEXT}"}\r\n`,
  ],
  ["single", `push_stream_message_template '<a b="~text~">\\'~channel~\\'</a>';`, `<a b="${TEXT}">'CH'</a>`],
  ["backslash", String.raw`push_stream_message_template "~text~\\n\t\z";`, `${TEXT}\\n\t\\z`],
  [
    "case",
    "push_stream_message_template '~ID~~Text~~TEXT~~cHaNNel~~Event-ID~~EVENT-type~';",
    `1${TEXT}${TEXT}CHe1t1`,
  ],
  ["overlap", "push_stream_message_template '~~id~~ ~nothing~ ~tex ~id';", "~1~ ~nothing~ ~tex ~id"],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: what nginx reads as a variable elsewhere.
  ["dollar", "push_stream_message_template '~id~ $1 $arg_x ${host} #{};';", "1 $1 $arg_x ${host} #{};"],
  ["lines", "push_stream_message_template '~id~\n  #no comment\n';", "1\n  #no comment\n"],
  ["utf8", "push_stream_message_template 'é~id~€';", "é1€"],
  ["long", `push_stream_message_template '${"x".repeat(3000)}~id~';`, `${"x".repeat(3000)}1`],
];

const around = (ground: Ground, folder: string): string => `
${templates.map(([name, directive]) => stream(`t-${name}`, directive)).join("")}
${stream(
  "escaped",
  String.raw`push_stream_header_template "H\"\\n\t$foo{};"; push_stream_message_template "|";
    push_stream_footer_template 'F \'~id~\' "x"';`,
)}
${stream("file", `push_stream_header_template_file ${folder}/header.html; push_stream_message_template "|";`)}
${stream(
  "a2",
  `push_stream_header_template HEADER; push_stream_message_template "~id~:~text~";
  push_stream_footer_template FOOTER;
  push_stream_ping_message_interval 400ms; push_stream_subscriber_connection_ttl 700ms;`,
)}
${stream("plain", "push_stream_footer_template .;")}
${stream("odd", 'default_type "custom content type";')}
${stream("typed", "types { text/weird foo bar; } default_type a/b;")}
${stream("builtin", "default_type application/x;")}
${stream("known", "push_stream_authorized_channels_only on;")}
${stream("cors", 'push_stream_allowed_origins "$arg_origin";')}
${stream(
  "zip",
  "gzip on; gzip_types text/plain; default_type text/plain; push_stream_message_template '~text~;'; " +
    "push_stream_subscriber_connection_ttl 1s; push_stream_footer_template end;",
)}
${stream(
  "padded",
  'push_stream_header_template "0123456789"; push_stream_message_template "~text~|"; ' +
    'push_stream_padding_by_user_agent "[T|t]est 1,1024,508:[T|t]est 2,4097,0"; ' +
    'push_stream_user_agent "$arg_ua";',
)}
location /by-argument { push_stream_subscriber; push_stream_channels_path $arg_id;
  if ($arg_test) { push_stream_channels_path test_$arg_id; } }
location ~ ^/polled/(.*)$ { push_stream_subscriber polling; push_stream_channels_path $1; }
${ground.server}`;

onBothGrounds("streaming", (ground) => {
  const { header } = ground;
  let server: RunningServer;
  let channels = 0;
  const fresh = (): string => `c${++channels}.x`;

  beforeAll(async () => {
    server = await startNginx((port, folder) => {
      writeFileSync(join(folder, "header.html"), '<a>\r\n"~id~" é\n\n');
      return nginxConf(port, folder, {
        workers: ground.workers,
        http: `push_stream_wildcard_channel_prefix bd_; push_stream_max_number_of_wildcard_channels 3;
          push_stream_max_channel_id_length 30; push_stream_events_channel_id EV;`,
        locations: around(ground, folder),
      });
    });
  });
  afterAll(async () => {
    expect(await server.stop()).toBe(0);
  });

  async function open(path: string, headers = {}, version: "1.0" | "1.1" = "1.1"): Promise<RawConnection> {
    const connection = await RawConnection.open(server.port);
    connection.request(path, { headers, version });
    return connection;
  }
  const remove = (id: string) => ask(server.port, `/pub?id=${id}`, { method: "DELETE" });

  test.each(["1.1", "1.0"] as const)(
    "HTTP/%s: a silent stream's head comes at once, its place is taken (4.4)",
    async (version) => {
      const id = fresh();
      const connection = await open(`/plain/${id}`, {}, version);
      const head = await connection.head();
      expect(head.statusLine).toBe("HTTP/1.1 200 OK");
      expectAntiCache(head);
      for (const name of ["last-modified", "etag", "content-length"])
        expect(head.fields.has(name)).toBeFalse();
      for (const name of ["server", "date"]) expect(head.fields.has(name)).toBeTrue();
      expect(head.fields.get("content-type")).toBe("text/html");
      expect(head.fields.get("transfer-encoding")).toBe(version === "1.1" ? "chunked" : undefined);
      if (version === "1.1" && ground.early) expect(head.fields.get("connection")).toBe("keep-alive");
      expect((await server.statistics(id)).subscribers).toBe(1);
      await server.publish(id, "one");
      const text = `${header}one`;
      const read = (length: number) =>
        version === "1.1" ? connection.chunkedText(length) : connection.read(length);
      expect((await read(text.length)).toString()).toBe(text);
      await remove(id);
      const rest = version === "1.1" ? await connection.restOfChunks() : await connection.untilEnd();
      expect(rest.toString()).toBe("Channel deleted.");
      connection.close();
    },
  );

  test("A.2: header, message, ping, footer, each with its chunk; the connection serves on", async () => {
    const id = fresh();
    const connection = await open(`/a2/${id}`);
    await connection.head();
    expect(await connection.read(11)).toEqual(Buffer.from("6\r\nHEADER\r\n"));
    await server.publish(id, "hello");
    expect((await connection.read(12)).toString()).toBe("7\r\n1:hello\r\n");
    expect((await connection.read(9)).toString()).toBe("4\r\n-1: \r\n");
    expect((await connection.read(16)).toString()).toBe("6\r\nFOOTER\r\n0\r\n\r\n");
    connection.request(`/polled/${id}.b1`);
    expect((await connection.answer()).body.toString()).toBe(`${header}hello`);
    connection.close();
  });

  describe("message_template (1.1, 4.5)", () => {
    test.each(templates)("%s", async (name, _directive, bytes) => {
      const id = fresh();
      await server.publish(id, TEXT, { "Event-Id": "e1", "Event-Type": "t1" });
      const connection = await open(`/t-${name}/${id}.b1`);
      await connection.head();
      const expected = Buffer.from(header + bytes.replace("CH", id)).toString("latin1");
      expect(await connection.chunkedText(expected.length)).toBe(expected);
      connection.close();
    });
  });

  test.each([
    ["escaped", 'H"\\n\t$foo{};|', `|F '~id~' "x"`],
    ["file", '<a>\r\n"~id~" Ã©\n\n|', "|"],
  ])("%s: header and footer as they are written (1.1, 4.6)", async (name, begin, end) => {
    const id = fresh();
    await server.publish(id, "x");
    const connection = await open(`/${name}/${id}.b1`);
    await connection.head();
    expect(await connection.chunkedText(begin.length)).toBe(begin);
    await standing(server.port, id);
    await remove(id);
    expect((await connection.restOfChunks()).toString("latin1")).toBe(end);
    connection.close();
  });

  test.each([
    ["odd", "a", "custom content type"],
    ["odd", "a.gif", "image/gif"],
    ["typed", "a.foo", "text/weird"],
    ["typed", "a.BAR", "text/weird"],
    ["typed", "a.gif", "a/b"],
    ["typed", "a.foo/b", "a/b"],
    ["builtin", "a.gif", "image/gif"],
    ["builtin", "a.jpg", "image/jpeg"],
    ["builtin", "a.html", "text/html"],
    ["builtin", "a.png", "application/x"],
  ])("/%s/%s is %s (4.3)", async (name, path, type) => {
    const connection = await open(`/${name}/${path}`);
    expect((await connection.head()).fields.get("content-type")).toBe(type);
    connection.close();
    await until("it left", async () => (await server.statistics(path.split("/")[0] ?? "")).subscribers === 0);
  });

  test.each([
    ["/plain/", 400, "No channel id provided."],
    ["/by-argument", 400, "No channel id provided."],
    ["/plain/ALL", 403, "Channel id not authorized for this method."],
    ["/plain/ok1/a*b", 403, "Channel id not authorized for this method."],
    [`/plain/${"x".repeat(31)}`, 400, "Channel id is too large."],
    [`/known/${"x".repeat(31)}/ALL`, 400, "Channel id is too large."],
    ["/known/nobody", 403, "Subscriber could not create channels."],
    ["/known/bd_1", 403, "Subscribed too much wildcard channels."],
    ["/known/bd_1/nobody", 403, "Subscriber could not create channels."],
    ["/plain/bd_1/bd_2", 403, "Subscribed too much wildcard channels."],
    ["/plain/bd_1/bd_2/bd_3/bd_4/n", 403, "Subscribed too much wildcard channels."],
    ["/plain/ok2/EV", 403, "Subscription to events channel is not allowed."],
  ])("GET %s: %p %s; nothing was made (4.1)", async (path, status, explain) => {
    const connection = await open(path);
    expectHeaderOnly(await connection.answer(), { status, explain });
    connection.request("/pub?id=ok1/ok2/nobody/bd_1");
    expect((await connection.answer()).status).toBe(404);
    connection.close();
  });

  test("OPTIONS, HEAD and the others (4.1, 0.3)", async () => {
    const options = await ask(server.port, "/plain/", { method: "OPTIONS" });
    expectHeaderOnly(options, { status: 200 });
    expectNoAntiCache(options);
    const connection = await RawConnection.open(server.port);
    for (const method of ["HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE"]) {
      connection.request("/plain/", { method, ...(method === "HEAD" ? {} : { body: "body" }) });
      const answer = await connection.answer(method);
      expectHeaderOnly(answer, { status: 405, allow: "GET" });
      expectAntiCache(answer);
      for (const name of ["server", "date"]) expect(answer.fields.has(name)).toBeTrue();
    }
    connection.close();
  });

  test("a condition chooses the channels (1.5)", async () => {
    const id = `if${channels++}`;
    const held = [await open(`/by-argument?id=${id}`), await open(`/by-argument?test=1&id=${id}`)];
    await standing(server.port, id);
    await standing(server.port, `test_${id}`);
    for (const connection of held) connection.close();
    await standing(server.port, id, 0);
  });

  test.each([
    ["", [400, 200, 403]],
    ["http://a.b", [400, 200, 403]],
    ["a%2C%20b", [400, 200, 403]],
  ])("CORS with '%s' on answers of all kinds (4.11)", async (origin, statuses) => {
    const paths = ["/cors/", `/cors/${fresh()}`, "/cors/ALL"];
    for (const [i, path] of paths.entries()) {
      const connection = await open(`${path}?origin=${origin}`);
      const { status, fields } = await connection.head();
      expect(status).toBe(statuses[i] ?? 0);
      expect(fields.get("access-control-allow-origin")).toBe(
        origin === "" ? undefined : decodeURIComponent(origin),
      );
      expect(fields.get("access-control-allow-methods")).toBe(origin === "" ? undefined : "GET");
      expect(fields.has("vary")).toBeFalse();
      connection.close();
    }
  });

  const crlf = (length: number): string =>
    "\r\n".repeat(length / 2 + 1).slice(-length || Number.MAX_SAFE_INTEGER);
  test.each([
    ["test 1", 1100, 500],
    ["a Test 2 b", 4097, 0],
    ["TEST 1", 0, 0],
    ["", 0, 0],
  ])("padding for '%s': %p and %p bytes (4.8)", async (ua, first, each) => {
    const id = fresh();
    await server.publish(id, "123456789");
    const connection = await open(`/padded/${id}.b1?ua=${encodeURIComponent(ua)}`);
    await connection.head();
    await standing(server.port, id);
    await remove(id);
    const padding = (length: number): string => (length === 0 ? "" : crlf(length));
    const body = `0123456789${padding(first)}123456789|${padding(each)}Channel deleted|${padding(each)}`;
    expect((await connection.restOfChunks()).toString()).toBe(body);
    connection.close();
  });

  test("gzip: each write is decodable at once, the whole is valid (4.15)", async () => {
    const id = fresh();
    const connection = await open(`/zip/${id}`, { "Accept-Encoding": "gzip, deflate" });
    const head = await connection.head();
    expect(head.fields.get("content-encoding")).toBe("gzip");
    await standing(server.port, id);
    await server.publish(id, "one");
    await until("the first message", () => connection.unread > 20);
    await server.publish(id, "two");
    expect(gunzipSync(await connection.restOfChunks()).toString()).toBe(`${header}one;two;end`);
    const plain = await open(`/zip/${id}`, { "Accept-Encoding": "gzip;q=0" });
    expect((await plain.head()).fields.has("content-encoding")).toBeFalse();
    for (const one of [connection, plain]) one.close();
  });

  test("each message once and in order for all who come while they are published (4.4 (4))", async () => {
    const id = fresh();
    const last = 150;
    const expected = `${header}${Array.from({ length: last }, (_, i) => `${i + 1},`).join("")}`;
    const publishing = (async () => {
      const publisher = await RawConnection.open(server.port);
      for (let i = 1; i <= last; i++) {
        publisher.request(`/pub?id=${id}`, { method: "POST", body: `${i},` });
        expect((await publisher.answer()).status).toBe(200);
      }
      publisher.close();
    })();
    const reading = Array.from({ length: 3 }, async () => {
      const texts: string[] = [];
      for (let turn = 0; turn < 4; turn++) {
        const connection = await open(`/plain/${id}.b1000`);
        expect((await connection.head()).status).toBe(200);
        texts.push(await connection.chunkedText(expected.length));
        expect(connection.unread).toBe(0);
        connection.close();
        if (turn === 0) await publishing;
      }
      return texts;
    });
    for (const texts of await Promise.all(reading)) expect(texts).toEqual(Array(4).fill(expected));
  });
});
