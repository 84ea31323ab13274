/** Bounds of a head, what reading it costs, and the accessors of its fields. */
import { expect, test } from "bun:test";
import { parseHead } from "../../src/listen/http1/parse-head.ts";
import { DEFAULT_BOUNDS, RequestHead } from "../../src/listen/http1/request-head.ts";
import { everySplit, type Outcome, octets, readWhole } from "./http1-fixture.ts";

const BOUNDS = { lineBytes: 64, headBytes: 200, fields: 20 };
const HOST = "Host: a\r\n";
const lineOf = (bytes: number): string =>
  `GET /${"x".repeat(bytes - "GET / HTTP/1.1\r\n".length)} HTTP/1.1\r\n`;
const fieldOf = (bytes: number): string => `X: ${"x".repeat(bytes - "X: \r\n".length)}\r\n`;

const CASES: readonly (readonly [what: string, bytes: string, end: Outcome["end"]])[] = [
  ["a request line as long as may be", `${lineOf(64)}${HOST}\r\n`, "idle"],
  ["a request line too long", `${lineOf(65)}${HOST}\r\n`, 414],
  ["a request line without end", "x".repeat(64), 414],
  ["a fault in a request line too long", `GET /\0${lineOf(100)}`, 400],
  ["a fault behind the bound of a request line", `GET /${"x".repeat(60)}\0`, 414],
  ["a field as long as may be", `${lineOf(20)}${HOST}${fieldOf(64)}\r\n`, "idle"],
  ["a field too long", `${lineOf(20)}${HOST}${fieldOf(65)}\r\n`, 431],
  ["a field without end", `${lineOf(20)}X: ${"x".repeat(61)}`, 431],
  ["a head as long as may be", `${lineOf(61)}${HOST}${fieldOf(64)}${fieldOf(64)}\r\n`, "idle"],
  ["a head too long", `${lineOf(62)}${HOST}${fieldOf(64)}${fieldOf(64)}\r\n`, 431],
  ["fields as many as may be", `${lineOf(20)}${HOST}${"A:\r\n".repeat(19)}\r\n`, "idle"],
  ["too many fields", `${lineOf(20)}${HOST}${"A:\r\n".repeat(20)}\r\n`, 431],
];

test.each(CASES)("%s", (_, bytes, end) => {
  const whole = readWhole(bytes, BOUNDS);
  expect(whole.end).toBe(end);
  for (const [how, outcome] of everySplit(bytes, BOUNDS)) expect([how, outcome]).toEqual([how, whole]);
});

/** A head whose bytes are counted as they are looked at. */
function countedReads(text: string, step: number): number {
  let reads = 0;
  const bytes = new Proxy(octets(text), {
    get: (target, key) => {
      reads++;
      return Reflect.get(target, key);
    },
  });
  const head = new RequestHead();
  const bounds = { lineBytes: 1e6, headBytes: 1e6, fields: 1000 };
  let result = 0;
  for (let end = step; result === 0; end += step)
    result = parseHead(bytes, 0, Math.min(end, text.length), head, bounds);
  expect(result).toBe(text.length);
  return reads;
}

test("a head that comes byte by byte costs time in proportion to its length", () => {
  const short = `GET /${"x".repeat(1000)} HTTP/1.1\r\n${HOST}${fieldOf(1000).repeat(3)}\r\n`;
  const long = `GET /${"x".repeat(8000)} HTTP/1.1\r\n${HOST}${fieldOf(8000).repeat(3)}\r\n`;
  expect(countedReads(short, 1e6) / short.length).toBeLessThan(2);
  for (const text of [short, long]) expect(countedReads(text, 1) / text.length).toBeLessThan(5);
});

test("fields are found in any case and joined as Fetch joins them", () => {
  const bytes = octets(
    `GET / HTTP/1.1\r\n${HOST}Accept: a\r\nCOOKIE: b=1\r\naccept:\r\nAccept: c\r\n` +
      "cookie: d=2\r\nX: \xe4\r\n\r\n",
  );
  const head = new RequestHead();
  expect(parseHead(bytes, 0, bytes.length, head, DEFAULT_BOUNDS)).toBe(bytes.length);
  const headers = new Headers(head.fields(bytes));
  for (const name of ["host", "accept", "cookie", "x", "missing"]) {
    expect([name, head.value(bytes, name)]).toEqual([name, headers.get(name)]);
  }
  expect(head.value(bytes, "accept")).toBe("a, , c");
  expect(head.value(bytes, "cookie")).toBe("b=1; d=2");
  expect(head.requestLine(bytes)).toBe("GET / HTTP/1.1");
});

test("a head is used again for the next request, and remembers nothing", () => {
  const first =
    "POST http://b/ HTTP/1.1\r\nHost: a\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\n" +
    "Expect: 100-continue\r\nContent-Length: 0\r\n";
  const second = `GET / HTTP/1.0\r\n\r\n`;
  const fresh = new RequestHead();
  const head = new RequestHead();
  const bytes = octets(`${first}${"A: b\r\n".repeat(40)}\r\n${second}`);
  const at = parseHead(bytes, 0, bytes.length, head, DEFAULT_BOUNDS);
  expect(at).toBe(bytes.length - second.length);
  expect(head.fieldCount).toBe(45);
  for (const one of [head, fresh])
    expect(parseHead(bytes, at, bytes.length, one, DEFAULT_BOUNDS)).toBe(bytes.length);
  expect({ ...head }).toEqual({ ...fresh });
});
