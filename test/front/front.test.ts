/** What a location does around its role, over raw sockets: access, passwords, added headers, gzip. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { LocationConfig } from "../../src/config/model.ts";
import { UserCheck } from "../../src/front/authentication.ts";
import { Verifications } from "../../src/front/verifications.ts";
import type { Incoming } from "../../src/http/incoming.ts";
import { ask, type RawAnswer, type RawRequest } from "../binary/raw-client.ts";
import { until } from "../binary/running-server.ts";
import { type Answering, removeTempFolders, type Served, serve, tempFolder } from "./served.ts";

let served: Served | null = null;
afterEach(() => {
  served?.stop();
  served = null;
});
afterAll(removeTempFolders);

const hello: Answering = () => new Response("hello", { headers: { "Content-Type": "text/plain" } });

async function askOne(
  location: Partial<LocationConfig>,
  request: RawRequest = {},
  answer: Answering = hello,
  path = "/",
): Promise<RawAnswer> {
  served?.stop();
  served = serve([location], answer);
  return await ask(served.port, path, request);
}

describe("access", () => {
  test("denied: nginx's page, and the connection stays", async () => {
    const answer = await askOne({ access: [{ allow: false, network: "127.0.0.0/8" }] });
    expect(answer.status).toBe(403);
    expect(answer.fields.get("content-type")).toBe("text/html");
    expect(answer.fields.get("connection") ?? "keep-alive").toBe("keep-alive");
    expect(answer.body.toString()).toContain("<center><h1>403 Forbidden</h1></center>");
  });

  test("allowed", async () => {
    const access = [
      { allow: true, network: "127.0.0.1" },
      { allow: false, network: "all" },
    ];
    expect((await askOne({ access })).body.toString()).toBe("hello");
  });
});

describe("auth_basic", () => {
  const basic = (text: string): RawRequest => ({
    headers: { Authorization: `Basic ${Buffer.from(text, "latin1").toString("base64")}` },
  });
  const bcrypt = Bun.password.hashSync("slow", { algorithm: "bcrypt", cost: 4 }).replace("$2b$", "$2y$");
  const userFile = join(tempFolder(), "users");
  const users = [
    "plain:{PLAIN}secret",
    "apr:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/",
    `slow:${bcrypt}`,
    "des:rqXexS6ZhobKA",
    "caf\xe9:{PLAIN}\xe9",
  ].join("\n");
  const auth = { realm: 'the "realm"\r\nX: y', userFile };
  const secret = Buffer.from("plain:secret").toString("base64");

  test.each([
    ["no header", {}, 401],
    ["good", basic("plain:secret"), 200],
    ["good, apr1", basic("apr:secret"), 200],
    ["good, bcrypt", basic("slow:slow"), 200],
    ["bytes beyond ASCII", basic("caf\xe9:\xe9"), 200],
    ["scheme in capitals", { headers: { Authorization: `BASIC  ${secret}` } }, 200],
    ["wrong password", basic("plain:Secret"), 401],
    ["wrong, apr1", basic("apr:x"), 401],
    ["wrong, bcrypt", basic("slow:x"), 401],
    ["empty password", basic("slow:"), 401],
    ["nobody", basic("nobody:secret"), 401],
    ["no user", basic(":secret"), 401],
    ["no colon", basic("plain"), 401],
    ["not Base64", { headers: { Authorization: "Basic ///***" } }, 401],
    ["another scheme", { headers: { Authorization: `Bearer ${secret}` } }, 401],
    ["a hash nobody can check", basic("des:x"), 401],
    ["a password without end", basic(`plain:${"x".repeat(5000)}`), 401],
    ["the name of something every object has", basic("constructor:x"), 401],
  ] as const)("%s", async (_name, request, status) => {
    writeFileSync(userFile, users, "latin1");
    const answer = await askOne({ auth }, request);
    expect(answer.status).toBe(status);
    expect(answer.fields.get("www-authenticate") ?? null).toBe(
      status === 401 ? 'Basic realm="the \\"realm\\"X: y"' : null,
    );
    expect(answer.body.toString()).toContain(status === 401 ? "401 Authorization Required" : "hello");
  });

  test("a user who was removed is out with the next request, a new one in", async () => {
    for (const [text, status] of [
      ["plain:{PLAIN}secret", 200],
      ["other:{PLAIN}x", 401],
      ["plain:{PLAIN}secret\n", 200],
      [`plain:${bcrypt}`, 401],
    ] as const) {
      writeFileSync(userFile, text);
      served ??= serve([{ auth }], hello);
      expect((await ask(served.port, "/", basic("plain:secret"))).status).toBe(status);
    }
  });

  test("what was good is not good after its hash changed", async () => {
    served = serve([{ auth }], hello);
    writeFileSync(userFile, users);
    for (let i = 0; i < 3; i++) expect((await ask(served.port, "/", basic("slow:slow"))).status).toBe(200);
    const other = Bun.password.hashSync("other", { algorithm: "bcrypt", cost: 4 });
    writeFileSync(userFile, `slow:${other}\n`);
    expect((await ask(served.port, "/", basic("slow:slow"))).status).toBe(401);
    expect((await ask(served.port, "/", basic("slow:other"))).status).toBe(200);
  });

  test("without its file nobody comes in, and with it again as before", async () => {
    served = serve([{ auth }], hello);
    rmSync(userFile, { force: true });
    expect((await ask(served.port, "/", basic("plain:secret"))).status).toBe(403);
    writeFileSync(userFile, users);
    expect((await ask(served.port, "/", basic("plain:secret"))).status).toBe(200);
  });

  test("a folder for a file, or one too large: 500", async () => {
    expect((await askOne({ auth: { realm: "r", userFile: tempFolder() } })).status).toBe(500);
    writeFileSync(userFile, "x".repeat(1024 * 1024 + 1));
    expect((await askOne({ auth })).status).toBe(500);
  });

  test("a pipe for a file does not stop the worker: 500", async () => {
    const pipe = join(tempFolder(), "pipe");
    Bun.spawnSync(["mkfifo", pipe]);
    expect((await askOne({ auth: { realm: "r", userFile: pipe } })).status).toBe(500);
  });

  test("many guesses at once are bounded, and the right one still gets in afterwards", async () => {
    writeFileSync(userFile, users);
    served = serve([{ auth }], hello);
    const { port } = served;
    const answers = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => (await ask(port, "/", basic(`slow:guess${i}`))).status),
    );
    expect(answers.every((status) => status === 401 || status === 503)).toBeTrue();
    await until("a place", async () => (await ask(port, "/", basic("slow:slow"))).status === 200);
  });

  test("a good password is verified once, however often and at once it is sent", async () => {
    writeFileSync(userFile, users);
    for (const [user, once] of [
      ["slow", "slow:slow"],
      ["apr", "apr:secret"],
    ] as const) {
      served?.stop();
      served = serve([{ auth }, { auth, match: "/other" }], hello);
      const { port, front } = served;
      const crowd = Array.from({ length: 20 }, async () => (await ask(port, "/", basic(once))).status);
      expect(new Set(await Promise.all(crowd))).toEqual(new Set([200]));
      for (let i = 0; i < 5; i++) expect((await ask(port, "/other", basic(once))).status).toBe(200);
      expect([user, front.verifications.begun]).toEqual([user, 1]);
    }
  });

  test("somebody who is not there is verified, too, and never let in", async () => {
    writeFileSync(userFile, `slow:${bcrypt}\ndes:rqXexS6ZhobKA`);
    served = serve([{ auth }], hello);
    const { port, front } = served;
    for (const [i, credentials] of [
      "slow:x",
      "nobody:x",
      "nobody:slow",
      "des:slow",
      "nobody:slow",
    ].entries()) {
      expect((await ask(port, "/", basic(credentials))).status).toBe(401);
      expect([credentials, front.verifications.begun]).toEqual([credentials, i + 1]);
    }
  });

  test("a user who is removed while his password is verified stays out", async () => {
    writeFileSync(userFile, users);
    const check = new UserCheck(userFile, new Verifications());
    const outcome = check.check({ user: "slow", password: "slow" }, () => new Response("in"));
    expect(outcome).toBeInstanceOf(Promise);
    writeFileSync(userFile, `other:${bcrypt}\n`);
    expect(await outcome).toBe(401);
  });

  test("access comes before the password", async () => {
    writeFileSync(userFile, users);
    expect((await askOne({ auth, access: [{ allow: false, network: "all" }] })).status).toBe(403);
  });
});

describe("add_header", () => {
  const header = (name: string, value: string, always = false) => ({ name, value, always });
  const answering =
    (status: number): Answering =>
    () =>
      new Response(status === 204 || status === 304 ? null : "x", { status });

  test.each([
    [200, "plain", true],
    [201, "plain", true],
    [204, "plain", true],
    [206, "plain", true],
    [302, "plain", true],
    [304, "plain", true],
    [308, "plain", true],
    [202, "plain", false],
    [400, "plain", false],
    [403, "plain", false],
    [500, "plain", false],
    [403, "always", true],
    [500, "always", true],
  ] as const)("status %p, %s", async (status, kind, isThere) => {
    const answer = await askOne(
      { addedHeaders: [header("X-Added", "yes", kind === "always")] },
      {},
      answering(status),
    );
    expect(answer.fields.get("x-added") ?? null).toBe(isThere ? "yes" : null);
  });

  test("values of the request, evaluated for each; an empty one adds nothing", async () => {
    const addedHeaders = [header("X-Id", "<$arg_id>"), header("X-None", "$arg_none")];
    const answer = await askOne({ addedHeaders }, {}, hello, "/?id=7");
    expect(answer.fields.get("x-id")).toBe("<7>");
    expect(answer.fields.has("x-none")).toBeFalse();
    expect((await ask(served?.port ?? 0, "/?id=8")).fields.get("x-id")).toBe("<8>");
  });

  test("a line break of the client does not begin a header", async () => {
    const addedHeaders = [header("X-Path", "$uri")];
    const answer = await askOne({ addedHeaders }, {}, hello, "/a%0d%0aSet-Cookie:%20evil=1%00");
    expect(answer.status).toBe(400); // %00
    const broken = await ask(served?.port ?? 0, "/a%0d%0aSet-Cookie:%20evil=1%01%7f");
    expect(broken.status).toBe(200);
    expect(broken.fields.get("x-path")).toBe("/aSet-Cookie: evil=1");
    expect(broken.fields.has("set-cookie")).toBeFalse();
  });

  test("bytes beyond ASCII arrive as they are in the file", async () => {
    const answer = await askOne({ addedHeaders: [header("X-Name", "café")] });
    expect(answer.fields.get("x-name")).toBe("caf\xc3\xa9");
  });

  test("an answer made of a shared init gets it once, however often it is made", async () => {
    const shared = { headers: new Headers({ "Content-Type": "text/plain" }) };
    await askOne({ addedHeaders: [header("X-Once", "1")] }, {}, () => new Response("x", shared));
    for (let i = 0; i < 3; i++) expect((await ask(served?.port ?? 0, "/")).fields.get("x-once")).toBe("1");
    expect(shared.headers.has("x-once")).toBeFalse();
  });

  test("held streams have it in their head", async () => {
    const held: Answering = () =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(Buffer.from("first"));
            controller.close();
          },
        }),
        { headers: { "Content-Type": "text/plain" } },
      );
    const answer = await askOne(
      { role: { kind: "subscriber", mode: "streaming" }, addedHeaders: [header("X-A", "b")] },
      {},
      held,
    );
    expect(answer.fields.get("x-a")).toBe("b");
    expect(answer.body.toString()).toBe("first");
  });

  test("what would make two ends of a body is left out", async () => {
    const addedHeaders = [
      header("Content-Length", "1"),
      header("Transfer-Encoding", "chunked"),
      header("a b", "c"),
    ];
    expect((await askOne({ addedHeaders })).body.toString()).toBe("hello");
  });

  test("refusals of access have headers that are always added", async () => {
    const answer = await askOne({
      access: [{ allow: false, network: "all" }],
      addedHeaders: [header("X-A", "1", true), header("X-B", "1")],
    });
    expect([answer.status, answer.fields.get("x-a"), answer.fields.has("x-b")]).toEqual([403, "1", false]);
  });
});

describe("gzip", () => {
  const gzip = { types: ["application/json"], minLength: 20, level: 1 };
  const text = "0123456789".repeat(10);
  const answering =
    (body: string, type: string, init: ResponseInit = {}): Answering =>
    () =>
      new Response(body, { ...init, headers: { "Content-Type": type, ...init.headers } });
  const ACCEPTS: RawRequest = { headers: { "Accept-Encoding": "gzip" } };

  test.each([
    ["listed", "application/json", 200, text, {}, true],
    ["listed, with a charset and in capitals", "Application/JSON; charset=utf-8", 200, text, {}, true],
    ["text/html always", "text/html", 200, text, {}, true],
    ["not listed", "text/plain", 200, text, {}, false],
    ["403", "text/html", 403, text, {}, true],
    ["404", "text/html", 404, text, {}, true],
    ["500", "text/html", 500, text, {}, false],
    ["206", "text/html", 206, text, {}, false],
    ["too short", "text/html", 200, "x".repeat(19), {}, false],
    ["long enough", "text/html", 200, "x".repeat(20), {}, true],
    ["encoded already", "text/html", 200, text, { "Content-Encoding": "br" }, false],
    ["large: in a thread", "text/html", 200, text.repeat(5000), {}, true],
  ] as const)("%s", async (_name, type, status, body, headers, isPacked) => {
    const answer = await askOne({ gzip }, ACCEPTS, answering(body, type, { status, headers }));
    expect(answer.status).toBe(status);
    expect(answer.fields.get("content-type")).toBe(type);
    expect(answer.fields.get("content-encoding") === "gzip").toBe(isPacked);
    const received = isPacked ? gunzipSync(answer.body) : answer.body;
    expect(received.toString()).toBe(body);
    expect(answer.fields.get("content-length")).toBe(String(answer.body.length));
  });

  test.each([
    ["gzip", true],
    ["deflate, gzip;q=0.5", true],
    ["GZIP", true],
    ["gzip;q=0", false],
    ["gzip; q=0.000", false],
    ["*", false],
    ["deflate", false],
    ["xgzip", false],
    ["", false],
  ])("Accept-Encoding: %s", async (coding, isPacked) => {
    const answer = await askOne(
      { gzip },
      { headers: { "Accept-Encoding": coding } },
      answering(text, "text/html"),
    );
    expect(answer.fields.has("content-encoding")).toBe(isPacked);
  });

  test("* packs every type", async () => {
    const all = { ...gzip, types: ["*"] };
    const answer = await askOne({ gzip: all }, ACCEPTS, answering(text, "image/x-anything"));
    expect(answer.fields.get("content-encoding")).toBe("gzip");
  });

  test("answers without a body, HEAD, and what came through a proxy stay as they are", async () => {
    const empty: Answering = () => new Response(null, { headers: { "Content-Length": "0" } });
    expect((await askOne({ gzip }, ACCEPTS, empty)).fields.get("content-length")).toBe("0");
    const html = answering(text, "text/html");
    const head = await askOne({ gzip }, { ...ACCEPTS, method: "HEAD" }, html);
    expect(head.fields.has("content-encoding")).toBeFalse();
    const via = { headers: { "Accept-Encoding": "gzip", Via: "1.1 x" } };
    expect((await askOne({ gzip }, via, html)).fields.has("content-encoding")).toBeFalse();
  });

  test("a strong ETag becomes a weak one; other headers stay", async () => {
    const headers = { ETag: '"5"', "X-Other": "1", "Accept-Ranges": "bytes" };
    const { fields } = await askOne({ gzip }, ACCEPTS, answering(text, "text/html", { headers }));
    expect(fields.get("etag")).toBe('W/"5"');
    expect(fields.get("x-other")).toBe("1");
    expect(fields.has("accept-ranges")).toBeFalse();
  });

  test("a subscriber's answer is left to its own side", async () => {
    const location = { gzip, role: { kind: "subscriber", mode: "polling" } } as const;
    expect(
      (await askOne(location, ACCEPTS, answering(text, "text/html"))).fields.has("content-encoding"),
    ).toBeFalse();
  });
});

test("a location with none of it costs nothing: the answer is the same object", () => {
  served = serve([{}], hello);
  const request: Incoming = new Request("http://x/");
  const located = { index: 0, request } as Parameters<Answering>[0];
  const answer = new Response("x");
  const later = Promise.resolve(answer);
  expect(served.front.before(located, () => answer)).toBeNull();
  expect(served.front.finish(located, answer)).toBe(answer);
  expect(served.front.finish(located, later)).toBe(later);
});
