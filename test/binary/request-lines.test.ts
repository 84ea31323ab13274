/**
 * Requests as bytes, at both doors of the compiled binary: upgrades, versions, transfer codings, half-closed
 * connections, lines that are none. Where the runtime answers before we do the doors differ; docs/doors.md
 * has the list, and this table holds it.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask } from "./raw-client.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const DOORS = [
  ["native", 'header_template = "."'],
  ["wire", ""],
] as const;

/**
 * Status, what Connection says, and whether the server ended the connection; "gone": it did so without an
 * answer.
 */
type Seen = string;
interface Case {
  readonly name: string;
  readonly bytes: string;
  /** The client ends its side behind the request. */
  readonly halfClosed?: true;
  readonly native: Seen;
  /** The same unless said. */
  readonly wire?: Seen;
}

const HANDSHAKE = {
  Host: "x",
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
};
function request(line: string, fields: Record<string, string>, body = ""): string {
  const lines = Object.entries({ Host: "x", ...fields }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line}\r\n${lines.join("")}\r\n${body}`;
}
const upgrade = (fields: Record<string, string>, version = "1.1"): string =>
  request(`GET /ws/a HTTP/${version}`, { ...HANDSHAKE, ...fields });
const publish = (fields: Record<string, string>, version = "1.1", body = "a"): string =>
  request(`POST /pub?id=a HTTP/${version}`, { "Content-Length": "1", ...fields }, body);
const chunked = (coding: string, version = "1.1"): string =>
  request(`POST /pub?id=a HTTP/${version}`, { "Transfer-Encoding": coding }, "1\r\na\r\n0\r\n\r\n");
const poll = (line: string): string => `${line}\r\nHost: x\r\n\r\n`;

const UPGRADES: readonly Case[] = [
  { name: "as most send it", bytes: upgrade({}), native: "101 Upgrade open" },
  { name: "among others", bytes: upgrade({ Upgrade: "foo, websocket" }), native: "101 Upgrade open" },
  { name: "Upgrade, close", bytes: upgrade({ Connection: "Upgrade, close" }), native: "101 Upgrade open" },
  { name: "Connection: close", bytes: upgrade({ Connection: "close" }), native: "400 close ended" },
  {
    name: "Connection: keep-alive",
    bytes: upgrade({ Connection: "keep-alive" }),
    native: "400 - open",
    wire: "400 keep-alive open",
  },
  {
    name: "a key that is none",
    bytes: upgrade({ "Sec-WebSocket-Key": "abc" }),
    native: "400 - open",
    wire: "400 keep-alive open",
  },
  {
    name: "with a body",
    bytes: `${upgrade({ "Content-Length": "2" })}hi`,
    native: "400 - open",
    wire: "400 keep-alive open",
  },
  {
    name: "with a body that has not come",
    bytes: upgrade({ "Content-Length": "2" }),
    native: "400 - open",
    wire: "400 keep-alive open",
  },
  {
    name: "with a body in chunks",
    bytes: `${upgrade({ "Transfer-Encoding": "chunked" })}0\r\n\r\n`,
    native: "400 - open",
    wire: "400 keep-alive open",
  },
  {
    name: "another version",
    bytes: upgrade({ "Sec-WebSocket-Version": "12" }),
    native: "426 close ended",
    wire: "426 keep-alive open",
  },
  {
    name: "another protocol",
    bytes: upgrade({ Upgrade: "h2c" }),
    native: "426 - open",
    wire: "426 keep-alive open",
  },
  {
    name: "over HTTP/1.0 with Host",
    bytes: upgrade({}, "1.0"),
    native: "101 Upgrade open",
    wire: "400 close ended",
  },
  {
    name: "over HTTP/1.0 without",
    bytes: upgrade({}, "1.0").replace("Host: x\r\n", ""),
    native: "400 close ended",
  },
];

const VERSIONS: readonly Case[] = [
  { name: "HTTP/1.1", bytes: publish({}), native: "200 - open", wire: "200 keep-alive open" },
  { name: "HTTP/1.1, close", bytes: publish({ Connection: "close" }), native: "200 close ended" },
  { name: "HTTP/1.0", bytes: publish({}, "1.0"), native: "200 - ended", wire: "200 close ended" },
  {
    name: "HTTP/1.0 without Host",
    bytes: publish({}, "1.0").replace("Host: x\r\n", ""),
    native: "200 close ended",
  },
  {
    name: "two Host fields",
    bytes: poll("GET /poll/a HTTP/1.1").replace("Host: x", "Host: x\r\nHost: y"),
    native: "400 - open",
    wire: "400 close ended",
  },
  {
    name: "the same Host twice",
    bytes: poll("GET /poll/a HTTP/1.1").replace("Host: x", "Host: x\r\nhost: x"),
    native: "400 - open",
    wire: "400 close ended",
  },
  {
    name: "HTTP/1.0, keep-alive",
    bytes: publish({ Connection: "keep-alive" }, "1.0"),
    native: "200 - ended",
    wire: "200 keep-alive open",
  },
  {
    name: "HTTP/1.0, Expect",
    bytes: publish({ Expect: "100-continue" }, "1.0"),
    native: "100 - ended",
    wire: "200 close ended",
  },
  {
    name: "Expect",
    bytes: publish({ Expect: "100-continue" }),
    native: "100 - open",
    wire: "200 keep-alive open",
  },
  {
    name: "Expect nobody knows",
    bytes: publish({ Expect: "banana" }),
    native: "200 - open",
    wire: "200 keep-alive open",
  },
  {
    name: "HTTP/2.0",
    bytes: poll("GET /poll/a HTTP/2.0"),
    native: "505 close ended",
    wire: "505 close ended",
  },
  {
    name: "HTTP/1.2",
    bytes: poll("GET /poll/a HTTP/1.2"),
    native: "505 close ended",
    wire: "304 keep-alive open",
  },
  {
    name: "a space behind the version",
    bytes: poll("GET /poll/a HTTP/1.1 "),
    native: "505 close ended",
    wire: "304 keep-alive open",
  },
  { name: "HTTP/0.9", bytes: "GET /poll/a\r\n\r\n", native: "505 close ended", wire: "400 close ended" },
];

const CODINGS: readonly Case[] = [
  { name: "chunked", bytes: chunked("chunked"), native: "200 - open", wire: "200 keep-alive open" },
  { name: "gzip", bytes: chunked("gzip"), native: "400 close ended", wire: "501 close ended" },
  {
    name: "gzip, chunked",
    bytes: chunked("gzip, chunked"),
    native: "400 close ended",
    wire: "501 close ended",
  },
  { name: "chunked over HTTP/1.0", bytes: chunked("chunked", "1.0"), native: "400 close ended" },
  {
    name: "chunked and a length",
    bytes: publish({ "Transfer-Encoding": "chunked" }, "1.1", "1\r\na\r\n0\r\n\r\n"),
    native: "400 close ended",
  },
  { name: "two lengths", bytes: publish({ "Content-length": "2" }), native: "400 close ended" },
  {
    name: "the same length twice",
    bytes: publish({ "Content-length": "1" }),
    native: "200 - open",
    wire: "400 close ended",
  },
  {
    name: "a tab before the length",
    bytes: publish({ "Content-Length": "\t1" }),
    native: "200 - open",
    wire: "400 close ended",
  },
  {
    name: "a space behind a chunk's size",
    bytes: chunked("chunked").replace("1\r\na", "1 \r\na"),
    native: "400 close ended",
    wire: "200 keep-alive open",
  },
  {
    name: "a trailer",
    bytes: chunked("chunked").replace("0\r\n", "0\r\nA: b\r\n"),
    native: "200 - ended",
    wire: "200 keep-alive open",
  },
];

const HOSTS: readonly Case[] = [
  {
    name: "of nothing",
    bytes: request("GET /poll/a HTTP/1.1", { Host: "" }),
    native: "304 close ended",
    wire: "400 close ended",
  },
  ...["a:8x", "a..b"].map(
    (host): Case => ({
      name: `of "${host}"`,
      bytes: request("GET /poll/a HTTP/1.1", { Host: host }),
      native: "304 - open",
      wire: "400 close ended",
    }),
  ),
  ...["a b", "u@a", "a/b"].map(
    (host): Case => ({
      name: `of "${host}"`,
      bytes: request("GET /poll/a HTTP/1.1", { Host: host }),
      native: "400 - open",
      wire: "400 close ended",
    }),
  ),
  {
    name: "in a target with user information",
    bytes: poll("GET http://u:p@x/poll/a HTTP/1.1"),
    native: "304 - open",
    wire: "400 close ended",
  },
  {
    name: "in a target of another scheme",
    bytes: poll("GET ftp://x/poll/a HTTP/1.1"),
    native: "400 close ended",
    wire: "304 keep-alive open",
  },
];

const LINES: readonly Case[] = [
  {
    name: "a method in lower case",
    bytes: poll("get /poll/a HTTP/1.1"),
    native: "gone",
    wire: "405 keep-alive open",
  },
  {
    name: "a method nobody knows",
    bytes: poll("BREW /pub HTTP/1.1"),
    native: "gone",
    wire: "405 keep-alive open",
  },
  { name: "a method that is none", bytes: poll("GE(T /poll/a HTTP/1.1"), native: "400 close ended" },
  {
    name: "two spaces",
    bytes: poll("GET  /poll/a HTTP/1.1"),
    native: "400 close ended",
    wire: "304 keep-alive open",
  },
  {
    name: "a space in the path",
    bytes: poll("GET /poll/a b HTTP/1.1"),
    native: "505 close ended",
    wire: "400 close ended",
  },
  {
    name: "lines that end with LF",
    bytes: "GET /poll/a HTTP/1.1\nHost: x\n\n",
    native: "505 close ended",
    wire: "304 keep-alive open",
  },
  {
    name: "an empty line first",
    bytes: `\r\n${poll("GET /poll/a HTTP/1.1")}`,
    native: "400 close ended",
    wire: "304 keep-alive open",
  },
  {
    name: "a field without colon",
    bytes: request("GET /poll/a HTTP/1.1\r\nbroken", {}),
    native: "400 close ended",
  },
  {
    name: "a folded field",
    bytes: request("GET /poll/a HTTP/1.1", { A: "b\r\n c" }),
    native: "400 close ended",
  },
  {
    name: "a byte 7F in a field",
    bytes: request("GET /poll/a HTTP/1.1", { A: "\x7f" }),
    native: "304 - open",
    wire: "400 close ended",
  },
  { name: "a TLS hello", bytes: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", native: "400 close ended" },
  { name: "OPTIONS *", bytes: poll("OPTIONS * HTTP/1.1"), native: "400 close ended" },
  { name: "CONNECT", bytes: poll("CONNECT a:80 HTTP/1.1"), native: "400 - open", wire: "400 close ended" },
  { name: "return 444", bytes: poll("GET /bye HTTP/1.1"), native: "400 close ended", wire: "gone" },
];

const HALVES: readonly Case[] = [
  {
    name: "a publish",
    bytes: publish({}),
    halfClosed: true,
    native: "200 - ended",
    wire: "200 keep-alive ended",
  },
  {
    name: "an unfinished publish",
    bytes: publish({ "Content-Length": "5" }),
    halfClosed: true,
    native: "gone",
    wire: "400 close ended",
  },
  {
    name: "a stream",
    bytes: poll("GET /ev/half HTTP/1.1"),
    halfClosed: true,
    native: "200 - ended",
    wire: "200 keep-alive ended",
  },
  { name: "a long poll", bytes: poll("GET /lp/half HTTP/1.1"), halfClosed: true, native: "gone" },
  { name: "a handshake", bytes: upgrade({}), halfClosed: true, native: "101 Upgrade ended" },
];

/** So long a connection that stays open is looked at after its answer. */
const OPEN_MS = 40;

describe.each(DOORS)("%s door", (door, sub) => {
  let server: RunningServer;
  beforeAll(async () => {
    const bye = '[[location]]\nmatch = "= /bye"\nempty = true\n[[location.step]]\nreturn = "444"\n';
    const text = '[[location]]\nmatch = "= /text"\nhandler = "text.ts"\n';
    const folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
    writeFileSync(join(folder, "text.ts"), "export default () => new Response('text');\n");
    const toml = layout("", { sub, ev: 'header_template = "h"' }) + bye + text;
    server = await startServer({ toml, workers: 1, folder });
  });
  afterAll(async () => {
    expect(server.log).not.toMatch(/ error /);
    await server.stop();
  });

  async function seen({ bytes, halfClosed }: Case): Promise<Seen> {
    const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
    let got = "";
    let ended = false;
    const end = (): void => {
      ended = true;
    };
    socket.on("data", (data) => {
      got += data.toString("latin1");
    });
    socket.on("end", end).on("error", end);
    socket.write(Buffer.from(bytes, "latin1"));
    // A server that sees both at once could not tell which came first.
    if (halfClosed) setTimeout(() => socket.end(), OPEN_MS);
    await until("an answer, or the end", () => ended || got.includes("\r\n\r\n"));
    const mayEnd = Date.now() + (halfClosed ? 10_000 : OPEN_MS);
    while (!ended && Date.now() < mayEnd) await Bun.sleep(2);
    socket.destroy();
    if (got === "") return "gone";
    const [statusLine = "", ...fields] = (got.split("\r\n\r\n")[0] ?? "").split("\r\n");
    const connection = fields.find((line) => /^connection:/i.test(line))?.slice("connection: ".length);
    return `${statusLine.split(" ")[1]} ${connection ?? "-"} ${ended ? "ended" : "open"}`;
  }

  describe.each([
    ["WebSocket handshake", UPGRADES],
    ["version", VERSIONS],
    ["body", CODINGS],
    ["host", HOSTS],
    ["request line", LINES],
    ["half-closed", HALVES],
  ] as const)("%s", (_, cases) => {
    test.each(cases.map((one) => [one.name, one] as const))("%s", async (_name, one) => {
      expect(await seen(one)).toBe(door === "native" ? one.native : (one.wire ?? one.native));
    });
  });

  test("phrases and names of fields are the runtime's, or nginx's", async () => {
    const { text } = await ask(server.port, "/pub", { method: "HEAD" });
    expect(text).toStartWith(`HTTP/1.1 405 ${door === "native" ? "Method Not Allowed" : "Not Allowed"}\r\n`);
    expect(text).toContain(door === "native" ? "\r\ncontent-length: 0" : "\r\nContent-Length: 0");
  });

  test("a handler's Response has a length and a type, or comes in chunks as it is", async () => {
    const { fields, body } = await ask(server.port, "/text");
    expect(body.toString()).toBe("text");
    const said = ["content-length", "transfer-encoding", "content-type"].map((name) => fields.get(name));
    const native = ["4", undefined, "text/plain;charset=utf-8"];
    expect(said).toEqual(door === "native" ? native : [undefined, "chunked", undefined]);
  });

  test("whoever ended his side stands nowhere any more", async () => {
    await until("nobody", async () => (await server.statistics("half")).subscribers === 0);
  });
});
