/**
 * The client as it is given away: `/sluice.js` of the compiled binary, and the npm package, installed and
 * used in Bun and in Node 22 (npm's package of it, where it can be had), with its types.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { makeClientPackage } from "../../scripts/client-package.ts";
import * as entry from "../../src/client/entry.ts";
import type * as declared from "../../src/client/sluice.d.ts";
import { type RunningServer, startServer } from "../binary/running-server.ts";

/** Of what a browser gets, in the coding that it takes. */
const MOST_BYTES = 6144;
const MOST_SHARED_BYTES = 7168;

/** What is there is what is declared: tsc says so, or not. */
const asDeclared: Pick<typeof declared, "Sluice" | "SluiceError"> = entry;

let server: RunningServer;
let folder: string;

beforeAll(async () => {
  server = await startServer();
  folder = mkdtempSync(join(tmpdir(), "sluice-client-"));
  const tarball = makeClientPackage(folder);
  writeFileSync(join(folder, "package.json"), '{ "type": "module", "private": true }');
  const install = Bun.spawnSync([process.execPath, "add", tarball], { cwd: folder, env: bunEnv });
  expect(install.success, install.stderr.toString()).toBeTrue();
}, 60_000);
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const bunEnv = { ...process.env, BUN_INSTALL_CACHE_DIR: join(tmpdir(), "sluice-client-cache") };

/** Says what it got on each transport, by the loop of the package's readme. */
const PROGRAM = `
import { Sluice } from "sluice-client";
for (const transport of ["websocket", "sse", "poll"]) {
  const client = new Sluice(process.argv[2], { transports: [transport] });
  const subscription = client.subscribe("from-" + process.argv[3] + "-" + transport);
  subscription.on("subscribed", async () => {
    for (const text of ["one", "two é"]) await client.publish(subscription.channel, text);
  });
  const got = [];
  for await (const message of subscription) if (got.push(message.data) === 2) break;
  console.log(transport, client.transport, got.join());
  client.close();
}
`;
const OUTPUT = ["websocket", "sse", "poll"].map((name) => `${name} ${name} one,two é\n`).join("");

function run(name: string, command: readonly string[]): { out: string; errors: string } {
  writeFileSync(join(folder, "program.js"), PROGRAM);
  const { stdout, stderr } = Bun.spawnSync([...command, "program.js", server.url, name], {
    cwd: folder,
    timeout: 20_000,
  });
  return { out: stdout.toString(), errors: stderr.toString() };
}

test("the package works in Bun", () => {
  expect(run("bun", [process.execPath])).toEqual({ out: OUTPUT, errors: "" });
});

test("the package works in Node 22", () => {
  const node = Bun.spawnSync(["npx", "--yes", "-p", "node@22", "which", "node"], {
    cwd: folder,
    timeout: 60_000,
  });
  if (!node.success) {
    console.log("skipped: Node 22 cannot be had from npm here");
    return;
  }
  expect(run("node", [node.stdout.toString().trim()])).toEqual({ out: OUTPUT, errors: "" });
}, 90_000);

test("its types are good for whoever imports it, as an application and as a library", () => {
  writeFileSync(
    join(folder, "use.ts"),
    `import { type Message, Sluice, SluiceError, type Subscription } from "sluice-client";
import { share } from "sluice-client/shared";
const url = new URL("https://x.example");
const client: Sluice = new Sluice(url, { token: async () => "t", transports: ["sse"] });
const seen = ({ data, bytes }: Message) => [data.length, bytes.length];
const news: Subscription = client.subscribe("news", { last: 3 }, seen);
client.subscribe("more", ({ data, bytes }) => [data.length, bytes.length]);
news.on("gap", ({ missed }) => missed ?? 0).on("error", (error: SluiceError) => error.status);
export async function texts(): Promise<Message[]> {
  const all: Message[] = [];
  for await (const message of news) all.push(message);
  const { duplicate } = await client.publish("news", new Uint8Array(1), { key: "k" });
  return duplicate ? [] : all;
}
const shared: Sluice = share("https://x.example");
shared.close();
// @ts-expect-error: there is no such event
news.on("nonsense", () => undefined);
`,
  );
  const tsc = join(import.meta.dir, "../../node_modules/.bin/tsc");
  for (const how of ["--module nodenext", "--module esnext --moduleResolution bundler"]) {
    const options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", ...how.split(" ")];
    const { stdout, success } = Bun.spawnSync([tsc, ...options, "use.ts"], { cwd: folder });
    expect({ how, out: stdout.toString(), success }).toEqual({ how, out: "", success: true });
  }
  expect(asDeclared.Sluice.name.length).toBeGreaterThan(0);
});

test("/sluice.js is small, has a map and types, and is asked for again only when it changed", async () => {
  const plain = { "Accept-Encoding": "identity" };
  const script = await server.request("/sluice.js", { headers: plain });
  expect(script.status).toBe(200);
  expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  expect(script.headers.get("cache-control")).toBe("no-cache");
  expect(gzipSync(script.text, { level: 9 }).length).toBeLessThanOrEqual(MOST_BYTES);
  expect(script.text).toEndWith("//# sourceMappingURL=sluice.js.map\n");
  const map = JSON.parse((await server.request("/sluice.js.map", { headers: plain })).text);
  expect(map.sources).toContain("client.ts");
  expect(map.sources.some((source: string) => source.includes("/"))).toBeFalse();
  expect((await server.request("/sluice.d.ts")).text).toContain("export declare class Sluice ");
  expect((await server.request("/sluice.css")).status).toBe(404);
  const shared = await server.request("/sluice.shared.js", { headers: plain });
  expect(gzipSync(shared.text, { level: 9 }).length).toBeLessThanOrEqual(MOST_SHARED_BYTES);
  expect((await server.request("/sluice.shared.d.ts")).text).toContain("export declare function share(");
  for (const headers of [plain, { "Accept-Encoding": "gzip" }]) {
    const etag = (await server.request("/sluice.js", { headers })).headers.get("etag") ?? "";
    const again = await server.request("/sluice.js", {
      headers: { ...headers, "If-None-Match": `"x", ${etag}` },
    });
    expect([again.status, again.text, again.headers.get("etag")]).toEqual([304, "", etag]);
  }
  const raw = await fetch(`${server.url}/sluice.js`, {
    headers: { "Accept-Encoding": "gzip" },
    decompress: false,
  });
  expect(raw.headers.get("content-encoding")).toBe("gzip");
  expect((await raw.arrayBuffer()).byteLength).toBeLessThanOrEqual(MOST_BYTES);
});
