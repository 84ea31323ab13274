/** The SSE parser against the WHATWG rules: tables over literal bytes, each read whole, byte by byte and cut at every place. */
import { describe, expect, test } from "bun:test";
import { EventStreamParser } from "../../../src/cli/client/event-source.ts";
import { MessageTooLarge } from "../../../src/cli/client/pending-bytes.ts";

interface Read {
  readonly events: string[];
  readonly lastEventId: string;
  readonly retryMs: number | null;
}

/** Events as `type|data|id`. */
function read(chunks: readonly Uint8Array[], maxBytes = 1024): Read {
  const events: string[] = [];
  const parser: EventStreamParser = new EventStreamParser(
    {
      event: ({ type, data, hasId }) =>
        events.push(`${type}|${Buffer.from(data).toString("latin1")}|${hasId ? parser.lastEventId : "-"}`),
      comment: (text) => events.push(`:${text}`),
    },
    maxBytes,
  );
  for (const chunk of chunks) parser.push(chunk);
  return { events, lastEventId: parser.lastEventId, retryMs: parser.retryMs };
}

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

const TABLE: readonly (readonly [
  name: string,
  input: string,
  events: readonly string[],
  lastEventId?: string,
])[] = [
  ["LF", "data: a\n\n", ["message|a|-"]],
  ["CR", "data: a\r\r", ["message|a|-"]],
  ["CRLF", "data: a\r\n\r\n", ["message|a|-"]],
  ["CR then LF of different lines", "data: a\r\ndata: b\n\r\n", ["message|a\nb|-"]],
  ["only one space is taken", "data:a\n\ndata:  b\n\n", ["message|a|-", "message| b|-"]],
  ["several data lines", "data: a\ndata:\ndata: b\n\n", ["message|a\n\nb|-"]],
  ["a field without a colon is an empty value", "data\n\n", ["message||-"]],
  ["two bare data lines", "data\ndata\n\n", ["message|\n|-"]],
  ["no data, no event", "event: x\n\ndata: a\n\n", ["message|a|-"]],
  ["type", "event: gap\ndata: {}\n\ndata: next\n\n", ["gap|{}|-", "message|next|-"]],
  ["id stays for later events", "id: 7\ndata: a\n\ndata: b\n\n", ["message|a|7", "message|b|-"], "7"],
  ["an id alone moves the position", "id: 9\n\n", [], "9"],
  ["an empty id resets it", "id: 7\ndata: a\n\nid\ndata: b\n\n", ["message|a|7", "message|b|"], ""],
  ["an id with NUL is ignored", "id: 7\n\nid: 8\0\ndata: a\n\n", ["message|a|-"], "7"],
  ["an event cut off is discarded, and its id", "id: 1\ndata: a\n\nid: 2\ndata: b\n", ["message|a|1"], "1"],
  ["comments", ": -1\n:\n: \ndata: a\n\n", [": -1", ":", ": ", "message|a|-"]],
  ["BOM at the start only", "\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", ["message|a|-"]],
  ["BOM inside data is data", "data: \xef\xbb\xbfa\n\n", ["message|\xef\xbb\xbfa|-"]],
  ["unknown fields and names in other case", "Data: a\nfoo: b\n data: c\n\n", []],
  ["a colon in the value", "data: a: b\n\n", ["message|a: b|-"]],
  ["bytes that are no UTF-8", "data: \xff\xfe\0\n\n", ["message|\xff\xfe\0|-"]],
];

describe("bytes to events", () => {
  for (const [name, input, events, lastEventId = ""] of TABLE) {
    test(name, () => {
      const whole = bytes(input);
      const expected = { events: [...events], lastEventId };
      expect(read([whole])).toMatchObject(expected);
      expect(read([...whole].map((byte) => Uint8Array.of(byte)))).toMatchObject(expected);
      for (let cut = 1; cut < whole.length; cut++) {
        expect(read([whole.subarray(0, cut), whole.subarray(cut)])).toMatchObject(expected);
      }
    });
  }

  test("retry: digits only", () => {
    expect(read([bytes("retry: 1500\n\n")]).retryMs).toBe(1500);
    for (const value of ["1.5", "-1", "1e3", "", "x"])
      expect(read([bytes(`retry: ${value}\n\n`)]).retryMs).toBeNull();
  });

  test("data handed out is a copy, not a view of the buffer that is used again", () => {
    const seen: Uint8Array[] = [];
    const parser = new EventStreamParser(
      { event: ({ data }) => seen.push(data), comment: () => undefined },
      99,
    );
    parser.push(bytes("data: first\n\ndata: 2nd\n\n"));
    expect(seen.map((data) => Buffer.from(data).toString())).toEqual(["first", "2nd"]);
  });
});

describe("limits", () => {
  test("a line that never ends", () => {
    expect(() => read([bytes("data: "), ...Array.from({ length: 40 }, () => bytes("x".repeat(50)))])).toThrow(
      MessageTooLarge,
    );
  });

  test("an event that never ends", () => {
    expect(() => read(Array.from({ length: 60 }, () => bytes("data: xxxxxxxxxxxxxxxxxxxx\n")))).toThrow(
      MessageTooLarge,
    );
  });

  test("the limit is for one message, not for the stream", () => {
    expect(
      read(Array.from({ length: 60 }, () => bytes("data: xxxxxxxxxxxxxxxxxxxx\n\n"))).events,
    ).toHaveLength(60);
  });
});
