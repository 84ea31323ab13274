/** HTTP dates: the three formats of push-stream spec 4.7, what is refused, and round trips. */
import { describe, expect, test } from "bun:test";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { formatHttpDate, parseHttpDate, pushHttpDate } from "../../src/wire/http-date.ts";
import { seededRandom } from "../random.ts";
import { asLatin1 } from "./inputs.ts";

const DEC_10 = 1039564213; // 2002-12-10 23:50:13

describe("parseHttpDate", () => {
  const rows: readonly (readonly [text: string, expected: number | null])[] = [
    ["Tue, 10 Dec 2002 23:50:13 GMT", DEC_10],
    ["Tue, 10 Nov 2002 23:50:13 GMT", 1036972213],
    ["Tuesday, 10-Dec-02 23:50:13 GMT", DEC_10],
    ["Tue Dec 10 23:50:13 2002", DEC_10],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
    ["Thu, 1 Jan 1970 00:00:00 GMT", 0],
    ["Thursday, 1-Jan-70 00:00:00 GMT", 0],
    ["Thu Jan  1 00:00:00 1970", 0],
    ["Thu Jan 1 00:00:00 1970", 0],
    ["Thu, 01 Jan 1970 00:00:00", 0],
    ["Thu, 01 Jan 1970 00:00:00 CET", 0],
    ["Thu,01 Jan 1970 00:00:00 GMT", 0],
    ["Wed, 31 Dec 1969 23:59:59 GMT", -1],
    ["Sunday, 31-Dec-69 23:59:59 GMT", 3155759999],
    ["Sun, 29 Feb 2004 00:00:00 GMT", 1078012800],
    ["Sat, 29 Feb 2003 00:00:00 GMT", null],
    ["Thu, 31 Apr 2003 00:00:00 GMT", null],
    ["Thu, 00 Jan 1970 00:00:00 GMT", null],
    ["Thu, 32 Jan 1970 00:00:00 GMT", null],
    ["Thu, 001 Jan 1970 00:00:00 GMT", null],
    ["Thu, 01 Foo 1970 00:00:00 GMT", null],
    ["Thu, 01 Jan 70 00:00:00 GMT", null],
    ["Thu, 01-Jan-1970 00:00:00 GMT", null],
    ["Thu, 01 Jan 1970 24:00:00 GMT", null],
    ["Thu, 01 Jan 1970 00:60:00 GMT", null],
    ["Thu, 01 Jan 1970 00:00:60 GMT", null],
    ["Thu, 01 Jan 1970 0:00:00 GMT", null],
    ["Thu, 01 Jan 1970", null],
    ["Thu Jan 1 00:00:00 1970x", 0],
    ["Thu Jan 1 00:00:00 19700", null],
    ["null", null],
    ["", null],
    [",", null],
    ["0", null],
    ["1715289393", null],
    ["2024-05-09T21:16:33Z", null],
  ];
  for (const [text, expected] of rows) {
    test(JSON.stringify(text), () => expect(parseHttpDate(text)).toBe(expected));
  }

  test("long input of any kind is answered in one pass", () => {
    for (const unit of [" ", ",", "1", "Thu, ", "Jan "])
      expect(parseHttpDate(unit.repeat(200_000))).toBeNull();
    expect(parseHttpDate(`Thu,${" ".repeat(200_000)}01 Jan 1970 00:00:00 GMT`)).toBe(0);
  });
});

describe("formatHttpDate", () => {
  const rows = [
    [0, "Thu, 01 Jan 1970 00:00:00 GMT"],
    [1715289393, "Thu, 09 May 2024 21:16:33 GMT"],
    [-5, "Thu, 01 Jan 1970 00:00:00 GMT"],
    [253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"],
    [1e15, "Fri, 31 Dec 9999 23:59:59 GMT"],
  ] as const;
  for (const [sec, expected] of rows) {
    test(String(sec), () => {
      expect(formatHttpDate(sec)).toBe(expected);
      const writer = new ByteWriter();
      pushHttpDate(writer, sec);
      pushHttpDate(writer, sec);
      expect(asLatin1(writer.view())).toBe(expected + expected);
    });
  }
});

test("random seconds survive all three formats", () => {
  const random = seededRandom("http-date");
  for (let round = 0; round < 2000; round++) {
    const sec = random.below(3155760000); // until 2069, which two-digit years still reach
    const text = formatHttpDate(sec);
    const [, day = "", month = "", year = "", clock = ""] = text.split(" ");
    expect(text).toHaveLength(29);
    expect(parseHttpDate(text)).toBe(sec);
    expect(parseHttpDate(`Someday, ${day}-${month}-${year.slice(2)} ${clock} GMT`)).toBe(sec);
    expect(parseHttpDate(`Thu ${month} ${day.replace(/^0/, " ")} ${clock} ${year}`)).toBe(sec);
  }
});
