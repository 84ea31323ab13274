/** Statistics as JSON: the golden rows of push-stream spec appendix A.1, byte for byte. */
import { describe, expect, test } from "bun:test";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import type { ChannelStatistics, SummaryStatistics, ZoneStatistics } from "../../src/wire/statistics.ts";
import { jsonStatistics } from "../../src/wire/statistics-json.ts";
import { asLatin1, latin1 } from "./random.ts";

const json = jsonStatistics("application/json");

const ZONE: ZoneStatistics = {
  hostname: "Box1",
  timeSec: 1715289393,
  channels: 2,
  wildcardChannels: 0,
  uptimeSec: 42,
};
const A: ChannelStatistics = { name: latin1("A"), published: 1, stored: 2, subscribers: 3 };
const B: ChannelStatistics = { name: latin1("B"), published: 4, stored: 5, subscribers: 6 };
const SUMMARY: SummaryStatistics = {
  ...ZONE,
  published: 5,
  stored: 7,
  messagesInTrash: 8,
  channelsInDelete: 9,
  channelsInTrash: 10,
  subscribers: 11,
  workers: [
    { pid: 123, subscribers: 6, uptimeSec: 42 },
    { pid: 124, subscribers: 5, uptimeSec: 41 },
  ],
};

const written = (write: (writer: ByteWriter) => void): string => {
  const writer = new ByteWriter(16);
  write(writer);
  return asLatin1(writer.view());
};

describe("appendix A.1", () => {
  test("json single", () =>
    expect(written((writer) => json.single(writer, A))).toBe(
      '{"channel": "A", "published_messages": 1, "stored_messages": 2, "subscribers": 3}\r\n',
    ));

  test("json group", () =>
    expect(written((writer) => json.group(writer, ZONE, [A, B]))).toBe(
      '{"hostname": "box1", "time": "2024-05-09T21:16:33", "channels": 2, "wildcard_channels": 0, "uptime": 42, "infos": [\r\n{"channel": "A", "published_messages": 1, "stored_messages": 2, "subscribers": 3},\r\n{"channel": "B", "published_messages": 4, "stored_messages": 5, "subscribers": 6}\r\n]}\r\n',
    ));

  test("json empty group", () =>
    expect(written((writer) => json.group(writer, { ...ZONE, channels: 0 }, []))).toBe(
      '{"hostname": "box1", "time": "2024-05-09T21:16:33", "channels": 0, "wildcard_channels": 0, "uptime": 42, "infos": [\r\n]}\r\n',
    ));

  test("json summary", () =>
    expect(written((writer) => json.summary(writer, SUMMARY))).toBe(
      '{"hostname": "box1", "time": "2024-05-09T21:16:33", "channels": 2, "wildcard_channels": 0, "published_messages": 5, "stored_messages": 7, "messages_in_trash": 8, "channels_in_delete": 9, "channels_in_trash": 10, "subscribers": 11, "uptime": 42, "by_worker": [\r\n{"pid": "123", "subscribers": 6, "uptime": 42},\r\n{"pid": "124", "subscribers": 5, "uptime": 41}\r\n]}\r\n',
    ));
});

test("the length of the answer to a publish (appendix A.2)", () => {
  const channel = { name: latin1("ch1"), published: 1, stored: 1, subscribers: 0 };
  expect(written((writer) => json.single(writer, channel))).toHaveLength(85);
});

describe("ids that would break the JSON", () => {
  const rows = [
    ['a"b', 'a\\"b'],
    ["a\\", "a\\\\"],
    ["\n\0", "\\n\\u0000"],
    ["\xc3\xa9", "\xc3\xa9"],
    ["\xff", "\xef\xbf\xbd"],
    ["", ""],
  ] as const;
  for (const [name, escaped] of rows) {
    test(JSON.stringify(name), () => {
      const body = written((writer) => json.single(writer, { ...A, name: latin1(name) }));
      expect(body).toStartWith(`{"channel": "${escaped}", `);
      expect(() => JSON.parse(body)).not.toThrow();
    });
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
    written((writer) => json.group(writer, ZONE, channels)),
  );
  expect(parsed.infos).toHaveLength(20_000);
  expect(parsed.infos[19_999]).toMatchObject({ channel: "channel-19999", published_messages: 19_999 });
});
