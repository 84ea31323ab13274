/**
 * The way from file or embedded default to the model: derived values, overrides, files that cannot be read.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { formatFault } from "../../src/config/fault.ts";
import { loadConfig, type Overrides } from "../../src/config/load.ts";
import { compileLocations } from "../../src/config/location/locations.ts";
import type { Config } from "../../src/config/model.ts";
import { locationWith } from "../location.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-config-"));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function fileWith(text: string | Uint8Array): string {
  const file = join(folder, `${crypto.randomUUID()}.toml`);
  writeFileSync(file, text);
  return file;
}

function configOf(text: string | null, overrides: Overrides = {}): Config {
  const outcome = loadConfig(text === null ? { overrides } : { file: fileWith(text), overrides });
  if (!outcome.ok) throw new Error(outcome.faults.map(formatFault).join("\n"));
  return outcome.config;
}

function faultsOf(file: string | undefined, overrides: Overrides = {}): readonly string[] {
  const outcome = loadConfig({ file, overrides });
  return outcome.ok ? [] : outcome.faults.map((fault) => formatFault(fault).replaceAll(folder, ""));
}

describe("the embedded default", () => {
  const config = configOf(null);
  const at = (path: string) => config.locations[compileLocations(config.locations)(path)?.index ?? -1];

  test.each([
    ["/", { kind: "page" }],
    ["/pub", { kind: "publisher", admin: true }],
    ["/channels-stats", { kind: "statistics" }],
    ["/sub/a/b", { kind: "subscriber", mode: "streaming" }],
    ["/ev/a", { kind: "subscriber", mode: "eventsource" }],
    ["/lp/a.b5", { kind: "subscriber", mode: "long-polling" }],
    ["/poll/a", { kind: "subscriber", mode: "polling" }],
    ["/ws/a", { kind: "subscriber", mode: "websocket" }],
    ["/elsewhere", undefined],
    ["/sub", undefined],
    ["/publish", undefined],
  ] as const)("%s is %p", (path, role) => {
    expect(at(path)?.role).toEqual(role);
  });

  test("values people rely on", () => {
    expect(config.listen).toEqual(["127.0.0.1:8080"]);
    expect(config.workers).toBe(Math.min(availableParallelism(), 64));
    expect(config.store.size).toBe(64 * 1024 * 1024);
    expect(config.messages).toMatchObject({ ttlSec: 1800, maxStoredBytesPerChannel: 16 * 1024 ** 2 });
    expect(config.limits).toMatchObject({
      maxBodyBytes: 1_048_576,
      maxChannelsCreatedPerAddress: 0,
      maxChannelIdLength: 256,
      maxChannelsPerRequest: 100,
      maxMessagesPerRequest: 1000,
    });
    expect(at("/pub")?.storeMessages).toBe(true);
    expect(at("/ev/a")).toMatchObject({
      eventIds: "auto",
      pingMessageIntervalMs: 15_000,
      messageTemplate: "~text~",
    });
    expect(at("/sub/a")).toMatchObject({
      eventIds: "off",
      pingMessageIntervalMs: 15_000,
      messageTemplate: "~text~\n",
    });
    expect(at("/ws/a")).toMatchObject({
      websocketAllowPublish: true,
      websocketCompression: false,
      websocketAllowSubscribe: true,
      websocketPublishChannel: null,
      storeMessages: true,
      pingMessageIntervalMs: 15_000,
    });
    expect(at("/lp/a")?.longpollingConnectionTtlMs).toBe(30_000);
  });
});

describe("defaults of a file", () => {
  test("an empty file has those of the module", () => {
    const config = configOf("");
    expect(config.locations).toEqual([]);
    expect(config.store).toEqual({
      size: 67_108_864,
      path: null,
      sync: "none",
      blockSize: 256,
      channels: 0,
      ringSize: 65_536,
      keys: 65_536,
      members: 4096,
      keep: true,
      zone: "push_stream_module",
    });
    expect(config.messages).toEqual({
      ttlSec: 1800,
      unstoredTtlSec: 10,
      maxStoredPerChannel: 0,
      maxStoredBytesPerChannel: 0,
      channelInactivitySec: 30,
      keyWindowSec: 300,
      channelDeletedText: "Channel deleted",
      pingText: " ",
      timeoutWithBody: false,
      wildcardChannelPrefix: "",
      eventsChannelId: "",
    });
    expect(config.limits).toEqual({
      maxBodyBytes: 1_048_576,
      maxFrameBytes: null,
      maxUnsentBytes: 262_144,
      maxSilenceMs: 120_000,
      maxConnections: 0,
      maxNumberOfChannels: 0,
      maxNumberOfWildcardChannels: 0,
      maxChannelsCreatedPerAddress: 0,
      maxChannelIdLength: 0,
      maxSubscribersPerChannel: 0,
      maxChannelsPerRequest: 100,
      maxMessagesPerRequest: 1000,
    });
    expect(config).toMatchObject({ shutdownTimeoutMs: 10_000, logLevel: "info" });
  });

  test("a location has those of the module", () => {
    const { locations } = configOf(
      '[[location]]\nmatch = "= /p"\npublisher = "normal"\nchannels_path = "$arg_id"',
    );
    expect(locations).toEqual([
      locationWith({
        match: "= /p",
        role: { kind: "publisher", admin: false },
        defaultType: "text/plain; charset=utf-8",
        nosniff: true,
        checkOrigin: true,
        maxBodyBytes: 1_048_576,
      }),
    ]);
  });

  const longPoll = (lines: string) =>
    configOf(`[[location]]\nmatch = "/"\nsubscriber = "long-polling"\nchannels_path = "$arg_id"\n${lines}`)
      .locations[0];

  test("a long poll waits as long as a connection may live, unless it says otherwise", () => {
    expect(longPoll('subscriber_connection_ttl = "1h"')?.longpollingConnectionTtlMs).toBe(3_600_000);
    const both = longPoll('subscriber_connection_ttl = "1h"\nlongpolling_connection_ttl = "500ms"');
    expect(both).toMatchObject({ subscriberConnectionTtlMs: 3_600_000, longpollingConnectionTtlMs: 500 });
  });

  test("a blank template of eventsource is the default one", () => {
    const text =
      '[[location]]\nmatch = "/"\nsubscriber = "eventsource"\nchannels_path = "a"\nmessage_template = ""';
    expect(configOf(text).locations[0]?.messageTemplate).toBe("~text~");
  });
});

describe("overrides", () => {
  test("win over the file", () => {
    const config = configOf("workers = 7", { listen: ["[::1]:81"], workers: "3" });
    expect(config).toMatchObject({ listen: ["[::1]:81"], workers: 3 });
    expect(configOf("workers = 7", { listen: "h:1" })).toMatchObject({ listen: ["h:1"], workers: 7 });
    expect(configOf("workers = 7", { workers: "auto" }).workers).toBe(Math.min(availableParallelism(), 64));
  });

  test("are checked like the file, and reported with it", () => {
    expect(faultsOf(undefined, { workers: "0", listen: ["x", "h:1"] })).toEqual([
      '--listen: listen[0] = "x": an address is "host:port", "[::1]:port" or "unix:/path".',
      "--workers: workers = 0: workers cannot be zero.",
    ]);
    expect(faultsOf(fileWith("wrkers = 1"), { workers: "x" })).toHaveLength(2);
  });
});

test("more workers than the store has room for are refused, although the file alone is fine", () => {
  const file = fileWith('workers = 1\n[store]\nsize = "128KiB"');
  expect(faultsOf(file)).toEqual([]);
  const [fault, ...others] = faultsOf(file, { workers: 256 });
  expect(fault).toStartWith(
    "--workers: store.size = 131072: size is too small for its ring, channels and workers",
  );
  expect(others).toEqual([]);
});

describe("files that cannot be read are one fault", () => {
  test("missing", () => {
    expect(faultsOf(join(folder, "none.toml"))).toEqual([
      "/none.toml: cannot be read: no such file or directory.",
    ]);
  });

  test("a folder", () => {
    expect(faultsOf(folder)).toEqual([": cannot be read: illegal operation on a directory."]);
  });

  test("not UTF-8", () => {
    const [fault] = faultsOf(fileWith(new Uint8Array([0x61, 0x3d, 0x22, 0xff, 0x22])));
    expect(fault).toEndWith("cannot be read: it is not UTF-8 text.");
  });
});
