/**
 * What a browser asks before a page of another origin may ask with a token (CORS): answered by the list of
 * origins alone on every role, both kinds of listener. And that a guard stands before the roles that have no
 * words of their own for it.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ask } from "../binary/raw-client.ts";
import type { RunningServer } from "../binary/running-server.ts";
import { removeFolders, startHandlers } from "../handlers/handler-server.ts";

setDefaultTimeout(30_000);

const ORIGIN = "https://app.example.org";
const backend = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("from the backend") });
afterAll(() => {
  backend.stop(true);
  removeFolders();
});

const GUARDED =
  `allowed_origins = "${ORIGIN} https://other.example.org"\ntoken = ["header"]\n` +
  `token_issuers = ["secret"]`;
const CODE = `allowed_origins = "${ORIGIN}"\nauthorize = "guard.ts"`;
const toml = (): string => `
[[issuer]]
name = "secret"
algorithms = ["HS256"]
key_file = "key.txt"
[[location]]
match = "= /pub"
publisher = "admin"
channels_path = "$arg_id"
${GUARDED}
[[location]]
match = "= /coded-pub"
publisher = "admin"
channels_path = "$arg_id"
${CODE}
[[location]]
match = "= /statistics"
statistics = true
channels_path = "$arg_id"
${GUARDED}
[[location]]
match = "/files/"
alias = "${import.meta.dir}/"
${GUARDED}
[[location]]
match = "= /handler"
handler = "guard.ts"
${GUARDED}
[[location]]
match = "= /coded"
handler = "guard.ts"
${CODE}
[[location]]
match = "= /proxy"
proxy = "http://127.0.0.1:${backend.port}"
${CODE}
[[location]]
match = "= /present"
presence_list = true
channels_path = "$arg_id"
${CODE}
[[location]]
match = "= /own"
handler = "guard.ts"
allowed_origins = "${ORIGIN}"
`;

const FILES = {
  "key.txt": "k".repeat(32),
  "guard.ts": `export const authorize = ({ headers }) => headers.get("authorization") === "good";
export default ({ request }) => new Response(request.method, { headers: { "X-Mine": "1" } });`,
};

describe.each(["native", "wire"] as const)("%s listener", (listener) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startHandlers({ workers: 1, listener }, { files: FILES, toml: toml() });
  });
  afterAll(() => server?.stop());

  const preflight = (path: string, origin = ORIGIN) =>
    ask(server.port, path, {
      method: "OPTIONS",
      headers: {
        Origin: origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,x-page",
      },
    });

  test.each([
    ["/pub?id=a", /POST/],
    ["/coded-pub?id=a", /POST/],
    ["/statistics", /^GET$/],
    ["/files/preflights.test.ts", /^GET, HEAD$/],
    ["/handler", /^PATCH$/],
    ["/coded", /^PATCH$/],
    ["/proxy", /^PATCH$/],
    ["/present?id=a", /^GET$/],
  ])("%s says whose pages may ask, and asks nobody for a grant", async (path, methods) => {
    const { status, fields } = await preflight(path);
    expect([200, 204]).toContain(status);
    expect(fields.get("access-control-allow-origin")).toBe(ORIGIN);
    expect(fields.get("access-control-allow-methods")).toMatch(methods);
    expect(fields.get("access-control-allow-headers")?.toLowerCase()).toContain("authorization");
  });

  test.each(["/statistics", "/files/preflights.test.ts", "/handler", "/coded", "/proxy", "/present?id=a"])(
    "%s says nothing to pages of others, and nothing but a preflight goes by without a grant",
    async (path) => {
      const foreign = await preflight(path, "https://evil.example.org");
      expect(foreign.status).toBe(403);
      expect(foreign.fields.get("access-control-allow-origin") ?? "").not.toContain("evil");
      const bare = await ask(server.port, path, { method: "OPTIONS" });
      expect(bare.status).toBeGreaterThan(400);
      const refused = await ask(server.port, path, { headers: { Origin: ORIGIN } });
      expect([401, 403]).toContain(refused.status);
      // A page can read why.
      expect(refused.fields.get("access-control-allow-origin")).toBe(ORIGIN);
    },
  );

  test("the answer itself says so as well, and is no answer to the next", async () => {
    const { status, fields } = await ask(server.port, "/proxy", {
      headers: { Origin: ORIGIN, Authorization: "good" },
    });
    expect(status).toBe(200);
    expect(fields.get("access-control-allow-origin")).toBe(ORIGIN);
    expect(fields.get("vary")).toContain("Origin");
  });

  test("a handler that nobody stands before answers for itself", async () => {
    const { status, fields, body } = await preflight("/own");
    expect([status, fields.get("x-mine"), body.toString()]).toEqual([200, "1", "OPTIONS"]);
  });
});
