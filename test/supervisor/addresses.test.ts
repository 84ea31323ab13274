import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Address,
  parseAddress,
  probeAddresses,
  publishSockets,
  removeOwnSockets,
  removePublicSockets,
  renameAddresses,
  shareOf,
  usefulWorkers,
} from "../../src/supervisor/sockets/addresses.ts";
import { freePort } from "../binary/running-server.ts";
import { addressed, testConfig } from "./test-config.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-listen-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const serve = (options: { port: number; reusePort?: boolean } | { unix: string }) =>
  "unix" in options
    ? Bun.serve({ ...options, fetch: () => new Response("here") })
    : Bun.serve({ hostname: "127.0.0.1", ...options, fetch: () => new Response("here") });

test.each<[string, Address | null]>([
  ["127.0.0.1:8080", { kind: "tcp", hostname: "127.0.0.1", port: 8080 }],
  ["localhost:0", { kind: "tcp", hostname: "localhost", port: 0 }],
  ["[::1]:8080", { kind: "tcp", hostname: "::1", port: 8080 }],
  ["unix:/run/s.sock", { kind: "unix", path: "/run/s.sock" }],
  ["unix:", null],
  ["127.0.0.1", null],
  ["127.0.0.1:65536", null],
  ["::1:80", null],
  [":80", null],
])("%s is read as %p", (text, expected) => {
  expect(parseAddress(text)).toEqual(expected);
});

describe("probe", () => {
  test("free addresses pass and port 0 becomes a port", async () => {
    const free = `127.0.0.1:${freePort()}`;
    const outcome = await probeAddresses([free, "127.0.0.1:0"]);
    if (!outcome.ok) throw new Error(outcome.faults.join());
    expect(outcome.listen[0]).toBe(free);
    expect(outcome.listen[1]).toMatch(/^127\.0\.0\.1:[1-9]\d+$/);
  });

  test("a port shared with SO_REUSEPORT by somebody else is in use, too", async () => {
    const other = serve({ port: 0, reusePort: true });
    const address = `127.0.0.1:${other.port}`;
    expect(await probeAddresses([address])).toEqual({ ok: false, faults: [`listen: ${address} is in use`] });
    await other.stop(true);
    expect((await probeAddresses([address])).ok).toBe(true);
  });

  test("all faults are told", async () => {
    const path = join(folder, "a-file");
    writeFileSync(path, "");
    const outcome = await probeAddresses([
      "203.0.113.1:17012",
      "nonsense",
      `unix:${path}`,
      `127.0.0.1:${freePort()}`,
    ]);
    expect(outcome).toEqual({
      ok: false,
      faults: [
        "listen: 203.0.113.1:17012 is not an address of this machine",
        "listen: nonsense is not host:port, [address]:port or unix:/path",
        `listen: unix:${path} exists and is not a socket`,
      ],
    });
    expect(existsSync(path)).toBe(true);
  });

  test("a unix socket somebody answers on is in use and stays", async () => {
    const path = join(folder, "live.sock");
    const other = serve({ unix: path });
    expect(await probeAddresses([`unix:${path}`])).toEqual({
      ok: false,
      faults: [`listen: unix:${path} is in use`],
    });
    expect(await (await fetch("http://sluice/", { unix: path })).text()).toBe("here");
    await other.stop(true);
  });

  test("a unix socket left by a killed program is cleared away", async () => {
    const path = join(folder, "stale.sock");
    const script =
      `Bun.serve({ unix: ${JSON.stringify(path)}, fetch: () => new Response() }); ` +
      `process.kill(process.pid, "SIGKILL");`;
    await Bun.spawn([process.execPath, "-e", script]).exited;
    expect(existsSync(path)).toBe(true);
    expect(await probeAddresses([`unix:${path}`])).toEqual({ ok: true, listen: [`unix:${path}`] });
    expect(existsSync(path)).toBe(false);
  });
});

describe("sharing", () => {
  const listen = ["127.0.0.1:1", "unix:/run/s.sock"];
  test("TCP goes to every worker, the unix socket to the first, under its slot's name", () => {
    const config = testConfig("", { ...addressed(listen), workers: 2 });
    expect(shareOf(config, 0, 7)).toEqual({ ...config, ...addressed(["127.0.0.1:1", "unix:/run/s.sock.7"]) });
    expect(shareOf(config, 1, 8)).toEqual({ ...config, ...addressed(["127.0.0.1:1"]) });
  });

  test("servers and listeners follow their addresses", () => {
    const { listeners, servers } = addressed(listen);
    const other = {
      setVariables: new Set<string>(),
      listen: ["unix:/run/s.sock"],
      names: ["other"],
      proxies: null,
      steps: [],
      locations: [{ index: 1, inner: [] }],
    };
    const config = testConfig("", { listen, listeners, servers: [...servers, other] });
    const renamed = renameAddresses(config, (text) => (text === "127.0.0.1:1" ? null : "unix:/run/t.sock"));
    expect(renamed.listen).toEqual(["unix:/run/t.sock"]);
    expect(renamed.listeners.map(({ address }) => address)).toEqual(["unix:/run/t.sock"]);
    expect(renamed.servers.map((server) => server.listen)).toEqual([
      ["unix:/run/t.sock"],
      ["unix:/run/t.sock"],
    ]);
    expect(renamed.servers.map(({ names }) => names)).toEqual([[""], ["other"]]);
  });

  test("nothing but unix sockets is work for one", () => {
    expect(usefulWorkers(listen, 4)).toBe(4);
    expect(usefulWorkers(["unix:/run/s.sock"], 4)).toBe(1);
  });

  test("a new owner takes the public name over while the old one still has it", async () => {
    const path = join(folder, "public.sock");
    const names = [`unix:${path}`];
    const old = serve({ unix: `${path}.1` });
    publishSockets(names, 1);
    const next = Bun.serve({ unix: `${path}.2`, fetch: () => new Response("next") });
    publishSockets(names, 2);
    await old.stop(true);
    expect(await (await fetch("http://sluice/", { unix: path })).text()).toBe("next");
    await next.stop(true);
    removeOwnSockets(names, 2);
    removePublicSockets(names);
    expect(existsSync(path)).toBe(false);
  });
});
