/** Static files over raw sockets: what is served, what is not, and as what. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { LocationConfig } from "../../src/config/model.ts";
import { FilesEndpoint } from "../../src/files/endpoint.ts";
import { ask, type RawAnswer, RawConnection, type RawRequest } from "../binary/raw-client.ts";
import { PLAIN, removeTempFolders, type Served, serve, tempFolder } from "../front/served.ts";

const SMALL = "0123456789".repeat(10);
const LARGE = Buffer.alloc(300_000, "abcdefghijklmnop-");
const MTIME_SEC = 1_715_289_393;
const LAST_MODIFIED = "Thu, 09 May 2024 21:16:33 GMT";

const outside = tempFolder();
const root = join(tempFolder(), "www");
/** Served in part only: `secret.txt` lies beside the folders that are. */
const vault = join(tempFolder(), "vault");
const types = new Map([
  ["html", "text/html"],
  ["txt", "text/plain"],
  ["js", "text/javascript"],
]);

const NO_FILES = { root: null, alias: null, index: [], fallback: null, dotfiles: false };

function location(
  over: Partial<LocationConfig>,
  files: Partial<NonNullable<LocationConfig["files"]>> = {},
): LocationConfig {
  return {
    ...PLAIN,
    role: { kind: "files" },
    types,
    defaultType: "application/octet-stream",
    files: { ...NO_FILES, root, index: ["index.html", "index.txt"], ...files },
    ...over,
  };
}

const inAlias = (alias: string) => ({ root: null, alias });
const locations: readonly LocationConfig[] = [
  location({ match: "/" }),
  location({ match: "/alias/" }, inAlias(`${vault}/sub/`)),
  location({ match: "/slip" }, inAlias(`${vault}/sub/`)),
  location({ match: "= /one" }, inAlias(`${root}/a.txt`)),
  location({ match: "~ ^/re/(.*)$" }, inAlias(`${vault}/sub/$1`)),
  location({ match: "~ ^/host/" }, { root: `${vault}/by/$http_x_folder` }),
  location({ match: "/app/" }, { ...inAlias(`${vault}/sub/`), fallback: "/index.html" }),
  location({ match: "/lost/" }, { ...inAlias(`${vault}/sub/`), fallback: "/nothing.html" }),
  location({ match: "/dots/" }, { ...inAlias(`${root}/`), dotfiles: true }),
  location(
    { match: "/packed/", gzip: { types: ["text/plain"], minLength: 20, level: 1 } },
    inAlias(`${root}/`),
  ),
];

let served: Served;

beforeAll(() => {
  for (const folder of ["sub/inner", "empty", ".hidden", "txtindex"])
    mkdirSync(join(root, folder), { recursive: true });
  for (const folder of ["sub", "by/one/host", "by/.hidden/host", "host"])
    mkdirSync(join(vault, folder), { recursive: true });
  const put = (name: string, content: string | Uint8Array, folder = root): void => {
    writeFileSync(join(folder, name), content);
    utimesSync(join(folder, name), MTIME_SEC, MTIME_SEC);
  };
  put("a.txt", SMALL);
  put("index.html", "<p>home</p>");
  put("sub/index.html", "<p>sub</p>");
  put("sub/b.TXT", "b");
  put("sub/none", "no extension");
  put("sub/two.dots.js", "1");
  put("txtindex/index.txt", "second choice");
  put("large.txt", LARGE);
  put("empty.txt", "");
  put("with space é%41?.txt", "odd name");
  put(".hidden/x.txt", "secret");
  put(".htpasswd", "secret");
  mkdirSync(join(root, ".well-known"), { recursive: true });
  put(".well-known/token", "proof");
  for (const folder of ["", "host/", "by/.hidden/host/"]) put(`${folder}secret.txt`, "secret", vault);
  put("sub/index.html", "<p>sub</p>", vault);
  put("sub/b.TXT", "b", vault);
  put("by/one/host/f.txt", "of one", vault);
  writeFileSync(join(outside, "out.txt"), "outside");
  symlinkSync(join(outside, "out.txt"), join(root, "link-out.txt"));
  symlinkSync(outside, join(root, "folder-out"));
  symlinkSync("a.txt", join(root, "link-in.js"));
  symlinkSync("loop", join(root, "loop"));
  Bun.spawnSync(["mkfifo", join(root, "pipe.txt")]);
  const endpoints = locations.map((each) => new FilesEndpoint(each, each.files ?? { ...NO_FILES, root }));
  served = serve(locations, (located) => endpoints[located.index]?.handle(located) ?? new Response(null));
});
afterAll(() => {
  served.stop();
  removeTempFolders();
});

const get = (path: string, request: RawRequest = {}): Promise<RawAnswer> => ask(served.port, path, request);

describe("what stands for files that are not there", () => {
  test.each([
    ["/app/", 200, "<p>sub</p>"],
    ["/app/b.TXT", 200, "b"],
    ["/app/any/view", 200, "<p>sub</p>"],
    ["/app/../lost/x", 404, null],
    ["/app/.git/config", 404, null],
    ["/lost/x", 404, null],
    ["/lost/b.TXT", 200, "b"],
  ] as const)("%s: %d", async (path, status, body) => {
    const answer = await get(path);
    expect(answer.status).toBe(status);
    if (body !== null) expect(answer.body.toString()).toBe(body);
  });
});

describe("names that begin with a dot", () => {
  test.each([
    ["/.well-known/token", 200],
    ["/dots/.htpasswd", 200],
    ["/dots/.hidden/x.txt", 200],
    ["/dots/.../x", 404],
    ["/dots/%2e%2e%2fa.txt", 200],
    ["/slip../host/secret.txt", 404],
  ] as const)("%s: %d", async (path, status) => {
    expect((await get(path)).status).toBe(status);
  });
});

describe("found", () => {
  test.each([
    ["/a.txt", "text/plain", SMALL],
    ["/", "text/html", "<p>home</p>"],
    ["/sub/", "text/html", "<p>sub</p>"],
    ["/txtindex/", "text/plain", "second choice"],
    ["/sub/b.TXT", "text/plain", "b"],
    ["/sub/none", "application/octet-stream", "no extension"],
    ["/sub/two.dots.js", "text/javascript", "1"],
    ["/empty.txt", "text/plain", ""],
    ["/large.txt", "text/plain", LARGE.toString()],
    // The name that was asked for says what it is.
    ["/link-in.js", "text/javascript", SMALL],
    ["/with%20space%20%c3%a9%2541%3F.txt", "text/plain", "odd name"],
    ["//sub%2f..//./a.txt?x=%2e%2e", "text/plain", SMALL],
    ["/sub%2fb.TXT", "text/plain", "b"],
    ["/alias/b.TXT", "text/plain", "b"],
    ["/alias/", "text/html", "<p>sub</p>"],
    ["/slip/b.TXT", "text/plain", "b"],
    ["/one", "text/plain", SMALL],
    ["/re/b.TXT", "text/plain", "b"],
  ])("%s", async (path, type, body) => {
    const answer = await get(path);
    expect(answer.statusLine).toBe("HTTP/1.1 200 OK");
    expect(answer.fields.get("content-type")).toBe(type);
    expect(answer.fields.get("content-length")).toBe(String(Buffer.byteLength(body)));
    expect(answer.fields.get("last-modified")).toBe(LAST_MODIFIED);
    expect(answer.fields.get("etag")).toBe(`"663d3d31-${Buffer.byteLength(body).toString(16)}"`);
    expect(answer.fields.get("accept-ranges")).toBe("bytes");
    expect(answer.body.toString() === body).toBeTrue();
  });

  test("a file whose time is to come was modified no later than now", async () => {
    const path = join(root, "to-come.txt");
    writeFileSync(path, SMALL);
    utimesSync(path, Date.now() / 1000 + 1000, Date.now() / 1000 + 1000);
    const modified = Date.parse((await get("/to-come.txt")).fields.get("last-modified") ?? "");
    expect(modified).toBeLessThanOrEqual(Date.now());
    rmSync(path);
  });

  test("a folder named by a header, inside the fixed part", async () => {
    const headers = { "X-Folder": "one" };
    expect((await get("/host/f.txt", { headers })).body.toString()).toBe("of one");
  });
});

describe("not found, or not for you", () => {
  const PAGES: Readonly<Record<number, string>> = { 403: "403 Forbidden", 404: "404 Not Found" };
  test.each([
    ["/nothing", 404],
    ["/a.txt/", 404],
    ["/a.txt/x", 404],
    ["/nothing/", 404],
    [`/${"x".repeat(300)}`, 404],
    ["/empty/", 403],
    ["/link-out.txt", 403],
    ["/folder-out/out.txt", 403],
    ["/folder-out/", 403],
    ["/folder-out", 403],
    ["/loop", 403],
    ["/pipe.txt", 404],
    // Names that begin with a dot.
    ["/.htpasswd", 404],
    ["/.hidden/x.txt", 404],
    ["/%2ehtpasswd", 404],
    ["/sub/../.htpasswd", 404],
    ["/.hidden/", 404],
    ["/...", 404],
    // Ways out.
    ["/..%2f..%2fetc%2fpasswd", 400],
    // The runtime resolves these before anybody sees them.
    ["/../etc/passwd", 404],
    ["/sub/../../etc/passwd", 404],
    ["/%2e%2e/%2e%2e/etc/passwd", 404],
    ["/sub\\..\\..\\etc/passwd", 404],
    ["/sub/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd", 400],
    ["/%252e%252e%252fetc%252fpasswd", 404],
    ["/..%5c..%5cetc%5cpasswd", 404],
    ["/sub%5cb.TXT", 404],
    ["/..%c0%af..%c0%afetc/passwd", 404],
    ["/%ff%fe", 404],
    ["/a.txt%00.html", 400],
    ["/a.txt%", 400],
    ["//etc/passwd", 404],
    // The slash that is missing in "location /slip { alias …/sub/; }".
    ["/slip../secret.txt", 404],
    ["/slip../../secret.txt", 404],
    ["/slip.%2e/secret.txt", 404],
    ["/re/../secret.txt", 404],
    ["/re/..%2fsecret.txt", 404],
    ["/re/.hidden", 404],
  ])("%s: %p", async (path, status) => {
    const answer = await get(path);
    expect(answer.status).toBe(status);
    expect(answer.body.toString()).not.toContain("secret");
    expect(answer.body.toString()).not.toContain("root:");
    if (status !== 400) expect(answer.body.toString()).toContain(`<h1>${PAGES[status]}</h1>`);
  });

  test.each(["..", "../by/one", "one/../..", "../..", ".hidden", "/etc/../..", "a\\..\\..", "", "one\0"])(
    "a folder named by a header cannot be %p",
    async (folder) => {
      const headers = { "X-Folder": folder };
      for (const path of ["/host/f.txt", "/host/secret.txt", "/host/a.txt"]) {
        const { status } = await get(path, { headers });
        expect([400, 403, 404]).toContain(status);
      }
    },
  );

  test.if(process.getuid?.() !== 0)("unreadable: 403", async () => {
    writeFileSync(join(root, "closed.txt"), "x");
    chmodSync(join(root, "closed.txt"), 0);
    expect((await get("/closed.txt")).status).toBe(403);
  });

  test.each(["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])("%s: 405", async (method) => {
    const answer = await get("/a.txt", { method, body: "x" });
    expect([answer.status, answer.fields.get("allow")]).toEqual([405, "GET, HEAD"]);
  });
});

test.each([
  ["/sub", "/sub/"],
  ["/sub?a=b", "/sub/?a=b"],
  ["/sub/inner", "/sub/inner/"],
  ["/x%2f..%2fsub", "/x%2f..%2fsub/"],
  ["/sub/x%2f..%2f..%2fsub", "/sub/x%2f..%2f..%2fsub/"],
])("a folder without slash: %s to %s", async (path, target) => {
  const answer = await get(path);
  expect(answer.status).toBe(301);
  const location = answer.fields.get("location") ?? "";
  // Relative: behind a proxy neither scheme nor path is what the client sees.
  expect(location).toStartWith("./");
  expect(new URL(location, `http://x${path}`).href).toBe(`http://x${target}`);
  expect((await get(target)).status).not.toBe(301);
});

describe("parts", () => {
  test.each([
    ["/a.txt", "bytes=10-14", "01234", "bytes 10-14/100"],
    ["/a.txt", "bytes=95-", "56789", "bytes 95-99/100"],
    ["/a.txt", "bytes=-3", "789", "bytes 97-99/100"],
    ["/a.txt", "bytes=98-200", "89", "bytes 98-99/100"],
    ["/large.txt", "bytes=17-21", "abcde", "bytes 17-21/300000"],
    ["/large.txt", "bytes=299999-", LARGE.toString("latin1", 299_999), "bytes 299999-299999/300000"],
    ["/large.txt", "bytes=-2", LARGE.toString("latin1", 299_998), "bytes 299998-299999/300000"],
  ])("%s %s", async (path, range, body, contentRange) => {
    const answer = await get(path, { headers: { Range: range } });
    expect(answer.status).toBe(206);
    expect(answer.fields.get("content-range")).toBe(contentRange);
    expect(answer.fields.get("content-length")).toBe(String(body.length));
    expect(answer.fields.get("content-type")).toBe("text/plain");
    expect(answer.body.toString()).toBe(body);
  });

  test.each(["/a.txt", "/large.txt"])("%s: behind the end, with the page", async (path) => {
    const answer = await get(path, { headers: { Range: "bytes=300000-" } });
    expect(answer.status).toBe(416);
    expect(answer.fields.get("content-range")).toBe(`bytes */${path === "/a.txt" ? 100 : 300000}`);
    expect(answer.body.toString()).toContain("416 Requested Range Not Satisfiable");
  });

  test.each([
    ["several", { Range: "bytes=0-1,3-4" }],
    ["not a range", { Range: "bytes=x" }],
    ["of another file", { Range: "bytes=0-1", "If-Range": '"x"' }],
  ])("the whole file: %s", async (_name, headers: Record<string, string>) => {
    for (const [path, body] of [
      ["/a.txt", SMALL],
      ["/large.txt", LARGE.toString()],
    ] as const) {
      const answer = await get(path, { headers });
      expect(answer.status).toBe(200);
      expect(answer.fields.has("content-range")).toBeFalse();
      expect(answer.body.toString() === body).toBeTrue();
    }
  });
});

describe("heads only", () => {
  test.each(["/a.txt", "/large.txt", "/"])("HEAD %s", async (path) => {
    const { fields, body } = await get(path);
    const connection = await RawConnection.open(served.port);
    connection.request(path, { method: "HEAD" });
    const head = await connection.answer("HEAD");
    for (const name of ["content-length", "content-type", "etag", "last-modified"])
      expect(head.fields.get(name)).toBe(fields.get(name) ?? "");
    // Nothing of the body is in the way of the next answer.
    connection.request(path);
    expect((await connection.answer()).body.equals(body)).toBeTrue();
    connection.close();
  });

  test("304 and 412", async () => {
    const etag = (await get("/a.txt")).fields.get("etag") ?? "";
    const same = await get("/a.txt", { headers: { "If-None-Match": etag } });
    expect([same.status, same.fields.get("etag"), same.fields.get("last-modified")]).toEqual([
      304,
      etag,
      LAST_MODIFIED,
    ]);
    expect((await get("/a.txt", { headers: { "If-Modified-Since": LAST_MODIFIED } })).status).toBe(304);
    expect((await get("/a.txt", { headers: { "If-Match": '"x"' } })).status).toBe(412);
  });
});

describe("changes on the disk", () => {
  const path = (): string => join(root, "changing.txt");
  test("a file that changed is sent as it is now", async () => {
    for (const text of ["one", "two!", "six", ""]) {
      writeFileSync(path(), text);
      expect((await get("/changing.txt")).body.toString()).toBe(text);
    }
  });

  test("a file that became a link to the outside is not sent any more", async () => {
    writeFileSync(path(), "inside");
    expect((await get("/changing.txt")).status).toBe(200);
    rmSync(path());
    symlinkSync(join(outside, "out.txt"), path());
    expect((await get("/changing.txt")).status).toBe(403);
    rmSync(path());
    expect((await get("/changing.txt")).status).toBe(404);
  });
});

describe("gzip", () => {
  const headers = { "Accept-Encoding": "gzip" };
  test.each([
    ["/packed/a.txt", SMALL],
    ["/packed/large.txt", LARGE.toString()],
  ])("%s", async (path, body) => {
    const answer = await get(path, { headers });
    expect(answer.fields.get("content-encoding")).toBe("gzip");
    expect(answer.fields.get("etag")).toStartWith('W/"');
    expect(gunzipSync(answer.body).toString() === body).toBeTrue();
    expect((await get(path)).body.toString() === body).toBeTrue();
  });

  test("a body of many megabytes is packed as it goes", async () => {
    const huge = Buffer.alloc(9_000_000, "0123456789");
    writeFileSync(join(root, "huge.txt"), huge);
    const answer = await get("/packed/huge.txt", { headers });
    expect(answer.fields.get("content-encoding")).toBe("gzip");
    expect(answer.fields.has("content-length")).toBeFalse();
    expect(gunzipSync(answer.body).equals(huge)).toBeTrue();
    rmSync(join(root, "huge.txt"));
  });

  test("a part of a file stays as it is", async () => {
    const answer = await get("/packed/a.txt", { headers: { ...headers, Range: "bytes=0-49" } });
    expect([answer.status, answer.fields.has("content-encoding"), answer.body.length]).toEqual([
      206,
      false,
      50,
    ]);
  });
});

test("a location without root and alias is a fault of whoever made it", () => {
  expect(() => new FilesEndpoint(location({}), NO_FILES)).toThrow("neither root nor alias");
  expect(statSync(root).isDirectory()).toBeTrue();
});
