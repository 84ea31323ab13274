/** Statistics in every format: the golden rows of push-stream spec appendix A.1, byte for byte. */
import { describe, expect, test } from "bun:test";
import type { ByteWriter } from "../../src/wire/byte-writer.ts";
import type { ChannelStatistics, StatisticsFormat } from "../../src/wire/statistics.ts";
import { negotiate } from "../../src/wire/statistics-format.ts";
import { latin1 } from "./inputs.ts";
import { A, B, SUMMARY, written, ZONE } from "./statistics-samples.ts";

const WRITE = {
  single: (writer: ByteWriter, format: StatisticsFormat) => format.single(writer, A),
  group: (writer: ByteWriter, format: StatisticsFormat) => format.group(writer, ZONE, [A, B]),
  "empty group": (writer: ByteWriter, format: StatisticsFormat) =>
    format.group(writer, { ...ZONE, channels: 0 }, []),
  summary: (writer: ByteWriter, format: StatisticsFormat) => format.summary(writer, SUMMARY),
};

/** The appendix, row by row. */
const GOLDEN: readonly (readonly [subtype: string, kind: keyof typeof WRITE, body: string])[] = [
  ["json", "single", '{"channel": "A", "published_messages": 1, "stored_messages": 2, "subscribers": 3}\r\n'],
  [
    "json",
    "group",
    '{"hostname": "box1", "time": "2024-05-09T21:16:33", "channels": 2, "wildcard_channels": 0, ' +
      '"uptime": 42, "infos": [\r\n' +
      '{"channel": "A", "published_messages": 1, "stored_messages": 2, "subscribers": 3},\r\n' +
      '{"channel": "B", "published_messages": 4, "stored_messages": 5, "subscribers": 6}\r\n]}\r\n',
  ],
  [
    "json",
    "empty group",
    '{"hostname": "box1", "time": "2024-05-09T21:16:33", "channels": 0, "wildcard_channels": 0, ' +
      '"uptime": 42, "infos": [\r\n]}\r\n',
  ],
  [
    "json",
    "summary",
    '{"hostname": "box1", "time": "2024-05-09T21:16:33", "channels": 2, "wildcard_channels": 0, ' +
      '"published_messages": 5, "stored_messages": 7, "messages_in_trash": 8, "channels_in_delete": 9, ' +
      '"channels_in_trash": 10, "subscribers": 11, "uptime": 42, "by_worker": [\r\n' +
      '{"pid": "123", "subscribers": 6, "uptime": 42},\r\n' +
      '{"pid": "124", "subscribers": 5, "uptime": 41}\r\n]}\r\n',
  ],
  [
    "plain",
    "single",
    "channel: A\r\npublished_messages: 1\r\nstored_messages: 2\r\nactive_subscribers: 3\r\n",
  ],
  [
    "plain",
    "group",
    "hostname: box1, time: 2024-05-09T21:16:33, channels: 2, wildcard_channels: 0, uptime: 42, infos: " +
      "\r\nchannel: A\r\npublished_messages: 1\r\nstored_messages: 2\r\nactive_subscribers: 3,\r\n" +
      "channel: B\r\npublished_messages: 4\r\nstored_messages: 5\r\nactive_subscribers: 6\r\n",
  ],
  [
    "plain",
    "empty group",
    "hostname: box1, time: 2024-05-09T21:16:33, channels: 0, wildcard_channels: 0, " +
      "uptime: 42, infos: \r\n\r\n",
  ],
  [
    "plain",
    "summary",
    "hostname: box1\r\ntime: 2024-05-09T21:16:33\r\nchannels: 2\r\nwildcard_channels: 0\r\n" +
      "published_messages: 5\r\nstored_messages: 7\r\nmessages_in_trash: 8\r\nchannels_in_delete: 9\r\n" +
      "channels_in_trash: 10\r\nsubscribers: 11\r\nuptime: 42\r\nby_worker:\r\n  pid: 123\r\n" +
      "  subscribers: 6\r\n  uptime: 42,\r\n  pid: 124\r\n  subscribers: 5\r\n  uptime: 41\r\n",
  ],
  [
    "yaml",
    "single",
    "  channel: A\r\n  published_messages: 1\r\n  stored_messages: 2\r\n  subscribers: 3\r\n",
  ],
  [
    "yaml",
    "group",
    "hostname: box1\r\ntime: 2024-05-09T21:16:33\r\nchannels: 2\r\nwildcard_channels: 0\r\n" +
      "uptime: 42\r\ninfos: \r\n -\r\n  channel: A\r\n  published_messages: 1\r\n" +
      "  stored_messages: 2\r\n  subscribers: 3\r\n -\r\n  channel: B\r\n  published_messages: 4\r\n" +
      "  stored_messages: 5\r\n  subscribers: 6\r\n",
  ],
  [
    "yaml",
    "empty group",
    "hostname: box1\r\ntime: 2024-05-09T21:16:33\r\nchannels: 0\r\nwildcard_channels: 0\r\n" +
      "uptime: 42\r\ninfos: \r\n\r\n",
  ],
  [
    "yaml",
    "summary",
    "  hostname: box1\r\n  time: 2024-05-09T21:16:33\r\n  channels: 2\r\n  wildcard_channels: 0\r\n" +
      "  published_messages: 5\r\n  stored_messages: 7\r\n  messages_in_trash: 8\r\n" +
      "  channels_in_delete: 9\r\n  channels_in_trash: 10\r\n  subscribers: 11\r\n  uptime: 42\r\n" +
      "  by_worker:\r\n   -\r\n    pid: 123\r\n    subscribers: 6\r\n    uptime: 42\r\n   -\r\n" +
      "    pid: 124\r\n    subscribers: 5\r\n    uptime: 41\r\n",
  ],
  [
    "xml",
    "single",
    '<?xml version="1.0" encoding="UTF-8" ?>\r\n<channel>\r\n  <name>A</name>\r\n' +
      "  <published_messages>1</published_messages>\r\n  <stored_messages>2</stored_messages>\r\n" +
      "  <subscribers>3</subscribers>\r\n</channel>\r\n\r\n",
  ],
  [
    "xml",
    "group",
    '<?xml version="1.0" encoding="UTF-8" ?>\r\n<root>\r\n  <hostname>box1</hostname>\r\n' +
      "  <time>2024-05-09T21:16:33</time>\r\n  <channels>2</channels>\r\n" +
      "  <wildcard_channels>0</wildcard_channels>\r\n  <uptime>42</uptime>\r\n  <infos>\r\n<channel>\r\n" +
      "  <name>A</name>\r\n  <published_messages>1</published_messages>\r\n" +
      "  <stored_messages>2</stored_messages>\r\n  <subscribers>3</subscribers>\r\n</channel>\r\n" +
      "<channel>\r\n  <name>B</name>\r\n  <published_messages>4</published_messages>\r\n" +
      "  <stored_messages>5</stored_messages>\r\n  <subscribers>6</subscribers>\r\n</channel>\r\n" +
      "  </infos>\r\n</root>\r\n",
  ],
  [
    "xml",
    "empty group",
    '<?xml version="1.0" encoding="UTF-8" ?>\r\n<root>\r\n  <hostname>box1</hostname>\r\n' +
      "  <time>2024-05-09T21:16:33</time>\r\n  <channels>0</channels>\r\n" +
      "  <wildcard_channels>0</wildcard_channels>\r\n  <uptime>42</uptime>\r\n  <infos>\r\n" +
      "  </infos>\r\n</root>\r\n",
  ],
  [
    "xml",
    "summary",
    '<?xml version="1.0" encoding="UTF-8" ?>\r\n<infos>\r\n  <hostname>box1</hostname>\r\n' +
      "  <time>2024-05-09T21:16:33</time>\r\n  <channels>2</channels>\r\n" +
      "  <wildcard_channels>0</wildcard_channels>\r\n  <published_messages>5</published_messages>\r\n" +
      "  <stored_messages>7</stored_messages>\r\n  <messages_in_trash>8</messages_in_trash>\r\n" +
      "  <channels_in_delete>9</channels_in_delete>\r\n  <channels_in_trash>10</channels_in_trash>\r\n" +
      "  <subscribers>11</subscribers>\r\n  <uptime>42</uptime>\r\n  <by_worker><worker>\r\n" +
      "  <pid>123</pid>\r\n  <subscribers>6</subscribers>\r\n  <uptime>42</uptime>\r\n</worker>\r\n" +
      "<worker>\r\n  <pid>124</pid>\r\n  <subscribers>5</subscribers>\r\n  <uptime>41</uptime>\r\n" +
      "</worker>\r\n</by_worker>\r\n</infos>\r\n",
  ],
];

describe("appendix A.1", () => {
  test.each(GOLDEN)("%s %s", (subtype, kind, body) => {
    expect(written((writer) => WRITE[kind](writer, negotiate(`text/${subtype}`)))).toBe(body);
  });

  test.each(GOLDEN.filter(([subtype]) => subtype === "json" || subtype === "yaml"))(
    "x-%s %s",
    (subtype, kind, body) => {
      expect(written((writer) => WRITE[kind](writer, negotiate(`text/x-${subtype}`)))).toBe(body);
    },
  );
});

test("the length of the answer to a publish (appendix A.2)", () => {
  const channel = { name: latin1("ch1"), published: 1, stored: 1, subscribers: 0 };
  expect(written((writer) => negotiate(null).single(writer, channel))).toHaveLength(85);
});

test.each(["plain", "json", "yaml", "xml"])("%s: a group in pieces is the group", (subtype) => {
  const format = negotiate(`text/${subtype}`);
  const inPieces = written((writer) => {
    format.groupHead(writer, ZONE);
    for (const [i, channel] of [A, B, A].entries()) format.groupItem(writer, channel, i === 0);
    format.groupTail(writer, false);
  });
  expect(inPieces).toBe(written((writer) => format.group(writer, ZONE, [A, B, A])));
});

test("numbers keep all their digits", () => {
  const channel = { ...A, published: Number.MAX_SAFE_INTEGER, stored: 4294967295 };
  for (const subtype of ["plain", "json", "yaml", "xml"]) {
    const body = written((writer) => negotiate(`text/${subtype}`).single(writer, channel));
    expect(body).toContain("9007199254740991");
    expect(body).toContain("4294967295");
  }
});

test("20,000 channels seen through one reused object", () => {
  const seen = { name: latin1("x"), published: 0, stored: 0, subscribers: 0 };
  const channels = {
    forEach(visit: (channel: ChannelStatistics) => void): void {
      for (let i = 0; i < 20_000; i++) {
        seen.name = latin1(`channel-${i}`);
        seen.published = i;
        visit(seen);
      }
    },
  };
  const parsed: { infos: { channel: string; published_messages: number }[] } = JSON.parse(
    written((writer) => negotiate(null).group(writer, ZONE, channels)),
  );
  expect(parsed.infos).toHaveLength(20_000);
  expect(parsed.infos[19_999]).toMatchObject({ channel: "channel-19999", published_messages: 19_999 });
});
