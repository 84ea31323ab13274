/**
 * What the PushStream client does in each mode when something happens to it: push-stream spec 9.2, 9.4, 9.5.
 */
import { beforeEach, describe, expect, test } from "bun:test";
import type { GivenOptions } from "../../src/web/pushstream/client.ts";
import { makePushStream } from "../../src/web/pushstream/globals.ts";
import { FakePage } from "./pushstream-page.ts";

const TIME = "Thu, 09 May 2024 21:16:33 GMT";
const TIME_ENCODED = "Thu%2C%2009%20May%202024%2021%3A16%3A33%20GMT";

let page: FakePage;
let PushStream: ReturnType<typeof makePushStream>["PushStream"];
/** Every callback, in order. */
let told: unknown[][];

beforeEach(() => {
  page = new FakePage();
  ({ PushStream } = makePushStream(page.window));
  told = [];
});

function connect(modes: string, given: GivenOptions = {}) {
  const client = new PushStream({ modes, ...given });
  client.onmessage = (...values) => told.push(["message", ...values]);
  client.onchanneldeleted = (channel) => told.push(["deleted", channel]);
  client.onstatuschange = (status) => told.push(["status", status]);
  client.onerror = ({ type }) => told.push(["error", type]);
  client.addChannel("ch1", { backtrack: 2 });
  client.connect();
  return client;
}

const json = (id: number, text: string, more: Record<string, unknown> = {}) =>
  JSON.stringify({ id, channel: "ch1", text, tag: "3", time: TIME, eventid: "", ...more });
const message = (id: number, text: string, isLast = true) => ["message", text, id, "ch1", "", isLast, TIME];
const statuses = () => told.filter(([kind]) => kind === "status").map(([, status]) => status);
const callbackOf = (src: string): `PushStreamManager_${number}_onmessage_${number}` => {
  const [, id, ms] = /&callback=PushStreamManager_(\d+)_onmessage_(\d+)&_=\d+$/.exec(src) ?? [];
  return `PushStreamManager_${Number(id)}_onmessage_${Number(ms)}`;
};

describe("websocket", () => {
  test("messages, deletion, and silence about ping and timeout", () => {
    connect("websocket");
    page.socket.open();
    for (const data of [json(1, "a%20b"), json(-1, ""), json(-3, "Timed out"), json(-2, "gone"), "no json"])
      page.socket.onmessage?.({ data });
    expect(told).toEqual([["status", 1], ["status", 2], message(1, "a b"), ["deleted", "ch1"]]);
    expect(page.logged).toHaveLength(1);
  });

  test.each([
    [1005, "timeout", 3000],
    [1001, "timeout", 3000],
    [1006, "load", 60_000],
  ])(
    "a close with %d is reported as %s and followed by the next connect after %d ms",
    (code, type, afterMs) => {
      connect("websocket");
      page.socket.open();
      page.socket.onclose?.({ code });
      expect(told.slice(-2)).toEqual([
        ["status", 0],
        ["error", type],
      ]);
      page.pass(afterMs - 1);
      expect(page.sockets).toHaveLength(1);
      page.pass(1);
      expect(page.sockets).toHaveLength(2);
      expect(statuses()).toEqual([1, 2, 0, 1]);
    },
  );

  test("any failure while connecting is a load error", () => {
    connect("websocket");
    page.socket.onclose?.({ code: 1005 });
    expect(told.at(-1)).toEqual(["error", "load"]);
  });

  test("no reconnection when it is not wanted, nor after disconnect() in the callback", () => {
    connect("websocket", { autoReconnect: false });
    page.socket.onclose?.({ code: 1005 });
    expect(page.pendingTimers).toBe(0);
    const other = connect("websocket");
    other.onerror = () => other.disconnect();
    page.socket.onclose?.({ code: 1005 });
    expect(page.pendingTimers).toBe(0);
  });

  test("a second connect() does nothing, a closed connection tells nothing", () => {
    const client = connect("websocket");
    client.connect();
    expect(page.sockets).toHaveLength(1);
    const { socket } = page;
    client.disconnect();
    expect(socket.readyState).toBe(3);
    socket.onmessage?.({ data: json(1, "late") });
    socket.onclose?.({ code: 1006 });
    expect(told).toEqual([
      ["status", 1],
      ["status", 0],
    ]);
  });

  test("by argument, the next connect asks from the last message and without backtrack", () => {
    connect("websocket", { messagesControlByArgument: true });
    expect(page.socket.url).toContain("/ws/ch1.b2?");
    page.socket.open();
    page.socket.onmessage?.({ data: json(1, "a") });
    page.socket.onmessage?.({ data: json(-2, "gone", { time: "Thu, 01 Jan 1970 00:00:00 GMT", tag: 0 }) });
    page.socket.onclose?.({ code: 1005 });
    page.pass(3000);
    expect(page.socket.url).toMatch(new RegExp(`/ws/ch1\\?_=\\d+&tag=3&time=${TIME_ENCODED}&eventid=$`));
  });

  test("a channel added on the way: connects again with both; with the position kept", () => {
    const client = connect("websocket", { messagesControlByArgument: true });
    page.socket.open();
    client.onmessage = () => client.addChannel("ch2");
    page.socket.onmessage?.({ data: json(1, "a") });
    expect(page.sockets).toHaveLength(2);
    expect(page.socket.url).toContain(`/ws/ch1/ch2?_=`);
    expect(page.socket.url).toContain("&tag=3&");
    client.removeChannel("ch1");
    expect(page.sockets).toHaveLength(2);
    client.removeAllChannels();
    page.socket.onclose?.({ code: 1005 });
    page.pass(60_000);
    expect(page.sockets).toHaveLength(2);
  });

  test("sends a frame while open, else a POST", () => {
    const client = connect("websocket");
    client.sendMessage("é", () => told.push(["posted"]));
    expect(page.request.url).toMatch(/^http:\/\/push\.example\.com\/pub\?id=\/ch1&_=\d+$/);
    page.socket.open();
    client.sendMessage("é b", () => told.push(["sent"]));
    expect(page.socket.sent).toEqual(["%C3%A9%20b"]);
    expect(told.at(-1)).toEqual(["sent"]);
  });

  test("a callback that throws breaks nothing but is not hidden", () => {
    const client = connect("websocket");
    client.onmessage = () => {
      throw new Error("the page's own fault");
    };
    page.socket.open();
    page.socket.onmessage?.({ data: json(1, "a") });
    expect(client.readyState).toBe(PushStream.OPEN);
    expect(() => page.pass(0)).toThrow("the page's own fault");
  });
});

describe("eventsource", () => {
  test("what the browser mends by itself is not reported", () => {
    connect("eventsource");
    page.eventSource.onopen?.();
    page.eventSource.readyState = 0;
    page.eventSource.onerror?.();
    page.pass(100_000);
    page.eventSource.onopen?.();
    page.eventSource.onmessage?.({ data: json(1, "a") });
    expect(told).toEqual([["status", 1], ["status", 2], message(1, "a")]);
    expect(page.eventSources).toHaveLength(1);
  });

  test("by argument the browser would ask with an old position, so a new one is opened, as silently", () => {
    connect("eventsource", { messagesControlByArgument: true });
    page.eventSource.onopen?.();
    page.eventSource.onmessage?.({ data: json(1, "a") });
    page.eventSource.onerror?.();
    page.pass(3000);
    expect(page.eventSources).toHaveLength(2);
    expect(page.eventSource.url).toContain(`&tag=3&time=${TIME_ENCODED}`);
    expect(statuses()).toEqual([1, 2]);
  });

  test.each([
    [true, "timeout"],
    [false, "load"],
  ])("closed for good when open %p: %s", (isOpen, type) => {
    connect("eventsource");
    if (isOpen) page.eventSource.onopen?.();
    page.eventSource.readyState = 2;
    page.eventSource.onerror?.();
    expect(told.at(-1)).toEqual(["error", type]);
  });
});

describe("stream", () => {
  const register = () => {
    const frame = page.frame.contentWindow;
    if (frame) PushStream.register(frame);
    return frame;
  };

  test("a hidden frame registers itself and calls p", () => {
    connect("stream", { messagesControlByArgument: true });
    expect(page.frame.style.display).toBe("none");
    expect(page.frame.src).toMatch(/\/sub\/ch1\.b2\?_=\d+&streamid=0&tag=&time=&eventid=$/);
    const frame = register();
    frame?.p?.(1, "ch1", "a%20b", "", TIME, "3");
    frame?.p?.(-1, "", " ", "", "Thu, 01 Jan 1970 00:00:00 GMT", "0");
    frame?.p?.(-2, "ch1", "gone", "", "", "0");
    expect(told).toEqual([["status", 1], ["status", 2], message(1, "a b"), ["deleted", "ch1"]]);
    page.frame.onload?.();
    expect(told.at(-1)).toEqual(["error", "timeout"]);
    page.pass(3000);
    expect(page.frame.src).toContain(`/sub/ch1?`);
    expect(page.frame.src).toContain(`&tag=3&time=${TIME_ENCODED}`);
  });

  test("a frame that ends without registering is a load error, and so is one that takes too long", () => {
    connect("stream");
    page.frame.onload?.();
    expect(told.at(-1)).toEqual(["error", "load"]);
    expect(page.frame.isRemoved).toBe(true);
    connect("stream", { timeout: 500 });
    page.pass(500);
    expect(told.at(-1)).toEqual(["error", "load"]);
  });

  test("silence longer than pingtimeout is a timeout error", () => {
    connect("stream", { pingtimeout: 1000 });
    const frame = register();
    for (let pings = 0; pings < 5; pings++) {
      page.pass(999);
      frame?.p?.(-1);
    }
    expect(statuses()).toEqual([1, 2]);
    page.pass(1000);
    expect(told.at(-1)).toEqual(["error", "timeout"]);
  });

  test("a frame of before, or of nobody, is not listened to", () => {
    const client = connect("stream");
    const old = register();
    client.disconnect();
    told = [];
    old?.p?.(1, "ch1", "late");
    expect(told).toEqual([]);
    client.connect();
    const stranger = { location: { href: "http://push.example.com/sub/x?streamid=99" } };
    PushStream.register(stranger);
    if (old) PushStream.register(old);
    told = [];
    old?.p?.(1, "ch1", "late");
    expect(stranger).toHaveProperty("p");
    expect(told).toEqual([]);
    expect(client.readyState).toBe(PushStream.CONNECTING);
  });

  test.each([
    ["http://www.example.com", "example.com"],
    ["http://a.b.example.com", "b.example.com"],
    ["http://example.com", "example.com"],
    ["http://www.foo.co.uk", "foo.co.uk"],
    ["http://foo.co.uk", "foo.co.uk"],
    ["http://127.0.0.1", "127.0.0.1"],
    ["http://[::1]", "[::1]"],
    ["http://localhost", "localhost"],
  ])("document.domain of %s becomes %s", (origin, domain) => {
    page = new FakePage([], origin);
    ({ PushStream } = makePushStream(page.window));
    connect("stream");
    expect(page.window.document.domain).toBe(domain);
  });
});

describe("longpolling", () => {
  test("headers, batches, and the next poll from the answer's position", () => {
    connect("longpolling");
    expect(page.request.url).toMatch(/\/lp\/ch1\.b2\?&tag=&time=&eventid=&_=\d+$/);
    expect(page.request.headers).toEqual({ "If-None-Match": "0", "If-Modified-Since": "null" });
    expect(page.request.timeout).toBe(32_000);
    const later = "Thu, 09 May 2024 21:16:34 GMT";
    page.request.answer(200, json(1, "a") + json(2, "b"), { "Last-Modified": later, Etag: "W/7" });
    expect(told.slice(-2)).toEqual([message(1, "a", false), message(2, "b")]);
    page.pass(0);
    expect(page.requests).toHaveLength(2);
    expect(page.request.url).toContain("/lp/ch1?&");
    expect(page.request.headers).toEqual({ "If-None-Match": "W/7", "If-Modified-Since": later });
  });

  test("is open after 150 ms without an error", () => {
    connect("longpolling");
    page.pass(149);
    expect(statuses()).toEqual([1]);
    page.pass(1);
    expect(statuses()).toEqual([1, 2]);
  });

  test("a 304 is followed by the next poll after 100 ms, from the server's time if no other", () => {
    connect("longpolling");
    page.pass(200);
    page.request.answer(304, "", { "Last-Modified": TIME, Etag: "W/0" });
    page.pass(99);
    expect(page.requests).toHaveLength(1);
    page.pass(1);
    expect(page.request.headers).toEqual({ "If-None-Match": "W/0", "If-Modified-Since": TIME });
    page.request.answer(200, json(1, "a"), { "Last-Modified": TIME, Etag: "W/3" });
    page.pass(0);
    page.request.answer(304, "", { "Last-Modified": TIME, Etag: "W/0" });
    page.pass(100);
    expect(page.request.headers).toEqual({ "If-None-Match": "W/3", "If-Modified-Since": TIME });
    expect(statuses()).toEqual([1, 2]);
  });

  test("by argument no headers are sent; a 304 before anything is known gives the second before", () => {
    connect("longpolling", { messagesControlByArgument: true });
    expect(page.request.headers).toEqual({});
    page.request.answer(304, "", { "Last-Modified": TIME, Etag: "W/0" });
    page.pass(100);
    expect(page.request.url).toContain(`/lp/ch1?&tag=&time=${TIME_ENCODED.replace("33", "32")}&eventid=&_=`);
    page.request.answer(200, json(1, "a") + json(-3, "Timed out", { time: "Thu, 01 Jan 1970 00:00:00 GMT" }));
    page.pass(0);
    expect(page.request.url).toContain(`/lp/ch1?&tag=3&time=${TIME_ENCODED}&eventid=&_=`);
  });

  test.each([
    [403, false, "load"],
    [403, true, "load"],
    [500, false, "load"],
    [500, true, "timeout"],
    [0, true, "timeout"],
  ])("status %d when open %p: %s", (status, isOpen, type) => {
    connect("longpolling");
    if (isOpen) page.pass(150);
    if (status === 0) page.request.onerror?.();
    else page.request.answer(status);
    expect(told.at(-1)).toEqual(["error", type]);
    expect(page.pendingTimers).toBe(1);
  });

  test("an answer that is no messages does not make it ask without a pause", () => {
    connect("longpolling");
    page.request.answer(200, "<html>");
    page.pass(99);
    expect(page.requests).toHaveLength(1);
    page.pass(1);
    expect(page.requests).toHaveLength(2);
  });

  test("its own timeout is like a 304; disconnect() ends the poll", () => {
    const client = connect("longpolling");
    page.pass(32_000);
    page.request.ontimeout?.();
    page.pass(100);
    expect(page.requests).toHaveLength(2);
    client.disconnect();
    expect(page.request.isAborted).toBe(true);
    expect(page.pendingTimers).toBe(0);
  });

  test("starts after messagesPublishedAfter or lastEventId", () => {
    connect("longpolling", { messagesPublishedAfter: 40 });
    expect(page.request.headers["If-Modified-Since"]).toBe("Thu, 01 Jan 1970 00:01:00 GMT");
    connect("longpolling", { lastEventId: "e1" });
    expect(page.request.headers["Last-Event-Id"]).toBe("e1");
  });
});

describe("longpolling by script", () => {
  test("is used when asked for and for another origin", () => {
    connect("longpolling", { host: "other.example" });
    connect("longpolling", { useJSONP: true });
    expect(page.requests).toHaveLength(0);
    expect(page.head.children).toHaveLength(2);
  });

  test("the callback gets an array; the next poll carries the position", () => {
    connect("longpolling", { useJSONP: true });
    const { src } = page.script;
    expect(src).toContain("/lp/ch1.b2?&tag=&time=&eventid=&callback=PushStreamManager_0_onmessage_");
    const name = callbackOf(src);
    page.window[name]?.([JSON.parse(json(1, "a")), JSON.parse(json(2, "b"))]);
    expect(told.slice(-2)).toEqual([message(1, "a", false), message(2, "b")]);
    expect(page.script.isRemoved).toBe(true);
    page.pass(0);
    expect(page.window[name]).toBeUndefined();
    expect(page.script.src).toContain(`/lp/ch1?&tag=3&time=${TIME_ENCODED}&eventid=&callback=`);
    expect(callbackOf(page.script.src)).not.toBe(name);
  });

  test.each([
    [14_999, "refused"],
    [15_000, "nothing"],
  ])("a script that fails after %d ms: %s", (afterMs, meaning) => {
    connect("longpolling", { useJSONP: true });
    page.pass(afterMs);
    page.script.onerror?.();
    expect(told.at(-1)).toEqual(meaning === "refused" ? ["error", "load"] : ["status", 2]);
    page.pass(100);
    expect(page.head.children).toHaveLength(meaning === "refused" ? 1 : 2);
  });

  test("a script that comes too late finds a callback that does nothing, for a while", () => {
    connect("longpolling", { useJSONP: true });
    const name = callbackOf(page.script.src);
    page.pass(32_000);
    told = [];
    page.window[name]?.([JSON.parse(json(1, "late"))]);
    expect(told).toEqual([]);
    page.pass(32_000);
    expect(page.window[name]).toBeUndefined();
  });
});

test("PushStream.sendMessage posts an encoded text", () => {
  PushStream.sendMessage("/pub?id=x", "é='-alert(1)-'", (text, status) => told.push(["ok", text, status]));
  const { method, url, headers, body } = page.request;
  expect({ method, url, headers, body }).toEqual({
    method: "POST",
    url: "/pub?id=x",
    headers: { Accept: "application/json", "Content-type": "application/x-www-form-urlencoded" },
    body: "%C3%A9%3D%27-alert(1)-%27",
  });
  page.request.answer(200, "{}");
  PushStream.sendMessage("/pub?id=x", "a", null, (text, status) => told.push(["err", text, status]));
  page.request.answer(403, "no");
  expect(told).toEqual([
    ["ok", "{}", 200],
    ["err", "no", 403],
  ]);
});
