/** The PushStream client's options, URLs and parsing: push-stream spec 9.1, 9.2, 9.4, row by row. */
import { describe, expect, test } from "bun:test";
import type { CallbackName } from "../../src/web/pushstream/browser.ts";
import { makePushStream } from "../../src/web/pushstream/globals.ts";
import { decodeText, parseBody, parseEvent, rememberNewest } from "../../src/web/pushstream/messages.ts";
import {
  heldUrl,
  isOtherOrigin,
  type Position,
  pollUrl,
  publishUrl,
  resolveSettings,
  type Settings,
  startTime,
  supportedModes,
} from "../../src/web/pushstream/settings.ts";
import { pushStreamScript } from "../../src/web/pushstream-script.ts";
import { FakePage } from "./pushstream-page.ts";

const EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT";
const EPOCH_ENCODED = "Thu%2C%2001%20Jan%201970%2000%3A00%3A00%20GMT";

describe("options (9.1)", () => {
  const { PushStream, PushStreamManager } = makePushStream(new FakePage().window);
  const defaults: readonly (readonly [keyof Settings, unknown])[] = [
    ["useSSL", false],
    ["host", "push.example.com"],
    ["port", 80],
    ["timeout", 30_000],
    ["pingtimeout", 30_000],
    ["reconnectOnTimeoutInterval", 3000],
    ["reconnectOnChannelUnavailableInterval", 60_000],
    ["autoReconnect", true],
    ["lastEventId", null],
    ["messagesPublishedAfter", null],
    ["messagesControlByArgument", false],
    ["tagArgument", "tag"],
    ["timeArgument", "time"],
    ["eventIdArgument", "eventid"],
    ["useJSONP", false],
    ["urlPrefixPublisher", "/pub"],
    ["urlPrefixStream", "/sub"],
    ["urlPrefixEventsource", "/ev"],
    ["urlPrefixLongpolling", "/lp"],
    ["urlPrefixWebsocket", "/ws"],
    ["jsonIdKey", "id"],
    ["jsonChannelKey", "channel"],
    ["jsonTextKey", "text"],
    ["jsonTagKey", "tag"],
    ["jsonTimeKey", "time"],
    ["jsonEventIdKey", "eventid"],
    ["modes", "eventsource|websocket|stream|longpolling"],
    ["channelsByArgument", false],
    ["channelsArgument", "channels"],
  ];
  test.each(defaults)("%s is %p and can be read on the instance", (name, value) => {
    expect(new PushStream()).toHaveProperty(name, value);
  });

  test("the port is 443 with SSL, and 0 or a word is no time", () => {
    const { window } = new FakePage();
    expect(resolveSettings({ useSSL: true }, window).port).toBe(443);
    expect(resolveSettings({ timeout: Number.NaN, pingtimeout: 5 }, window)).toMatchObject({
      timeout: 30_000,
      pingtimeout: 5,
    });
  });

  test("constants, and instances with their index as id", () => {
    expect([PushStream.CLOSED, PushStream.CONNECTING, PushStream.OPEN]).toEqual([0, 1, 2]);
    expect([PushStream.LOG_LEVEL, PushStream.LOG_OUTPUT_ELEMENT_ID]).toEqual(["error", "Log4jsLogOutput"]);
    const one = new PushStream(null);
    expect(PushStreamManager[one.id]).toBe(one);
    expect(one.readyState).toBe(PushStream.CLOSED);
  });

  test("callbacks as options", () => {
    const onmessage = () => undefined;
    expect(new PushStream({ onmessage }).onmessage).toBe(onmessage);
    expect(new PushStream().onerror).toBeNull();
  });

  test.each(["a b", "ä", "a/b", "", "a%20b"])("the channel name %p is refused", (name) => {
    expect(() => new PushStream().addChannel(name)).toThrow("Invalid channel name");
  });

  test("connecting without a channel, or without a mode this browser can do, is an error", () => {
    expect(() => new PushStream().connect()).toThrow("No channel");
    const other = new PushStream({ modes: "carrier-pigeon|toString" });
    other.addChannel("a");
    expect(() => other.connect()).toThrow("No mode");
  });

  test("modes keep their order; what the browser cannot do or nobody knows is skipped", () => {
    const old = new FakePage(["EventSource"]).window;
    expect(supportedModes("eventsource|websocket|stream|longpolling", old)).toEqual([
      "websocket",
      "stream",
      "longpolling",
    ]);
    expect(supportedModes("longpolling|constructor|eventsource", old)).toEqual(["longpolling"]);
  });

  const AGO = 1000 * 1000;
  test.each([
    [60, "Thu, 01 Jan 1970 00:15:40 GMT"],
    [-1, EPOCH],
    [5000, EPOCH],
    [new Date(7000), "Thu, 01 Jan 1970 00:00:07 GMT"],
    [new Date(Number.NaN), null],
    [0, null],
    [null, null],
  ])("messagesPublishedAfter %p is %p", (after, time) => {
    expect(startTime(after, AGO)).toBe(time);
  });
});

describe("URLs (9.2)", () => {
  interface Case {
    readonly given?: Partial<Settings>;
    readonly position?: Partial<Position>;
    readonly held: readonly [websocket: string, eventsource: string, stream: string];
    readonly poll: string;
    readonly script: string;
  }
  const CALLBACK: CallbackName = "PushStreamManager_3_onmessage_9";
  const cases: Readonly<Record<string, Case>> = {
    "nothing known": {
      held: [
        "ws://push.example.com/ws/ch1.b5/ch2?_=9&tag=&time=&eventid=",
        "http://push.example.com/ev/ch1.b5/ch2?_=9&tag=&time=&eventid=",
        "http://push.example.com/sub/ch1.b5/ch2?_=9&streamid=3&tag=&time=&eventid=",
      ],
      poll: "http://push.example.com/lp/ch1.b5/ch2?&tag=&time=&eventid=&_=9",
      script: `http://push.example.com/lp/ch1.b5/ch2?&tag=&time=&eventid=&callback=${CALLBACK}&_=9`,
    },
    "a position that is not sent by argument": {
      position: { time: EPOCH, tag: 4, isFromServer: true },
      held: [
        "ws://push.example.com/ws/ch1.b5/ch2?_=9&tag=&time=&eventid=",
        "http://push.example.com/ev/ch1.b5/ch2?_=9&tag=&time=&eventid=",
        "http://push.example.com/sub/ch1.b5/ch2?_=9&streamid=3&tag=&time=&eventid=",
      ],
      poll: "http://push.example.com/lp/ch1/ch2?&tag=&time=&eventid=&_=9",
      script:
        `http://push.example.com/lp/ch1/ch2?&tag=4&time=${EPOCH_ENCODED}&eventid=&` +
        `callback=${CALLBACK}&_=9`,
    },
    "time and tag by argument": {
      given: { messagesControlByArgument: true, lastEventId: "e 1" },
      position: { time: EPOCH, tag: 4 },
      held: [
        `ws://push.example.com/ws/ch1/ch2?_=9&tag=4&time=${EPOCH_ENCODED}&eventid=`,
        `http://push.example.com/ev/ch1/ch2?_=9&tag=4&time=${EPOCH_ENCODED}&eventid=`,
        `http://push.example.com/sub/ch1/ch2?_=9&streamid=3&tag=4&time=${EPOCH_ENCODED}&eventid=`,
      ],
      poll: `http://push.example.com/lp/ch1/ch2?&tag=4&time=${EPOCH_ENCODED}&eventid=&_=9`,
      script:
        `http://push.example.com/lp/ch1/ch2?&tag=4&time=${EPOCH_ENCODED}&eventid=&` +
        `callback=${CALLBACK}&_=9`,
    },
    "an event id by argument, other names, and 0 is empty": {
      given: {
        messagesControlByArgument: true,
        lastEventId: "e 1",
        tagArgument: "g",
        timeArgument: "t",
        eventIdArgument: "e",
      },
      position: { tag: 0 },
      held: [
        "ws://push.example.com/ws/ch1/ch2?_=9&g=&t=&e=e%201",
        "http://push.example.com/ev/ch1/ch2?_=9&g=&t=&e=e%201",
        "http://push.example.com/sub/ch1/ch2?_=9&streamid=3&g=&t=&e=e%201",
      ],
      poll: "http://push.example.com/lp/ch1/ch2?&g=&t=&e=e%201&_=9",
      script: `http://push.example.com/lp/ch1/ch2?&g=&t=&e=e%201&callback=${CALLBACK}&_=9`,
    },
    "SSL, host, port, prefixes, channels by argument, more arguments": {
      given: {
        useSSL: true,
        host: "h",
        port: "8443",
        urlPrefixWebsocket: "/w",
        urlPrefixEventsource: "/e",
        urlPrefixStream: "/s",
        urlPrefixLongpolling: "/l",
        channelsByArgument: true,
        extraParams: () => ({ qs: "on", "a b": "c&d", no: null }),
      },
      held: [
        "wss://h:8443/w?channels=ch1.b5%2Fch2&qs=on&a%20b=c%26d&no=&_=9&tag=&time=&eventid=",
        "https://h:8443/e?channels=ch1.b5%2Fch2&qs=on&a%20b=c%26d&no=&_=9&tag=&time=&eventid=",
        "https://h:8443/s?channels=ch1.b5%2Fch2&qs=on&a%20b=c%26d&no=&_=9&streamid=3&tag=&time=&eventid=",
      ],
      poll: "https://h:8443/l?&channels=ch1.b5%2Fch2&qs=on&a%20b=c%26d&no=&tag=&time=&eventid=&_=9",
      script:
        "https://h:8443/l?&channels=ch1.b5%2Fch2&qs=on&a%20b=c%26d&no=&tag=&time=&eventid=&" +
        `callback=${CALLBACK}&_=9`,
    },
  };
  const channels = new Map([
    ["ch1", { backtrack: 5 }],
    ["ch2", { backtrack: 0 }],
  ]);
  test.each(Object.entries(cases))("%s", (_name, { given = {}, position = {}, held, poll, script }) => {
    const subscription = {
      settings: resolveSettings(given, new FakePage().window),
      channels,
      position: { time: null, tag: null, etag: null, isFromServer: false, ...position },
      nowMs: 9,
    };
    const modes = ["websocket", "eventsource", "stream"] as const;
    expect(modes.map((mode) => heldUrl(subscription, mode, 3))).toEqual([...held]);
    expect(pollUrl(subscription, null)).toBe(poll);
    expect(pollUrl(subscription, CALLBACK)).toBe(script);
  });

  test("instance 0 has a stream id, too", () => {
    const settings = resolveSettings({}, new FakePage().window);
    const position = { time: null, tag: null, etag: null, isFromServer: false };
    expect(heldUrl({ settings, channels, position, nowMs: 9 }, "stream", 0)).toContain("&streamid=0&");
  });

  test.each([
    [{}, "http://push.example.com/pub?id=/ch1/ch2&_=9"],
    [{ port: 443 }, "http://push.example.com:443/pub?id=/ch1/ch2&_=9"],
    [{ useSSL: true, port: 443, urlPrefixPublisher: "/p" }, "https://push.example.com/p?id=/ch1/ch2&_=9"],
  ])("publishing with %p goes to %s", (given, url) => {
    const settings = resolveSettings(given, new FakePage().window);
    expect(publishUrl({ settings, channels, nowMs: 9 })).toBe(url);
  });

  test.each([
    ["http://a.example", {}, false],
    ["http://a.example", { host: "b.example" }, true],
    ["http://a.example", { port: 81 }, true],
    ["http://a.example:81", { port: "81" }, false],
    ["https://a.example", { useSSL: true }, false],
    ["https://a.example", {}, true],
  ])("from a page of %s, %p is another origin: %p", (origin, given, isOther) => {
    const { window } = new FakePage([], origin);
    expect(isOtherOrigin(resolveSettings(given, window), window)).toBe(isOther);
  });
});

describe("what comes (9.4)", () => {
  const bodies: readonly (readonly [string, string, readonly unknown[], number])[] = [
    ["one after another", '{"id":1}{"id":2}', [{ id: 1 }, { id: 2 }], 0],
    ["with line breaks", '{"id":1}\r\n{"id":2}\r\n', [{ id: 1 }, { id: 2 }], 0],
    ["nothing", "\r\n", [], 0],
    ["a broken one costs itself only", '{"id":1}\r\n{"id":\r\n{"id":3}', [{ id: 1 }, { id: 3 }], 1],
    ["a program is no message", "alert(1)", [], 1],
  ];
  test.each(bodies)("a long poll's body: %s", (_name, body, items, badPieces) => {
    expect(parseBody(body)).toEqual({ items, badPieces });
  });

  test("an event is one object, or one a line for a text of several lines", () => {
    expect(parseEvent('{"text":"a}{b"}').items).toEqual([{ text: "a}{b" }]);
    expect(parseEvent('{"id":1}\n{"id":1}').items).toEqual([{ id: 1 }, { id: 1 }]);
    expect(parseEvent({}).badPieces).toBe(1);
  });

  test.each([
    ["h%C3%A9%20%7D%7B", "hé }{"],
    ["100%", "100%"],
    ["%FF", "%FF"],
    ["", ""],
    [7, 7],
    [undefined, undefined],
  ])("the text %p is %p", (text, decoded) => {
    expect(decodeText(text)).toBe(decoded);
  });

  const settings = () => resolveSettings({}, new FakePage().window);
  const none = (): Position => ({ time: null, tag: null, etag: null, isFromServer: false });
  const message = (id: unknown, time: string, tag: unknown, eventId?: string) => ({
    id,
    channel: "c",
    text: "",
    time,
    tag,
    eventId,
  });

  test("of a long poll's messages, which come channel by channel, the newest is the position", () => {
    const position = none();
    const own = settings();
    const later = "Thu, 01 Jan 1970 00:00:09 GMT";
    const batch = [message(4, EPOCH, "9"), message(5, later, "12", "e5"), message(1, later, "3", "e1")];
    expect(rememberNewest(batch, position, own)).toBe(true);
    expect(position).toEqual({ time: later, tag: "12", etag: null, isFromServer: true });
    expect(own.lastEventId).toBe("e5");
  });

  test("ping, deletion and timeout are no position: the next poll would get everything again", () => {
    const position = none();
    const batch = [-1, -2, -3, 0, "7"].map((id) => message(id, EPOCH, 0));
    expect(rememberNewest(batch, position, settings())).toBe(false);
    expect(position).toEqual(none());
  });
});

test("the script is a classic one, evaluates nothing, and does nothing when it is loaded again", () => {
  const script = pushStreamScript();
  expect(pushStreamScript()).toBe(script);
  expect(script).not.toMatch(/^(?:import|export)\b|\beval\(|new Function|innerHTML|document\.write/m);
  const { window } = new FakePage();
  const run = new Function("window", script);
  run(window);
  const made = new Map(Object.entries(window));
  expect(typeof made.get("PushStream")).toBe("function");
  expect(made.get("PushStreamManager")).toEqual([]);
  run(window);
  expect(new Map(Object.entries(window)).get("PushStream")).toBe(made.get("PushStream"));
});
