/**
 * What a handler may return, what it is given, and how its pieces travel: raw bytes of the compiled binary.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import {
  folderWith,
  forSettings,
  handlerLocations,
  removeFolders,
  startHandlers,
  workerPids,
} from "./handler-server.ts";

setDefaultTimeout(60_000);
afterAll(removeFolders);

const FILES: Record<string, string> = {
  "text.ts": `export default () => "grüß dich";`,
  "bytes.ts": `export default async () => new Uint8Array([1, 2, 255]);`,
  "nothing.ts": `export default () => undefined;`,
  "nil.ts": `export default async () => null;`,
  "response.ts":
    `export default () => new Response("made", { status: 201, headers: { "X-Own": "yes", ` +
    `"Content-Type": "text/x" } });`,
  "stream-response.ts": `
    export default () => new Response(new ReadableStream({
      async start(controller) {
        controller.enqueue("first");
        await Bun.sleep(50);
        controller.enqueue("second");
        controller.close();
      },
    }));`,
  "lines.ts": `
    import type { Context } from "sluice";
    const gates: (() => void)[] = [];
    export default async function* ({ query }: Context) {
      for (let i = 0; i < 3; i++) {
        yield \`line \${i}\\n\`;
        if (query.has("gated")) await new Promise<void>((resolve) => gates.push(resolve));
      }
    }
    export const open = () => gates.shift()?.();
    setInterval(open, 20);`,
  "bytes-and-text.ts": `export default function* () { yield "a"; yield ""; yield new Uint8Array([98]); }`,
  "no-piece.ts": `export default async function* () {}`,
  "headless.ts": `
    let closed = 0;
    export default async function* ({ query }) {
      if (query.has("closed")) { yield String(closed); return; }
      try { yield "one"; yield "two"; } finally { closed++; }
    }`,
  "echo.ts": `
    import type { Handler } from "sluice";
    const echo: Handler = async ({ request, method, path, query, headers, remoteAddress }) => {
      const body = await request.text();
      return JSON.stringify({
        method, path, a: query.getAll("a"), own: headers.get("x-own"), remoteAddress, body, url: request.url,
        whole: request.method + " " + new URL(request.url).pathname,
      });
    };
    export default echo;`,
  "params.ts": `export default ({ params }) => JSON.stringify(params);`,
  "with-lib.ts": `
    import { readFileSync } from "node:fs";
    import { word } from "./lib/words.ts";
    export default () => word + typeof readFileSync;`,
  "lib/words.ts": `export const word: string = "library ";`,
  "long.ts": `export default () => "long ".repeat(100);`,
  "long-pieces.ts": `export default async function* () { for (let i = 0; i < 100; i++) yield "long "; }`,
  "typed.ts": `export default () => "<b>";`,
};

const NAMES = Object.keys(FILES)
  .filter(
    (name) =>
      !name.includes("/") &&
      name !== "params.ts" &&
      name !== "typed.ts" &&
      name !== "echo.ts" &&
      !name.startsWith("long"),
  )
  .map((name) => name.slice(0, -3));

const TOML = `${handlerLocations(NAMES)}
${handlerLocations(["echo"], 'max_body_size = "1KiB"')}
${handlerLocations(["typed"], 'default_type = "text/html"\nadd_header = ["X-Added yes"]')}
${handlerLocations(["long", "long-pieces"], 'gzip = true\ngzip_types = ["*"]\naccess_log = ["ACCESS_LOG"]')}
[[location]]
match = "~ ^/params/(\\\\d+)/(?<who>[^/]+)$"
handler = "params.ts"
`;

forSettings("answers of handlers", (setting) => {
  let server: RunningServer;
  const accessLog = join(folderWith({}), "access.log");
  beforeAll(async () => {
    server = await startHandlers(setting, { files: FILES, toml: TOML.replace(/ACCESS_LOG/g, accessLog) });
  });
  afterAll(async () => {
    await server.stop();
  });

  test("text and bytes are whole answers", async () => {
    const text = await ask(server.port, "/text");
    expect(text.status).toBe(200);
    expect(text.body.toString()).toBe("grüß dich");
    expect(text.fields.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(text.fields.get("content-length")).toBe("11");
    expect([...(await ask(server.port, "/bytes")).body]).toEqual([1, 2, 255]);
  });

  test("the location's type is that of the text", async () => {
    const { fields, body } = await ask(server.port, "/typed");
    expect(fields.get("content-type")).toBe("text/html");
    expect(fields.get("x-added")).toBe("yes");
    expect(body.toString()).toBe("<b>");
  });

  test.each(["/nothing", "/nil"])("%s is 204", async (path) => {
    const { status, body } = await ask(server.port, path);
    expect([status, body.length]).toEqual([204, 0]);
  });

  test("a Response goes out as it is, streamed if it streams", async () => {
    const made = await ask(server.port, "/response");
    expect([made.status, made.fields.get("x-own"), made.fields.get("content-type")]).toEqual([
      201,
      "yes",
      "text/x",
    ]);
    expect(made.body.toString()).toBe("made");
    const connection = await RawConnection.open(server.port);
    connection.request("/stream-response");
    await connection.head();
    expect(await connection.chunkedText(5)).toBe("first");
    expect((await connection.restOfChunks()).toString()).toBe("second");
    connection.close();
  });

  test("each yield is one chunk, sent at once", async () => {
    const connection = await RawConnection.open(server.port);
    connection.request("/lines?gated");
    const head = await connection.head();
    expect(head.status).toBe(200);
    expect(head.fields.get("transfer-encoding")).toBe("chunked");
    expect((await connection.read(12)).toString("latin1")).toBe("7\r\nline 0\n\r\n");
    expect((await connection.read(12)).toString("latin1")).toBe("7\r\nline 1\n\r\n");
    expect((await connection.read(17)).toString("latin1")).toBe("7\r\nline 2\n\r\n0\r\n\r\n");
    // The connection goes on.
    connection.request("/text");
    expect((await connection.answer()).status).toBe(200);
    connection.close();
  });

  test("pieces may be text, bytes or empty, and may be none", async () => {
    expect((await ask(server.port, "/bytes-and-text")).body.toString()).toBe("ab");
    const none = await ask(server.port, "/no-piece");
    expect([none.status, none.body.length]).toEqual([200, 0]);
  });

  test("HEAD closes the generator and sends its head", async () => {
    const closed = async () => Number((await ask(server.port, "/headless?closed")).body.toString());
    if (setting.workers > 1) return;
    const head = await ask(server.port, "/headless", { method: "HEAD" });
    expect([head.status, head.fields.get("content-type")]).toEqual([200, "text/plain; charset=utf-8"]);
    await until("the generator to be closed", async () => (await closed()) === 1);
  });

  test("the context tells of the request", async () => {
    const answer = await ask(server.port, "/echo?a=1&a=%C3%BC", {
      method: "POST",
      body: "tschüß",
      headers: { "X-Own": "mine", Host: "example.org:81" },
    });
    expect(JSON.parse(answer.body.toString())).toEqual({
      method: "POST",
      path: "/echo",
      a: ["1", "ü"],
      own: "mine",
      remoteAddress: "127.0.0.1",
      body: "tschüß",
      url: "http://example.org:81/echo?a=1&a=%C3%BC",
      whole: "POST /echo",
    });
  });

  test("a chunked body arrives whole", async () => {
    const connection = await RawConnection.open(server.port);
    connection.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    expect(JSON.parse((await connection.answer()).body.toString()).body).toBe("abcde");
    connection.close();
  });

  test("a body beyond max_body_size is 413 and no handler sees it", async () => {
    expect((await ask(server.port, "/echo", { method: "POST", body: "x".repeat(1024) })).status).toBe(200);
    expect((await ask(server.port, "/echo", { method: "POST", body: "x".repeat(1025) })).status).toBe(413);
    const connection = await RawConnection.open(server.port);
    const chunk = `400\r\n${"x".repeat(1024)}\r\n`;
    connection.send(
      `POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}${chunk}0\r\n\r\n`,
    );
    expect((await connection.head()).status).toBe(413);
    connection.close();
  });

  test("captures are params, by number and by name", async () => {
    const { body } = await ask(server.port, "/params/42/J%C3%BCrg");
    expect(JSON.parse(body.toString())).toEqual({ "1": "42", "2": "Jürg", who: "Jürg" });
  });

  test("a handler imports its neighbours and the runtime's modules", async () => {
    expect((await ask(server.port, "/with-lib")).body.toString()).toBe("library function");
  });

  test("whole answers are compressed, pieces are not; both are in the access log", async () => {
    const headers = { "Accept-Encoding": "gzip" };
    const whole = await ask(server.port, "/long", { headers });
    expect(whole.fields.get("content-encoding")).toBe("gzip");
    expect(Buffer.from(Bun.gunzipSync(new Uint8Array(whole.body))).toString()).toBe("long ".repeat(100));
    const pieces = await ask(server.port, "/long-pieces", { headers });
    expect(pieces.fields.has("content-encoding")).toBe(false);
    expect(pieces.body.toString()).toBe("long ".repeat(100));
    await until("two lines", () => {
      const text = readFileSync(accessLog, "utf8");
      return /"GET \/long HTTP\/1.1" 200 \d+/.test(text) && /"GET \/long-pieces HTTP\/1.1" 200 /.test(text);
    });
  });

  test("no worker died of it", () => {
    expect(workerPids(server).length).toBe(setting.workers);
    expect(server.log).not.toContain("error");
  });
});
