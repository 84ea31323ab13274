/**
 * Polling and long-polling locations of an nginx.conf: push-stream spec 4.2, 4.3, 4.7, 4.10, 4.12, 4.15,
 * 4.17, A.2, as raw bytes on both listeners. What does not depend on the front end or the listener is in
 * test/subscribe.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { expectAntiCache } from "../binary/answer-checks.ts";
import { ask, RawConnection, type RawHead, standing } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { type Ground, onBothGrounds } from "./grounds.ts";
import { startNginx } from "./nginx-server.ts";

const EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT";
const SCRIPT = "application/javascript";

const location = (name: string, role: string, rest = ""): string =>
  `location ~ ^/${name}/(.*)$ { push_stream_subscriber ${role}; push_stream_channels_path $1; ${rest} }\n`;
const POSITION = `if ($arg_qs = "on") { push_stream_last_received_message_time "$arg_time";
  push_stream_last_received_message_tag "$arg_tag"; push_stream_last_event_id $arg_eventid; }`;

const conf = ({ early, server }: Ground): string => `
${location("poll", "polling", POSITION)}
${location("lp", "Long-Polling", POSITION)}
${location("st", "streaming", POSITION)}
${location("ev", "eventsource")}
${location("ws", "websocket")}
location /live { push_stream_publisher; push_stream_channels_path $arg_id; }
${location(
  "framed",
  "long-polling",
  "push_stream_header_template 'HE\"AD'; push_stream_footer_template FOOT; " +
    "push_stream_message_template '[~text~]'; default_type a/b;",
)}
${location(
  "brief",
  "long-polling",
  "push_stream_header_template H; push_stream_footer_template F; " +
    "push_stream_message_template '~id~|~channel~|~text~|~tag~|~time~'; " +
    "push_stream_longpolling_connection_ttl 300ms; " +
    "push_stream_subscriber_connection_ttl 30s; default_type a/b;",
)}
${location("common", "long-polling", "push_stream_subscriber_connection_ttl 300ms;")}
${location("zip", "long-polling", `gzip on; gzip_types ${SCRIPT}; push_stream_message_template '~text~;';`)}
${early ? "location /silent { push_stream_subscriber; push_stream_channels_path silent; }" : ""}
${server}`;

const position = ({ fields }: RawHead) => [fields.get("last-modified"), fields.get("etag")];

onBothGrounds("polling", (ground) => {
  const { header } = ground;
  let server: RunningServer;
  let bodied: RunningServer;
  let channels = 0;
  const fresh = (): string => `p${++channels}`;

  beforeAll(async () => {
    const { workers } = ground;
    server = await startNginx({ workers, locations: conf(ground) });
    bodied = await startNginx({
      workers,
      locations: conf(ground),
      http: "push_stream_timeout_with_body on;",
    });
  });
  afterAll(async () => {
    for (const one of [server, bodied]) expect(await one.stop()).toBe(0);
  });

  async function open(path: string, headers = {}): Promise<RawConnection> {
    const connection = await RawConnection.open(server.port);
    connection.request(path, { headers });
    return connection;
  }
  const get = (path: string, headers = {}) => ask(server.port, path, { headers });

  describe("X-Nginx-PushStream-Mode (4.2)", () => {
    const cases = [
      ["st", "polling", "poll"],
      ["st", "long-polling", "wait"],
      ["st", "Streaming", "hold"],
      ["ev", "polling", "poll"],
      ["ev", "LONG-polling", "wait"],
      ["poll", "", "poll"],
      ["poll", "long-polling", "wait"],
      ["poll", "streaming", "poll"],
      ["lp", "", "wait"],
      // The documentation says otherwise; this is what the module does.
      ["lp", "polling", "wait"],
      ["lp", "long-polling", "wait"],
    ] as const;
    test.each(cases)("/%s with '%s': %s", async (name, mode, kind) => {
      const id = fresh();
      const connection = await open(`/${name}/${id}`, { "X-Nginx-PushStream-Mode": mode });
      if (kind === "poll") {
        expect((await connection.head()).status).toBe(304);
      } else {
        await standing(server.port, id);
        if (kind === "wait") expect(connection.unread).toBe(0);
        await server.publish(id, "live");
        const head = await connection.head();
        expect(head.fields.has("etag")).toBe(kind === "wait");
        const before = name === "ev" ? `${ground.comment}data: ` : header;
        expect(await connection.chunkedText(before.length + 4)).toBe(`${before}live`);
      }
      connection.close();
    });

    test("a WebSocket does not look at it", async () => {
      const id = fresh();
      const socket = await RawWebSocket.open(server.port, `/ws/${id}`, {
        "X-Nginx-PushStream-Mode": "polling",
      });
      await standing(server.port, id);
      socket.close();
    });
  });

  test("A.2: a long poll answered live and the next that times out, on one connection", async () => {
    const id = fresh();
    const connection = await open(`/framed/${id}`);
    await standing(server.port, id);
    await server.publish(id, "hello");
    const head = await connection.head();
    expect(head.statusLine).toBe("HTTP/1.1 200 OK");
    expectAntiCache(head);
    expect(head.fields.get("content-type")).toBe("a/b");
    expect(head.fields.get("transfer-encoding")).toBe("chunked");
    expect(head.fields.has("content-length")).toBeFalse();
    expect(head.fields.get("etag")).toMatch(/^W\/[1-9]\d*$/);
    expect((await connection.body(head)).toString()).toBe('HE"AD[hello]FOOT');
    await until("its place is free", async () => (await server.statistics(id)).subscribers === 0);
    connection.request(`/brief/${id}`);
    const timeout = await connection.answer();
    expect(timeout.statusLine).toBe("HTTP/1.1 304 Not Modified");
    expect(timeout.fields.get("content-length")).toBe("0");
    expect(timeout.fields.get("content-type")).toBe("a/b");
    expect(position(timeout)).toEqual([expect.stringMatching(/GMT$/), "W/0"]);
    expectAntiCache(timeout);
    connection.close();
  });

  describe("nothing came (4.10)", () => {
    const timedOut = `H-3||Timed out|0|${EPOCH}F`;
    test.each([
      ["brief", "", "a/b", timedOut],
      ["brief", "?callback=c.d", SCRIPT, `Hc.d([-3||Timed out|0|${EPOCH}]);F`],
      ["common", "", "text/html", `${header}Timed out`],
    ])("/%s%s", async (name, query, type, body) => {
      const id = fresh();
      const before = Math.floor(Date.now() / 1000) * 1000;
      const [bare, withBody] = await Promise.all(
        [server, bodied].map((one) => ask(one.port, `/${name}/${id}${query}`)),
      );
      for (const answer of [bare, withBody]) {
        expect(answer?.fields.get("content-type")).toBe(type);
        expect(answer?.fields.get("etag")).toBe("W/0");
        expect(Date.parse(answer?.fields.get("last-modified") ?? "")).toBeGreaterThanOrEqual(before);
      }
      expect(bare?.status).toBe(304);
      expect(withBody?.status).toBe(200);
      expect(withBody?.body.toString()).toBe(body);
      expect((await server.statistics(id)).subscribers).toBe(0);
      // Polls never wait.
      expect((await ask(bodied.port, `/poll/${id}`)).status).toBe(304);
    });
  });

  test("304 echoes the position it was asked with (4.12 (4))", async () => {
    const id = fresh();
    const time = "Tue, 10 Nov 2026 23:50:13 GMT";
    const cases = [
      [{}, [undefined, undefined]],
      [{ "If-Modified-Since": time }, [time, undefined]],
      [{ "If-None-Match": "W/3" }, [undefined, "W/3"]],
      [{ "If-Modified-Since": time, "If-None-Match": "7" }, [time, "W/7"]],
      [{ "If-Modified-Since": "Tuesday, 10-Nov-26 23:50:13 GMT" }, [time, undefined]],
      [{ "If-Modified-Since": "Tue Nov 10 23:50:13 2026" }, [time, undefined]],
      [{ "If-Modified-Since": "null", "If-None-Match": '"3"' }, [undefined, undefined]],
      [{ "If-Modified-Since": "", "If-None-Match": "*" }, [undefined, undefined]],
      [{ "If-None-Match": "W/" }, [undefined, undefined]],
    ] as const;
    const connection = await RawConnection.open(server.port);
    for (const [headers, expected] of cases) {
      connection.request(`/poll/${id}`, { headers });
      const answer = await connection.answer();
      expect(answer.status).toBe(304);
      expect(answer.fields.get("content-length")).toBe("0");
      expect(position(answer)).toEqual([...expected]);
    }
    // Where the condition holds, directives replace the headers, and never fall back to them.
    const both = { "If-Modified-Since": time, "If-None-Match": "W/9" };
    for (const [query, expected] of [
      ["?qs=on", [undefined, undefined]],
      ["?qs=off", [time, "W/9"]],
      ["?qs=on&tag=4&time=Tue,%2010%20Nov%202026%2023:50:13%20GMT", [time, "W/4"]],
      ["?&TAG=4&qs=on", [undefined, "W/4"]],
    ] as const) {
      expect(position(await get(`/poll/${id}${query}`, both))).toEqual([...expected]);
    }
    connection.close();
  });

  describe("old messages (4.7, 4.12 (5), (7), (8))", () => {
    /** All messages of one second, so that tags are all there is between them. */
    async function filled(): Promise<{ id: string; time: string; tags: number[] }> {
      for (let attempt = 0; attempt < 20; attempt++) {
        const id = fresh();
        const marks: RawHead[] = [];
        for (const text of ["a", "b", "c"]) {
          await server.publish(id, `${text},`, { "Event-Id": text });
          marks.push(await get(`/poll/${id}.b1`));
        }
        const times = new Set(marks.map(({ fields }) => fields.get("last-modified")));
        const tags = marks.map(({ fields }) => Number(fields.get("etag")?.slice(2)));
        if (times.size === 1) return { id, time: [...times][0] ?? "", tags };
      }
      throw new Error("no three messages in one second");
    }
    const second = (time: string, by: number): string => new Date(Date.parse(time) + by * 1000).toUTCString();

    test.each(["poll", "lp", "st"])("/%s, by headers and by arguments", async (name) => {
      const { id, time, tags } = await filled();
      const [a = 0, b = 0, c = 0] = tags;
      const cases: readonly (readonly [string, { time?: string; tag?: string; eventid?: string }, string])[] =
        [
          [".b1", {}, "c,"],
          [".b9", {}, "a,b,c,"],
          [".b2", { time: second(time, 5), eventid: "c" }, "b,c,"],
          ["", { eventid: "a" }, "b,c,"],
          ["", { eventid: "c" }, ""],
          ["", { eventid: "nobody's" }, ""],
          ["", { time: second(time, -1) }, "a,b,c,"],
          ["", { time }, ""],
          ["", { time, tag: "0" }, "a,b,c,"],
          ["", { time, tag: `W/${a}` }, "b,c,"],
          ["", { time, tag: `${b}` }, "c,"],
          ["", { time, tag: `${c}` }, ""],
          ["", { tag: "0" }, ""],
          ["", { time: second(time, -1), tag: "99" }, "a,b,c,"],
          ["", { time: second(time, 1), tag: "0" }, ""],
          ["", { time, tag: `${c}`, eventid: "a" }, "b,c,"],
          ["", { time: second(time, -1), eventid: "c" }, "a,b,c,"],
          ["", { time: "null", tag: "" }, ""],
        ];
      for (const [i, [backtrack, asked, gets]] of cases.entries()) {
        const named = {
          "If-Modified-Since": asked.time,
          "If-None-Match": asked.tag,
          "Last-Event-Id": asked.eventid,
        };
        // without those that are undefined
        const headers: Record<string, string> = JSON.parse(JSON.stringify(named));
        const query = new URLSearchParams({ qs: "on", ...asked }).toString().replaceAll("+", "%20");
        // What is never read, if arguments are.
        const ways = [
          [`/${name}/${id}${backtrack}`, headers],
          [`/${name}/${id}${backtrack}?${query}`, { "Last-Event-Id": "a" }],
        ] as const;
        for (const [path, fields] of ways)
          expect([i, path, await first(name, path, fields)]).toEqual([i, path, gets]);
      }
    });

    /** What comes at once. On a stream that is what comes before a message that is not stored. */
    async function first(name: string, path: string, headers: Record<string, string>): Promise<string> {
      const id = /[^/.?]+(?=[.?]|$)/.exec(path.slice(`/${name}/`.length))?.[0] ?? "";
      const connection = await open(path, headers);
      if (name === "st") {
        await standing(server.port, id);
        await ask(server.port, `/live?id=${id}`, { method: "POST", body: "|" });
      } else {
        const arrived = async () => connection.unread > 0 || (await server.statistics(id)).subscribers > 0;
        await until("an answer, or that it waits", arrived);
      }
      let body = header;
      if (name === "st") body = await untilMark(connection);
      else if (connection.unread > 0) body = (await connection.answer()).body.toString() || header;
      connection.close();
      await standing(server.port, id, 0);
      return body.slice(header.length);
    }
    async function untilMark(connection: RawConnection): Promise<string> {
      await connection.head();
      let body = "";
      while (!body.endsWith("|")) body += await connection.chunkedText(1);
      return body.slice(0, -1);
    }

    test("a backtrack answers every time; its own position leads on, one tag after the other", async () => {
      const { id, time, tags } = await filled();
      for (let i = 0; i < 3; i++) {
        const headers = { "If-Modified-Since": second(time, 9), "If-None-Match": "9" };
        expect((await get(`/lp/${id}.b1`, headers)).body.toString()).toBe(`${header}c,`);
      }
      const connection = await open(`/lp/${id}`, {
        "If-Modified-Since": time,
        "If-None-Match": `W/${tags[0]}`,
      });
      const answer = await connection.answer();
      expect(answer.body.toString()).toBe(`${header}b,c,`);
      expect(position(answer)).toEqual([time, `W/${tags[2]}`]);
      connection.request(`/lp/${id}`, {
        headers: { "If-Modified-Since": time, "If-None-Match": `W/${tags[2]}` },
      });
      await standing(server.port, id);
      await server.publish(id, "d,");
      expect((await connection.answer()).body.toString()).toBe(`${header}d,`);
      connection.close();
    });
  });

  describe("JSONP (4.12 (1), 4.6)", () => {
    test.each(["framed", "poll"])(
      "/%s: the messages of all channels, templates outside; a 304 has its type, too",
      async (name) => {
        const [a, b] = [fresh(), fresh()];
        for (const [id, text] of [
          [a, "1"],
          [b, "2"],
          [a, "3"],
        ] as const)
          await server.publish(id, text);
        const [begin, one, end] =
          name === "framed" ? ['HE"AD', (n: string) => `[${n}]`, "FOOT"] : [header, (n: string) => n, ""];
        for (const [query, callback] of [
          ["callback=cb", "cb"],
          ["x=1&CALLBACK=a.b%5B0%5D", "a.b[0]"],
          ["callback=", ""],
          ["&callback=$_1", "$_1"],
        ]) {
          const answer = await get(`/${name}/${a}.b2/${b}.b2?${query}`, { Accept: "text/plain" });
          expect(answer.fields.get("content-type")).toBe(SCRIPT);
          const list = ["1", "3", "2"].map(one).join(",");
          expect(answer.body.toString()).toBe(`${begin}${callback}([${list}]);${end}`);
        }
        const nothing = await get(`/poll/${a}?callback=cb`);
        expect([nothing.status, nothing.fields.get("content-type")]).toEqual([304, SCRIPT]);
      },
    );

    test("live, by a message and by the end of the channel (2.7)", async () => {
      const id = fresh();
      const connection = await open(`/framed/${id}?callback=cb`);
      await standing(server.port, id);
      await server.publish(id, "hello");
      expect((await connection.answer()).body.toString()).toBe('HE"ADcb([[hello]]);FOOT');
      connection.request(`/framed/${id}?callback=cb`);
      await standing(server.port, id);
      await ask(server.port, `/pub?id=${id}`, { method: "DELETE" });
      const deleted = await connection.answer();
      expect(deleted.body.toString()).toBe('HE"ADcb([[Channel deleted]]);FOOT');
      expect(deleted.fields.get("etag")).toBe("W/0");
      connection.close();
    });
  });

  test("gzip: at once and live, plain and script; Etag and type as they are (4.15)", async () => {
    const id = fresh();
    await server.publish(id, "old");
    const zip = { "Accept-Encoding": "gzip" };
    for (const [query, type, body] of [
      ["", "text/html", `${header}old;`],
      ["?callback=cb", SCRIPT, `${header}cb([old;]);`],
    ] as const) {
      const answer = await get(`/zip/${id}.b1${query}`, zip);
      expect(answer.fields.get("content-encoding")).toBe("gzip");
      expect(answer.fields.get("content-type")).toBe(type);
      expect(answer.fields.get("etag")).toMatch(/^W\/\d+$/);
      expect(gunzipSync(answer.body).toString()).toBe(body);
    }
    const connection = await open(`/zip/${id}`, zip);
    await standing(server.port, id);
    await server.publish(id, "live");
    expect(gunzipSync((await connection.answer()).body).toString()).toBe(`${header}live;`);
    connection.request(`/zip/${id}.b1`);
    const plain = await connection.answer();
    expect(plain.fields.has("content-encoding")).toBeFalse();
    expect(plain.body.toString()).toBe(`${header}live;`);
    connection.close();
  });

  test("500 long polls on one connection, each answered by its message (4.12 (6))", async () => {
    const id = fresh();
    const connection = await RawConnection.open(server.port);
    const publisher = await RawConnection.open(server.port);
    for (let i = 0; i < 500; i++) {
      connection.request(`/lp/${id}`);
      for (let stands = false; !stands; ) {
        publisher.request(`/channels-stats?id=${id}`);
        stands = (await publisher.answer()).body.includes('"subscribers": 1}');
      }
      publisher.request(`/pub?id=${id}`, { method: "POST", body: `message ${i}` });
      expect((await publisher.answer()).status).toBe(200);
      const answer = await connection.answer();
      expect([answer.status, answer.body.toString()]).toEqual([200, `${header}message ${i}`]);
    }
    for (const one of [connection, publisher]) one.close();
  });
});
