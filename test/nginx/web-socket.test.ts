/**
 * WebSocket locations as an nginx.conf declares them (push-stream spec 4.13, with 12.4), over raw sockets on
 * the compiled binary, on both listeners.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  channelInfo,
  expectAntiCache,
  expectHeaderOnly,
  expectNoAntiCache,
} from "../binary/answer-checks.ts";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import {
  ACCEPT,
  clientFrame,
  type Frame,
  HANDSHAKE,
  Opcode,
  RawWebSocket,
  serverFrameHead,
} from "../binary/raw-web-socket.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { startNginx } from "./nginx-server.ts";

const MAX_CHANNELS = 200;
const MAX_ID = 40;
const MAX_SUBSCRIBERS = 4;
const MAX_WILDCARDS = 3;

const HTTP = `
  push_stream_events_channel_id events;
  push_stream_max_number_of_channels ${MAX_CHANNELS};
  push_stream_max_number_of_wildcard_channels ${MAX_WILDCARDS};
  push_stream_wildcard_channel_prefix bd_;
  push_stream_wildcard_channel_max_qtd 1;
  push_stream_max_channel_id_length ${MAX_ID};
  push_stream_max_subscribers_per_channel ${MAX_SUBSCRIBERS};
`;

const socketLocation = (name: string, rest = ""): string => `
  location ~ ^/${name}/(.*)$ { push_stream_subscriber websocket; push_stream_channels_path $1; ${rest} }`;
const PUBLISHES = "push_stream_websocket_allow_publish on;";
const AROUND = "push_stream_header_template HEADER; push_stream_footer_template BYE;";

const LOCATIONS = `
  ${socketLocation("ws", `${PUBLISHES} push_stream_store_messages on;`)}
  ${socketLocation("unstored", PUBLISHES)}
  ${socketLocation("deaf", "push_stream_store_messages on;")}
  ${socketLocation("around", `${PUBLISHES} ${AROUND} push_stream_message_template "~id~:~channel~:~text~";`)}
  ${socketLocation(
    "full",
    'push_stream_message_template "~id~|~channel~|~text~|~size~|~tag~|~event-id~|~event-type~|~TIME~";',
  )}
  ${socketLocation("json", 'push_stream_message_template "{\\"id\\":~id~,\\"text\\":\\"~text~\\"}";')}
  ${socketLocation(
    "args",
    "push_stream_last_received_message_time $arg_time; push_stream_last_received_message_tag $arg_tag; " +
      "push_stream_last_event_id $arg_eventid;",
  )}
  ${socketLocation(
    "pinged",
    `${AROUND} push_stream_ping_message_interval 150ms; push_stream_message_template "~id~:~text~";`,
  )}
  ${socketLocation("short", `${AROUND} push_stream_subscriber_connection_ttl 300ms;`)}
  ${socketLocation(
    "shortest",
    "push_stream_subscriber_connection_ttl 300ms; push_stream_ping_message_interval 10s;",
  )}
  ${socketLocation("known", "push_stream_authorized_channels_only on;")}
  ${socketLocation(
    "told",
    `${PUBLISHES} push_stream_store_messages on; push_stream_allow_connections_to_events_channel on;`,
  )}
  ${socketLocation("open", "push_stream_allowed_origins *; push_stream_padding_by_user_agent '.*,1024,512';")}
  location /by-argument {
    push_stream_subscriber websocket; push_stream_channels_path $arg_channels; ${PUBLISHES} ${AROUND}
    if ($arg_other) { push_stream_channels_path other_$arg_other; push_stream_store_messages on; }
  }
  location ~ ^/ev/(.*)$ { push_stream_subscriber eventsource; push_stream_channels_path $1; }
  location /denied { push_stream_subscriber websocket; push_stream_channels_path $arg_id; deny all; }
  location /elsewhere { return 302 /ws/a; }
  location /from-nine { allow 127.0.0.9; deny all; push_stream_channels_statistics;
    push_stream_channels_path $arg_id; }
`;

const ways: readonly (readonly [string, number, string])[] = [
  ["native, 2 workers", 2, "native"],
  ["wire, 1 worker", 1, "wire"],
];

describe.each(ways)("%s", (_, workers, listener) => {
  let server: RunningServer;
  let channels = 0;
  const fresh = (): string => `w${++channels}`;
  const open = (path: string, headers: Record<string, string> = {}) =>
    RawWebSocket.open(server.port, path, headers);
  const info = async (channel: string): Promise<string> =>
    (await ask(server.port, `/channels-stats?id=${channel}`)).body.toString();
  const remove = (channel: string, body?: string) =>
    ask(server.port, `/pub?id=${channel}`, { method: "DELETE", ...(body === undefined ? {} : { body }) });
  const events = async (): Promise<string[]> => {
    const socket = await open("/told/events.b100000");
    const texts: string[] = [];
    // The last one is told of nobody, so a ping shows where the stored ones end.
    socket.sendFrame(Opcode.PING, "end");
    for (;;) {
      const { opcode, payload } = await socket.frame();
      if (opcode === Opcode.PONG) break;
      texts.push(payload.toString());
    }
    socket.close();
    return texts;
  };

  beforeAll(async () => {
    server = await startNginx({
      workers,
      basics: "push_stream_shared_memory_size 40m; default_type text/html;",
      http: HTTP,
      pub: "push_stream_store_messages on; client_max_body_size 5m;",
      server: `sluice_listener ${listener};`,
      locations: LOCATIONS,
    });
  });
  afterAll(async () => {
    expect(server.log).not.toContain("failed");
    await server.stop();
  });

  describe("handshake (4.13.1, 4.13.2)", () => {
    test.each<readonly [string, Record<string, string>, string]>([
      ["as most send it", {}, "ws"],
      ["in other letters", { Upgrade: "WebSocket", Connection: "upgrade" }, "ws"],
      ["beside keep-alive", { Connection: "keep-alive, Upgrade" }, "ws"],
      [
        "with an offer nobody takes",
        { "Sec-WebSocket-Protocol": "chat", "Sec-WebSocket-Extensions": "permessage-deflate" },
        "ws",
      ],
      ["for another mode", { "X-Nginx-PushStream-Mode": "long-polling" }, "ws"],
      ["where CORS and padding are on", { Origin: "http://a" }, "open"],
    ])("%s: 101", async (_name, headers, location) => {
      const socket = await open(`/${location}/${fresh()}`, headers);
      expect(socket.head.statusLine).toBe("HTTP/1.1 101 Switching Protocols");
      expectAntiCache(socket.head);
      const { fields } = socket.head;
      expect(fields.get("sec-websocket-accept")).toBe(ACCEPT);
      expect(fields.get("upgrade")?.toLowerCase()).toBe("websocket");
      expect(fields.get("connection")?.toLowerCase()).toBe("upgrade");
      for (const name of ["protocol", "extensions"]) expect(fields.has(`sec-websocket-${name}`)).toBeFalse();
      for (const name of ["origin", "methods", "headers"])
        expect(fields.has(`access-control-allow-${name}`)).toBeFalse();
      socket.sendFrame(Opcode.PING, "x");
      expect((await socket.frame()).bytes.toString("latin1")).toBe("\x8a\x01x");
      socket.close();
    });

    test.each(["POST", "OPTIONS", "HEAD", "PUT", "DELETE"])(
      "%s: 405, and the connection ends",
      async (method) => {
        for (const headers of [{}, HANDSHAKE]) {
          const connection = await RawConnection.open(server.port);
          connection.request("/ws/a", { method, headers });
          const answer = await connection.answer(method);
          expectHeaderOnly(answer, { status: 405, allow: "GET" });
          expectNoAntiCache(answer);
          expect((await connection.untilEnd()).length).toBe(0);
        }
      },
    );

    const MISSING =
      "Don't have at least one of the mandatory headers: Connection, Upgrade, " +
      "Sec-WebSocket-Key and Sec-WebSocket-Version";
    test.each([...Object.keys(HANDSHAKE), "anything"])(
      "without %s: 400, the connection serves on",
      async (missing) => {
        const headers = Object.fromEntries(
          Object.entries(HANDSHAKE).filter(([name]) => name !== missing && missing !== "anything"),
        );
        const connection = await RawConnection.open(server.port);
        for (let again = 0; again < 2; again++) {
          connection.request("/ws/a", { headers });
          const answer = await connection.answer();
          expectHeaderOnly(answer, { status: 400, explain: MISSING });
          expectAntiCache(answer);
        }
        connection.request("/ws/a", { headers: HANDSHAKE });
        expect((await connection.head()).status).toBe(101);
        connection.close();
      },
    );

    test.each(["8", "12", "14", "0", "abc", ""])(
      "version '%s': 426 with the one that is spoken (12.4)",
      async (version) => {
        const answer = await ask(server.port, "/ws/a", {
          headers: { ...HANDSHAKE, "Sec-WebSocket-Version": version },
        });
        expect([answer.status, answer.fields.get("sec-websocket-version")]).toEqual([426, "13"]);
      },
    );

    test("frames that come with the request are heard after the header template", async () => {
      const connection = await RawConnection.open(server.port);
      const lines = Object.entries({ Host: "x", ...HANDSHAKE }).map(
        ([name, value]) => `${name}: ${value}\r\n`,
      );
      const frames = Buffer.concat([clientFrame(Opcode.TEXT, "soon"), clientFrame(Opcode.PING)]).toString(
        "latin1",
      );
      connection.send(`GET /around/early-${listener} HTTP/1.1\r\n${lines.join("")}\r\n${frames}`);
      expect((await connection.head()).status).toBe(101);
      expect((await connection.read(8)).toString("latin1")).toBe("\x81\x06HEADER");
      connection.close();
    });
  });

  describe("a request to upgrade where there is no WebSocket is one like others", () => {
    const H2C = { Connection: "Upgrade, HTTP2-Settings", Upgrade: "h2c", "HTTP2-Settings": "AAMAAABk" };
    test.each([
      ["an offer of HTTP/2", H2C],
      ["a handshake", HANDSHAKE],
    ])("%s", async (_name, headers) => {
      const channel = fresh();
      const connection = await RawConnection.open(server.port);
      for (let count = 1; count <= 2; count++) {
        connection.request(`/pub?id=${channel}`, { method: "POST", headers, body: `body ${count}` });
        expect((await connection.answer()).body.toString()).toBe(channelInfo(channel, count, count));
        connection.request(`/channels-stats?id=${channel}`, { headers });
        expect((await connection.answer()).body.toString()).toBe(channelInfo(channel, count, count));
      }
      connection.request(`/ev/${channel}.b2`, { headers });
      expect((await connection.head()).status).toBe(200);
      const text = ": \ndata: body 1\n\ndata: body 2\n\n";
      expect(await connection.chunkedText(text.length)).toBe(text);
      connection.close();
    });

    test("nobody says himself where he comes from", async () => {
      const spoof = { "X-Sluice-Peer": "127.0.0.9" };
      for (const first of ["/channels-stats", "/from-nine", "/denied?id=a", "/elsewhere", "/nowhere"]) {
        const connection = await RawConnection.open(server.port);
        connection.request(first, { headers: { ...HANDSHAKE, ...spoof } });
        await connection.answer();
        connection.request("/from-nine", { headers: spoof });
        // A refused handshake may end the connection.
        const second = await connection.answer().catch(() => null);
        if (first !== "/denied?id=a") expect(second?.status).toBe(403);
        else expect(second?.status ?? 403).toBe(403);
        connection.close();
      }
    });

    test("a handshake that is not let in", async () => {
      expect((await ask(server.port, "/denied?id=a", { headers: HANDSHAKE })).status).toBe(403);
      const answer = await ask(server.port, "/elsewhere", { headers: HANDSHAKE });
      expect([answer.status, answer.fields.get("location")]).toEqual([302, `http://x/ws/a`]);
    });
  });

  describe("refusals come after the 101 (4.13.3, 4.13.6)", () => {
    const FORBIDDEN = "Channel id not authorized for this method.";
    const WILDCARDS = "Subscribed too much wildcard channels.";
    const cases: readonly (readonly [string, number, string])[] = [
      ["/around/ALL", 403, FORBIDDEN],
      ["/around/a*", 403, FORBIDDEN],
      ["/around/good/b*c", 403, FORBIDDEN],
      [`/around/${"x".repeat(MAX_ID + 1)}`, 400, "Channel id is too large."],
      ["/known/nobody", 403, "Subscriber could not create channels."],
      ["/around/events", 403, "Subscription to events channel is not allowed."],
      ["/around/good/events", 403, "Subscription to events channel is not allowed."],
      ["/around/bd_1", 403, WILDCARDS],
      ["/around/good/bd_1/bd_2", 403, WILDCARDS],
    ];
    test.each(cases)("%s: %d %s", async (path, status, explain) => {
      const before = (await server.summary()).subscribers;
      const socket = await open(path);
      const reason = `{"http_status": ${status}, "explain":"${explain}"}`;
      const bytes = `\x88${String.fromCharCode(reason.length + 2)}\x03\xf0${reason}`;
      expect((await socket.connection.untilEnd()).toString("latin1")).toBe(bytes);
      expect((await server.summary()).subscribers).toBe(before);
      expect(await info("good")).toBe("");
    });

    test("the golden frame (A.2): 88 49 03 F0 and 71 bytes", async () => {
      const socket = await open("/known/nobody");
      const bytes = await socket.connection.untilEnd();
      expect(bytes.subarray(0, 4).toString("hex")).toBe("884903f0");
      expect(bytes.length).toBe(4 + 71);
    });

    test("too many subscribers of a channel; one place that is free again", async () => {
      const channel = fresh();
      const sockets: RawWebSocket[] = [];
      for (let count = 0; count < MAX_SUBSCRIBERS; count++) sockets.push(await open(`/around/${channel}`));
      for (const socket of sockets) expect(await socket.text()).toBe("HEADER");
      const refused = await open(`/around/${channel}`);
      const reason = '{"http_status": 403, "explain":"Subscribers limit per channel has been exceeded."}';
      expect((await refused.connection.untilEnd()).subarray(4).toString()).toBe(reason);
      sockets[0]?.close();
      await standing(server.port, channel, MAX_SUBSCRIBERS - 1);
      const admitted = await open(`/around/${channel}`);
      expect(await admitted.text()).toBe("HEADER");
      for (const socket of [...sockets, admitted]) socket.close();
    });

    test("no channel at all: dropped without a frame", async () => {
      for (const path of ["/ws/", "/by-argument", "/by-argument?channels="]) {
        const socket = await open(path);
        expect((await socket.connection.untilEnd()).length).toBe(0);
      }
    });

    test("a wildcard channel beside a normal one; a known channel with a stored message", async () => {
      const channel = fresh();
      const both = await open(`/around/${channel}/bd_x`);
      expect(await both.text()).toBe("HEADER");
      await server.publish(channel, "stored");
      const known = await open(`/known/${channel}.b1`);
      expect(await known.text()).toBe("stored");
      for (const socket of [both, known]) socket.close();
    });
  });

  describe("frames from the server (4.13.4)", () => {
    const lengths = [1, 125, 126, 127, 65_535, 65_536, 4 * 1024 * 1024];
    test.each(lengths)("%d bytes are one frame", async (length) => {
      const channel = fresh();
      const old = Buffer.alloc(length, "o");
      await server.publish(channel, old);
      const socket = await open(`/ws/${channel}.b1`);
      const live = Buffer.alloc(length, "l");
      const head = serverFrameHead(Opcode.TEXT, length);
      expect((await socket.frame()).bytes.equals(Buffer.concat([head, old]))).toBeTrue();
      await server.publish(channel, live);
      expect((await socket.frame()).bytes.equals(Buffer.concat([head, live]))).toBeTrue();
      socket.close();
    });

    test.each([
      ["UTF-8 with NUL and control bytes", Buffer.from("é€😀\0\x01\x7f"), Opcode.TEXT],
      ["a byte order mark", Buffer.from("\ufeffx"), Opcode.TEXT],
      // What is none goes as binary (12.4).
      ["a lone continuation byte", Buffer.from([0x61, 0x80]), Opcode.BINARY],
      ["an overlong form", Buffer.from([0xc0, 0xaf]), Opcode.BINARY],
      ["a surrogate", Buffer.from([0xed, 0xa0, 0x80]), Opcode.BINARY],
      ["a sequence cut short", Buffer.from([0xe2, 0x82]), Opcode.BINARY],
    ])("%s", async (_name, body, opcode) => {
      const channel = fresh();
      await server.publish(channel, body);
      const socket = await open(`/ws/${channel}.b1`);
      const old = await socket.frame();
      await server.publish(channel, body);
      for (const frame of [old, await socket.frame()]) {
        expect(frame.opcode).toBe(opcode);
        expect(frame.payload.equals(body)).toBeTrue();
      }
      socket.close();
    });

    test("header template, old, live, deletion, footer, close: each a frame of its own", async () => {
      const channel = fresh();
      for (const text of ["a", "b", "c"]) await server.publish(channel, text);
      const socket = await open(`/around/${channel}.b2`);
      await standing(server.port, channel);
      await server.publish(channel, "d");
      await remove(channel, "gone");
      const texts = [
        "HEADER",
        `2:${channel}:b`,
        `3:${channel}:c`,
        `4:${channel}:d`,
        `-2:${channel}:gone`,
        "BYE",
      ];
      const frames = texts.map((text) => serverFrameHead(Opcode.TEXT, text.length).toString("latin1") + text);
      expect((await socket.connection.untilEnd()).toString("latin1")).toBe(`${frames.join("")}\x88\x00`);
    });

    test("all tokens of the template; a template with quotes", async () => {
      const channel = fresh();
      const [full, json] = [await open(`/full/${channel}`), await open(`/json/${channel}`)];
      await standing(server.port, channel, 2);
      const answer = await server.publish(channel, "~text~ é", { "Event-Id": "i1", "Event-Type": "t1" });
      expect(answer.status).toBe(200);
      const parts = (await full.text()).split("|");
      expect([...parts.slice(0, 4), ...parts.slice(5, 7)]).toEqual([
        "1",
        channel,
        "~text~ é",
        "9",
        "i1",
        "t1",
      ]);
      expect(parts[4]).toMatch(/^[1-9]\d*$/);
      expect(parts[7]).toMatch(/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
      expect(await json.text()).toBe('{"id":1,"text":"~text~ é"}');
      for (const socket of [full, json]) socket.close();
    });

    test("many messages at once come all, in order, none twice", async () => {
      const channel = fresh();
      const socket = await open(`/around/${channel}`);
      expect(await socket.text()).toBe("HEADER");
      const connection = await RawConnection.open(server.port);
      const body = "x".repeat(2000);
      for (let at = 0; at < 300; at += 50) {
        for (let i = 0; i < 50; i++) connection.request(`/pub?id=${channel}`, { method: "POST", body });
        for (let i = 0; i < 50; i++) await connection.answer();
      }
      for (let id = 1; id <= 300; id++) expect(await socket.text()).toBe(`${id}:${channel}:${body}`);
      for (const one of [socket, connection]) one.close();
    });

    test("positions come from the handshake: headers, or arguments where directives say so", async () => {
      const channel = fresh();
      for (const id of ["e1", "e2", "e3"]) await server.publish(channel, `text ${id}`, { "Event-Id": id });
      const poll = await ask(server.port, `/channels-stats?id=${channel}`);
      expect(poll.body.toString()).toBe(channelInfo(channel, 3, 3));
      const hear = async (path: string, headers: Record<string, string> = {}): Promise<string[]> => {
        const socket = await open(path, headers);
        socket.sendFrame(Opcode.PING, "end");
        const texts: string[] = [];
        for (let frame = await socket.frame(); frame.opcode === Opcode.TEXT; frame = await socket.frame())
          texts.push(frame.payload.toString());
        socket.close();
        return texts;
      };
      const past = "Thu, 01 Jan 1970 00:00:01 GMT";
      const [one, two, three] = ["text e1", "text e2", "text e3"];
      expect(await hear(`/ws/${channel}`)).toEqual([]);
      expect(await hear(`/ws/${channel}.b2`)).toEqual([two, three]);
      expect(await hear(`/ws/${channel}`, { "Last-Event-Id": "e1" })).toEqual([two, three]);
      expect(await hear(`/ws/${channel}`, { "If-Modified-Since": past, "If-None-Match": "W/1" })).toEqual([
        one,
        two,
        three,
      ]);
      expect(await hear(`/ws/${channel}?eventid=e1`)).toEqual([]);
      expect(await hear(`/args/${channel}?eventid=e2`, { "Last-Event-Id": "e1" })).toEqual([three]);
      expect(await hear(`/args/${channel}?time=${encodeURIComponent(past)}&tag=0`)).toEqual([
        one,
        two,
        three,
      ]);
      expect(await hear(`/args/${channel}`, { "If-Modified-Since": past })).toEqual([]);
    });
  });

  describe("publishing over the socket (4.13.5)", () => {
    test("to all its channels in order, not to the events channel; the sender hears it too", async () => {
      const [first, second] = [fresh(), fresh()];
      const sender = await open(`/told/events/${first}/${second}`);
      // What is still told of those who left before is not of this.
      const ofThese = async (): Promise<string> => {
        for (;;) {
          const text = await sender.text();
          if (text.includes(first) || text.includes(second)) return text;
        }
      };
      // It stands in the events channel first (spec 7).
      for (const name of [first, second])
        expect(await ofThese()).toBe(`{"type": "client_subscribed", "channel": "${name}"}`);
      const other = await open(`/ws/${second}`);
      expect(await ofThese()).toBe(`{"type": "client_subscribed", "channel": "${second}"}`);
      const before = await info("events");
      sender.sendFrame(Opcode.TEXT, "hello");
      expect([await sender.text(), await sender.text(), await other.text()]).toEqual([
        "hello",
        "hello",
        "hello",
      ]);
      expect(await info(first)).toBe(channelInfo(first, 1, 1, 1));
      expect(await info(second)).toBe(channelInfo(second, 1, 1, 2));
      expect(await info("events")).toBe(before);
      for (const socket of [sender, other]) socket.close();
    });

    test("what is sent has neither event id nor type", async () => {
      const channel = fresh();
      const [sender, reader] = [await open(`/ws/${channel}`), await open(`/full/${channel}`)];
      await standing(server.port, channel, 2);
      sender.sendFrame(Opcode.TEXT, "é");
      expect(await reader.text()).toMatch(new RegExp(`^1\\|${channel}\\|é\\|2\\|\\d+\\|\\|\\|`));
      for (const socket of [sender, reader]) socket.close();
    });

    test("stored per endpoint, also inside an if", async () => {
      for (const [path, channel, stored] of [
        ["/unstored/un", "un", 0],
        ["/ws/kept", "kept", 1],
        ["/by-argument?channels=plain", "plain", 0],
        ["/by-argument?channels=plain&other=one", "other_one", 1],
      ] as const) {
        const socket = await open(path);
        if (path.startsWith("/by")) expect(await socket.text()).toBe("HEADER");
        socket.sendFrame(Opcode.TEXT, "hello");
        expect(await socket.text()).toBe("hello");
        expect(await info(channel)).toBe(channelInfo(channel, 1, stored, 1));
        if (path.startsWith("/by")) {
          await remove(channel);
          // A template inside an `if` is framed once.
          expect((await socket.connection.untilEnd()).toString("latin1")).toBe(
            "\x81\x0fChannel deleted\x81\x03BYE\x88\x00",
          );
        }
        socket.close();
      }
    });

    test("not allowed: read and ignored, whatever its size, the socket stays", async () => {
      const channel = fresh();
      const socket = await open(`/deaf/${channel}`);
      socket.sendFrame(Opcode.TEXT, "hello");
      socket.sendFrame(Opcode.TEXT, Buffer.alloc(2_000_000, "x"));
      socket.sendFrame(Opcode.PING, "after");
      expect((await socket.frame()).bytes).toEqual(Buffer.from("\x8a\x05after", "latin1"));
      expect(await info(channel)).toBe(channelInfo(channel, 0, 0, 1));
      socket.close();
    });

    const large = Buffer.alloc(6 * 1024 * 1024, "large ");
    const cut = large.length / 2;
    const cases: readonly (readonly [string, readonly Buffer[], string])[] = [
      ["UTF-8", [clientFrame(1, "é€😀")], "é€😀"],
      ["templates in it", [clientFrame(1, "~text~~id~")], "~text~~id~"],
      ["126 bytes", [clientFrame(1, "x".repeat(126))], "x".repeat(126)],
      ["65,536 bytes", [clientFrame(1, "x".repeat(65_536))], "x".repeat(65_536)],
      // client_max_body_size is for requests.
      ["6 MiB", [clientFrame(1, large)], large.toString()],
      [
        "6 MiB in fragments",
        [clientFrame(1, large.subarray(0, cut), { fin: false }), clientFrame(0, large.subarray(cut))],
        large.toString(),
      ],
      ["two fragments", [clientFrame(1, "he", { fin: false }), clientFrame(0, "llo")], "hello"],
      [
        "many fragments, empty ones among them",
        [
          clientFrame(1, "", { fin: false }),
          ..."hello".split("").map((text) => clientFrame(0, text, { fin: false })),
          clientFrame(0, ""),
        ],
        "hello",
      ],
      [
        "a character cut in two fragments",
        [clientFrame(1, Buffer.from([0xc3]), { fin: false }), clientFrame(0, Buffer.from([0xa9]))],
        "é",
      ],
      ["an empty frame before it", [clientFrame(1, ""), clientFrame(1, "hello")], "hello"],
      ["a pong before it", [clientFrame(10, "unasked"), clientFrame(1, "hello")], "hello"],
    ];
    test.each(cases)("%s", async (_name, frames, text) => {
      const channel = fresh();
      const socket = await open(`/ws/${channel}`);
      for (const frame of frames) socket.connection.send(frame);
      expect((await socket.text()) === text).toBeTrue();
      expect(await info(channel)).toBe(channelInfo(channel, 1, 1, 1));
      // Not kept: large ones would fill the store.
      await remove(channel);
      socket.close();
    });

    test("byte by byte, and handshake and frames in one stream", async () => {
      const channel = fresh();
      const connection = await RawConnection.open(server.port);
      const lines = Object.entries({ Host: "x", ...HANDSHAKE }).map(
        ([name, value]) => `${name}: ${value}\r\n`,
      );
      for (const byte of Buffer.from(`GET /ws/${channel} HTTP/1.1\r\n${lines.join("")}\r\n`)) {
        connection.send(Buffer.from([byte]));
        await Bun.sleep(0);
      }
      expect((await connection.head()).status).toBe(101);
      for (const byte of Buffer.concat([
        clientFrame(1, "hello ", { fin: false }),
        clientFrame(9, "p"),
        clientFrame(0, "world"),
        clientFrame(1, "x".repeat(126)),
      ])) {
        connection.send(Buffer.from([byte]));
        await Bun.sleep(1);
      }
      const text = `\x8a\x01p\x81\x0bhello world\x81\x7e\x00\x7e${"x".repeat(126)}`;
      expect((await connection.read(text.length)).toString("latin1")).toBe(text);
      connection.close();
    });

    test("many frames in one write are many messages, in order", async () => {
      const channel = fresh();
      const socket = await open(`/ws/${channel}`);
      const texts = Array.from({ length: 200 }, (_, i) => `m${i}`);
      socket.connection.send(Buffer.concat(texts.map((text) => clientFrame(1, text))));
      for (const text of texts) expect(await socket.text()).toBe(text);
      socket.close();
    });
  });

  describe("pings", () => {
    test.each(["", "abc", "x".repeat(125)])("'%s' is echoed (12.4)", async (payload) => {
      const pong = Buffer.concat([serverFrameHead(Opcode.PONG, payload.length), Buffer.from(payload)]);
      const socket = await open(`/ws/${fresh()}`);
      for (let again = 0; again < 3; again++) {
        socket.sendFrame(Opcode.PING, payload);
        expect((await socket.frame()).bytes).toEqual(pong);
      }
      socket.close();
    });

    test.each([undefined, "sluice.json.v1"])(
      "a client's makes the server send none (%s)",
      async (protocol) => {
        const channel = fresh();
        const headers = protocol === undefined ? {} : { "Sec-WebSocket-Protocol": protocol };
        const socket = await open(`/ws/${channel}`, headers);
        if (protocol !== undefined) expect(await socket.text()).toContain('"hello"');
        for (const opcode of [Opcode.PING, Opcode.PONG]) socket.sendFrame(opcode, "x");
        expect((await socket.frame()).opcode).toBe(Opcode.PONG);
        await server.publish(channel, "message");
        expect(await socket.text()).toContain("message");
        socket.close();
      },
    );

    test("the server's own: 89 00, again and again; a pong is ignored; ids are not touched", async () => {
      const channel = fresh();
      const socket = await open(`/pinged/${channel}`);
      expect(await socket.text()).toBe("HEADER");
      for (let count = 0; count < 2; count++) {
        expect((await socket.frame()).bytes.toString("hex")).toBe("8900");
        socket.sendFrame(Opcode.PONG);
      }
      await server.publish(channel, "first");
      for (let frame: Frame | null = null; frame?.opcode !== Opcode.TEXT; ) {
        frame = await socket.frame();
        expect([`${Opcode.PING}:`, `${Opcode.TEXT}:1:first`]).toContain(`${frame.opcode}:${frame.payload}`);
      }
      await remove(channel);
      for (let frame = await socket.frame(); frame.opcode !== Opcode.CLOSE; frame = await socket.frame())
        expect(["", "-2:Channel deleted", "BYE"]).toContain(frame.payload.toString());
    });
  });

  describe("what ends a socket (4.10, 4.13.5)", () => {
    test("its ttl: footer frame, 88 00, end; the place is free before the peer can ask (A.2)", async () => {
      const channel = fresh();
      const plain = await open(`/shortest/${fresh()}`);
      const socket = await open(`/short/${channel}`);
      for (const text of ["HEADER", "BYE"]) expect(await socket.text()).toBe(text);
      expect((await socket.frame()).bytes.toString("hex")).toBe("8800");
      expect(await info(channel)).toBe(channelInfo(channel, 0, 0, 0));
      expect((await socket.connection.untilEnd()).length).toBe(0);
      expect((await plain.connection.untilEnd()).toString("hex")).toBe("8800");
    });

    const PROTOCOL_ERROR = 1002;
    const cases: readonly (readonly [string, readonly Buffer[], number | null])[] = [
      ["close without a code", [clientFrame(8)], null],
      ["close 1000", [clientFrame(8, Buffer.from([3, 0xe8]))], 1000],
      ["close 1001 with a reason", [clientFrame(8, Buffer.from([3, 0xe9, 0x78]))], 1001],
      ["close 3000", [clientFrame(8, Buffer.from([0x0b, 0xb8]))], 3000],
      ["close with half a code", [clientFrame(8, Buffer.from([3]))], PROTOCOL_ERROR],
      ["binary", [clientFrame(2, "hello")], null],
      ["binary in fragments", [clientFrame(2, "he", { fin: false }), clientFrame(0, "llo")], null],
      ["invalid UTF-8", [clientFrame(1, Buffer.from([0x61, 0xff]))], 1007],
      ["an overlong form", [clientFrame(1, Buffer.from([0xc0, 0xaf]))], 1007],
      ["a surrogate", [clientFrame(1, Buffer.from([0xed, 0xa0, 0x80]))], 1007],
      ["a character cut short", [clientFrame(1, Buffer.from([0xe2, 0x82]))], 1007],
      [
        "invalid UTF-8 in a fragment",
        [clientFrame(1, Buffer.from([0xff]), { fin: false }), clientFrame(0, "x")],
        1007,
      ],
      ["unmasked", [clientFrame(1, "hello", { masked: false })], PROTOCOL_ERROR],
      ["a continuation of nothing", [clientFrame(0, "x")], PROTOCOL_ERROR],
      [
        "a message inside a message",
        [clientFrame(1, "x", { fin: false }), clientFrame(1, "y")],
        PROTOCOL_ERROR,
      ],
      ["a reserved opcode", [clientFrame(3, "x")], PROTOCOL_ERROR],
      ["a reserved control opcode", [clientFrame(11, "")], PROTOCOL_ERROR],
      ["a reserved bit", [Buffer.from([0xc1, 0x80, 0, 0, 0, 0])], PROTOCOL_ERROR],
      ["a ping of 126 bytes", [clientFrame(9, "x".repeat(126))], PROTOCOL_ERROR],
      ["a ping in fragments", [clientFrame(9, "x", { fin: false })], PROTOCOL_ERROR],
      ["more than the store holds", [clientFrame(1, Buffer.alloc(60 * 1024 * 1024)).subarray(0, 100)], 1009],
    ];
    test.each(cases)("%s", async (_name, frames, code) => {
      const channel = fresh();
      const socket = await open(`/ws/${channel}`);
      for (const frame of frames) socket.connection.send(frame);
      // What comes after a close is nothing's beginning: no frame, no HTTP request.
      socket.connection.send(clientFrame(1, "late"));
      socket.connection.send("GET /channels-stats HTTP/1.1\r\nHost: x\r\n\r\n");
      const { opcode, payload } = await socket.frame();
      expect(opcode).toBe(Opcode.CLOSE);
      expect(payload.length < 2 ? null : payload.readUInt16BE(0)).toBe(code);
      expect(await info(channel)).toBe(channelInfo(channel, 0, 0, 0));
      expect((await socket.connection.untilEnd()).length).toBe(0);
    });

    test("a close from either side: nobody is counted when the peer can ask (5.6)", async () => {
      const others = await Promise.all(Array.from({ length: 4 }, () => RawConnection.open(server.port)));
      const channel = fresh();
      for (let again = 0; again < 40; again++) {
        const socket = await open(`/ws/${channel}`);
        if (again % 2 === 0) socket.sendFrame(Opcode.CLOSE);
        else socket.sendFrame(Opcode.BINARY, "refused");
        expect((await socket.frame()).bytes.toString("hex")).toBe("8800");
        for (const other of others) other.request(`/channels-stats?id=${channel}`);
        for (const other of others)
          expect((await other.answer()).body.toString()).toBe(channelInfo(channel, 0, 0, 0));
        expect((await socket.connection.untilEnd()).length).toBe(0);
      }
      for (const other of others) other.close();
      expect((await server.summary()).subscribers).toBe(0);
    });

    test("a connection that just breaks", async () => {
      const channel = fresh();
      const socket = await open(`/ws/${channel}`);
      await standing(server.port, channel, 1);
      socket.close();
      await standing(server.port, channel, 0);
    });
  });

  test("one of several channels is deleted: the socket goes on, and ends with the last (2.7)", async () => {
    const names = [fresh(), fresh(), fresh()];
    const [a = "", b = "", c = ""] = names;
    const socket = await open(`/around/${names.join("/")}`);
    expect(await socket.text()).toBe("HEADER");
    await remove(b);
    expect(await socket.text()).toBe(`-2:${b}:Channel deleted`);
    socket.sendFrame(Opcode.TEXT, "to two");
    expect([await socket.text(), await socket.text()]).toEqual([`1:${a}:to two`, `1:${c}:to two`]);
    // A channel of that name is another one.
    await server.publish(`${b}/${c}`, "new");
    expect(await socket.text()).toBe(`2:${c}:new`);
    expect(await info(b)).toBe(channelInfo(b, 1, 1, 0));
    expect(await info(c)).toBe(channelInfo(c, 2, 1, 1));
    await remove(`${a}/${c}`, "bye");
    expect([await socket.text(), await socket.text()]).toEqual([`-2:${a}:bye`, `-2:${c}:bye`]);
    expect((await socket.connection.untilEnd()).toString("latin1")).toBe("\x81\x03BYE\x88\x00");
  });

  test("the events of a socket (A.3)", async () => {
    const [a, b] = [fresh(), fresh()];
    const socket = await open(`/ws/${a}/${b}`);
    await standing(server.port, b);
    socket.sendFrame(Opcode.CLOSE);
    await socket.connection.untilEnd();
    // A leave that meets a busy store is told a moment later.
    let told: string[] = [];
    await until("all of it is told", async () => {
      told = (await events()).filter((text) => text.includes(`"${a}"`) || text.includes(`"${b}"`));
      return told.length >= 6;
    });
    expect(told).toEqual(
      ["channel_created", "client_subscribed", "client_unsubscribed"].flatMap((type) => [
        `{"type": "${type}", "channel": "${a}"}`,
        `{"type": "${type}", "channel": "${b}"}`,
      ]),
    );
  });

  test("no more channels than configured; those that are there are served", async () => {
    const { channels: living } = JSON.parse((await ask(server.port, "/channels-stats")).body.toString());
    const names = Array.from({ length: MAX_CHANNELS - living }, (_, i) => `fill-${i}`);
    expect((await server.publish(names.join("/"), "x")).status).toBe(200);
    const refused = await open("/around/one-more");
    const reason = '{"http_status": 403, "explain":"Number of channels were exceeded."}';
    expect((await refused.connection.untilEnd()).subarray(4).toString()).toBe(reason);
    const socket = await open("/around/fill-0.b1");
    expect([await socket.text(), await socket.text()]).toEqual(["HEADER", "1:fill-0:x"]);
    socket.close();
  });
});
