/**
 * What a publisher sends must not run in a browser that opens an address of the embedded default: every way
 * to have a message or a channel's name answered, on the compiled binary. Past hole: /jsonp/x.b1 without a
 * callback answered publishers' bytes as text/html.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type RunningServer, startServer } from "./running-server.ts";

const SCRIPT = "<script>alert(document.domain)</script>";
const CHANNEL = `x${encodeURIComponent(SCRIPT)}`;
/** A browser makes a document of these (HTML 7.4, "navigate"), or of each part. */
const RUNNABLE = /html|xml|svg|multipart/i;

let server: RunningServer;
beforeAll(async () => {
  server = await startServer({ workers: 1 });
  for (const channel of ["x", CHANNEL]) expect((await server.publish(channel, SCRIPT)).status).toBe(200);
});
afterAll(async () => {
  await server.stop();
});

async function headersOf(path: string, headers: Record<string, string>): Promise<Headers> {
  const left = new AbortController();
  const response = await fetch(server.url + path, { headers, signal: left.signal });
  expect([path, headers, response.status]).toEqual([path, headers, 200]);
  left.abort();
  return response.headers;
}

const SUBSCRIBED = ["sub", "ev", "lp", "poll", "jsonp", "iframe", "mjpeg"].map((name) => `/${name}/x.b1`);
const MODES: readonly Record<string, string>[] = [
  {},
  { "X-Nginx-PushStream-Mode": "polling" },
  { "X-Nginx-PushStream-Mode": "long-polling" },
];

test.each([
  ...SUBSCRIBED,
  "/jsonp/x.b1?callback=f",
  "/lp/x.b1?callback=f",
  "/sub/x.b1?x=.html",
  "/lp/x.b1/page.html",
])("%s in every mode: no type that runs, and no guessing", async (path) => {
  for (const mode of MODES) {
    const headers = await headersOf(path, mode);
    const isSandboxed = /\bsandbox\b(?!.*allow-same-origin)/.test(
      headers.get("content-security-policy") ?? "",
    );
    expect([path, mode, headers.get("content-type"), isSandboxed]).toEqual([
      path,
      mode,
      isSandboxed ? expect.any(String) : expect.not.stringMatching(RUNNABLE),
      isSandboxed,
    ]);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  }
});

test.each(["*/*", "text/html,application/xml;q=0.9", "text/yaml", "text/plain"])(
  "names of channels, asked for as %s: escaped or of another type, and no guessing",
  async (accept) => {
    for (const path of [`/pub?id=${CHANNEL}`, `/channels-stats?id=${CHANNEL}`, "/channels-stats?id=ALL"]) {
      const response = await fetch(server.url + path, { headers: { Accept: accept } });
      expect([path, response.headers.get("x-content-type-options")]).toEqual([path, "nosniff"]);
      const text = await response.text();
      if (RUNNABLE.test(response.headers.get("content-type") ?? "")) expect(text).not.toContain("<script");
    }
  },
);

test("a location of a TOML file says text/plain and nosniff unless told otherwise", async () => {
  const toml = `
    [[location]]
    match = "= /pub"
    publisher = "admin"
    channels_path = "$arg_id"
    store_messages = true
    [[location]]
    match = "~ ^/plain/(.*)$"
    subscriber = "polling"
    channels_path = "$1"
    [[location]]
    match = "~ ^/page/(.*)$"
    subscriber = "polling"
    channels_path = "$1"
    default_type = "text/html"
    nosniff = false
    [[location]]
    match = "~ ^/own/(.*)$"
    subscriber = "polling"
    channels_path = "$1"
    add_header = ["X-Content-Type-Options nosniff"]`;
  const own = await startServer({ toml, workers: 1 });
  try {
    await own.publish("x", SCRIPT);
    const seen: Record<string, unknown> = {};
    for (const name of ["plain", "page", "own"]) {
      const { headers } = await own.request(`/${name}/x.b1`);
      seen[name] = [headers.get("content-type"), headers.get("x-content-type-options")];
    }
    expect(seen).toEqual({
      plain: ["text/plain; charset=utf-8", "nosniff"],
      page: ["text/html", null],
      own: ["text/plain; charset=utf-8", "nosniff"],
    });
  } finally {
    await own.stop();
  }
});
