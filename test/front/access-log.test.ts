/** Access logs: formats, escaping, buffers, files that are moved away or cannot be written. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { AccessLogConfig } from "../../src/config/model/answers.ts";
import type { LocationConfig } from "../../src/config/model.ts";
import { LogFile } from "../../src/front/log-file.ts";
import { ask, RawConnection, type RawRequest } from "../binary/raw-client.ts";
import { until } from "../binary/running-server.ts";
import { type Answering, removeTempFolders, type Served, serve, tempFolder } from "./served.ts";

const COMBINED =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent ' +
  '"$http_referer" "$http_user_agent"';

let served: Served | null = null;
afterEach(async () => {
  served?.stop();
  await served?.front.close();
  served = null;
});
afterAll(removeTempFolders);

const hello: Answering = () => new Response("hello", { headers: { "Content-Type": "text/plain" } });

function start(
  log: Partial<AccessLogConfig>,
  location: Partial<LocationConfig> = {},
  answer: Answering = hello,
): string {
  const path = join(tempFolder(), "access.log");
  const accessLogs = [{ path, format: COMBINED, bufferBytes: 0, flushMs: 0, ...log }];
  served = serve([{ ...location, accessLogs }], answer);
  return path;
}

const port = (): number => served?.port ?? 0;
const read = (path: string): string => (existsSync(path) ? readFileSync(path, "latin1") : "");

async function lineOf(format: string, path = "/", request: RawRequest = {}, answer = hello): Promise<string> {
  const file = start({ format }, {}, answer);
  await ask(port(), path, request);
  await until("a line", () => read(file).endsWith("\n"));
  return read(file).slice(0, -1);
}

describe("formats", () => {
  test("combined", async () => {
    const headers = {
      Authorization: `Basic ${btoa("ann:x")}`,
      Referer: "http://r/",
      "User-Agent": "agent 1",
    };
    const line = await lineOf(COMBINED, "/a?b=c", { headers });
    const time = /\[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]/;
    expect(line).toMatch(time);
    expect(line.replace(time, "[time]")).toBe(
      '127.0.0.1 - ann [time] "GET /a?b=c HTTP/1.1" 200 5 "http://r/" "agent 1"',
    );
  });

  test.each([
    ["$status", "200"],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: nginx writes variables so
    ["${status}x$uri", "200x/p"],
    ["$request_method $request_uri $args $arg_q $is_args", "GET /p?q=1 q=1 1 ?"],
    ["$http_x_none", "-"],
    ["$sent_http_content_type", "text/plain"],
    ["$body_bytes_sent", "5"],
    ["$upstream_addr $connection", "- -"],
    ["$no_such_variable!", "-!"],
    ["$server_protocol $scheme $pipe", "HTTP/1.1 http ."],
    ["plain text, é", "plain text, \xc3\xa9"],
    ['escape=json {"ua":"$http_user_agent"}', '{"ua":"a\\"b\\\\c"}'],
    ["escape=none $http_user_agent", 'a"b\\c'],
    ["$http_user_agent", "a\\x22b\\x5Cc"],
  ])("%s", async (format, expected) => {
    expect(await lineOf(format, "/p?q=1", { headers: { "User-Agent": 'a"b\\c' } })).toBe(expected);
  });

  test("times", async () => {
    expect(await lineOf("$msec $request_time $time_iso8601")).toMatch(
      /^\d+\.\d{3} \d+\.\d{3} \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/,
    );
  });

  test("what a client sends cannot end a line or a column", async () => {
    expect(await lineOf("<$uri>", "/a%0a%22%5c%7f%c3%a9b%01")).toBe(
      "</a\\x0A\\x22\\x5C\\x7F\\xC3\\xA9b\\x01>",
    );
    expect(await lineOf("escape=none <$uri>", "/a%0d%0ab")).toBe("</a  b>");
    expect(await lineOf("escape=json <$uri>", "/a%0ab")).toBe("</a\\nb>");
  });

  test.each([
    ["a refusal", () => new Response(null, { status: 404, headers: { "Content-Length": "0" } }), "404 0"],
    ["a length that is told", () => new Response("12", { headers: { "Content-Length": "2" } }), "200 2"],
    ["an answer that comes later", () => Bun.sleep(5).then(() => new Response("123")), "200 3"],
  ] as const)("%s", async (_name, answer, expected) => {
    expect(await lineOf("$status $body_bytes_sent", "/", {}, answer)).toBe(expected);
  });

  test("the client gets the whole answer although its length had to be found out", async () => {
    start({});
    expect((await ask(port(), "/")).body.toString()).toBe("hello");
    expect((await ask(port(), "/", { method: "HEAD" })).status).toBe(200);
  });

  test("refusals before the role are in it, too", async () => {
    const path = start({ format: "$status" }, { access: [{ allow: false, network: "all" }] });
    await ask(port(), "/");
    await until("a line", () => read(path) === "403\n");
  });
});

test("a held stream is logged when it begins, and is not read ahead", async () => {
  const endless: Answering = () =>
    new Response(
      new ReadableStream({
        pull: () => new Promise(() => undefined),
        start: (c) => c.enqueue(Buffer.from("x")),
      }),
      { headers: { "Content-Type": "text/plain" } },
    );
  const path = start(
    { format: "$status $body_bytes_sent" },
    { role: { kind: "subscriber", mode: "streaming" } },
    endless,
  );
  const connection = await RawConnection.open(port());
  connection.request("/");
  expect((await connection.head()).status).toBe(200);
  await until("a line", () => read(path) === "200 0\n");
  connection.close();
});

describe("buffers", () => {
  test("waits until it is full", async () => {
    const path = start({ format: "12345678", bufferBytes: 27 });
    for (let i = 0; i < 2; i++) await ask(port(), "/");
    await Bun.sleep(30);
    expect(read(path)).toBe("");
    await ask(port(), "/");
    await until("three lines", () => read(path).length === 27);
  });

  test("or for its time", async () => {
    const path = start({ format: "x", bufferBytes: 1000, flushMs: 20 });
    await ask(port(), "/");
    await until("a line", () => read(path) === "x\n");
  });

  test("what waits at the end is written", async () => {
    const path = start({ format: "x", bufferBytes: 1000 });
    await ask(port(), "/");
    await served?.front.close();
    expect(read(path)).toBe("x\n");
  });
});

test("a large answer compressed as it is sent is not gathered in memory for its length", async () => {
  const more = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      controller.enqueue(Buffer.from("first"));
      await more.promise;
      controller.enqueue(Buffer.from("second"));
      controller.close();
    },
  });
  const headers = { "Content-Encoding": "gzip" };
  const file = start({ format: "$status $body_bytes_sent" }, {}, () => new Response(body, { headers }));
  const connection = await RawConnection.open(port());
  connection.request("/");
  await connection.head();
  expect(await connection.chunkedText(5)).toBe("first");
  expect(read(file)).toBe("");
  more.resolve();
  expect((await connection.restOfChunks()).toString()).toBe("second");
  await until("a line", () => read(file) === "200 11\n");
  connection.close();
});

test("two locations with one file write whole lines into it", async () => {
  const path = join(tempFolder(), "both.log");
  const log = (format: string) => ({ accessLogs: [{ path, format, bufferBytes: 0, flushMs: 0 }] });
  served = serve(
    [
      { match: "/a", ...log("a") },
      { match: "/b", ...log("b") },
    ],
    hello,
  );
  await Promise.all(Array.from({ length: 40 }, (_, i) => ask(port(), i % 2 === 0 ? "/a" : "/b")));
  await until("all lines", () => read(path).length === 80);
  expect([...read(path)].sort().join("")).toBe("\n".repeat(40) + "a".repeat(20) + "b".repeat(20));
});

test("a file that was moved away: the next lines go into a new one of its name", async () => {
  const path = start({ format: "$arg_n", bufferBytes: 100 });
  await ask(port(), "/?n=1");
  await until("the file", () => existsSync(path));
  renameSync(path, `${path}.1`);
  served?.front.reopenLogs();
  await until("the old one has its line", () => read(`${path}.1`) === "1\n");
  await until("a new file", () => existsSync(path));
  await ask(port(), "/?n=2");
  await served?.front.close();
  expect([read(`${path}.1`), read(path)]).toEqual(["1\n", "2\n"]);
});

test("a log that cannot be written costs no request", async () => {
  served = serve(
    [{ accessLogs: [{ path: "/proc/no/such/file", format: "x", bufferBytes: 0, flushMs: 0 }] }],
    hello,
  );
  for (let i = 0; i < 5; i++) expect((await ask(port(), "/")).body.toString()).toBe("hello");
  await served.front.close();
});

test("lines beyond the bound are dropped while the disk does not follow", async () => {
  const path = join(tempFolder(), "flood.log");
  const file = new LogFile(path, 0, 0);
  const line = `${"x".repeat(64 * 1024 - 1)}\n`;
  // All in one turn: nothing can be written meanwhile.
  for (let i = 0; i < 200; i++) file.write(line);
  await file.close();
  const written = read(path).length;
  expect(written % line.length).toBe(0);
  expect(written).toBeGreaterThan(0);
  expect(written).toBeLessThanOrEqual(4 * 1024 * 1024 + line.length);
});
