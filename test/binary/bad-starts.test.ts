/**
 * Starts that cannot be, or find something odd in their place (promise P8), on the compiled binary: one clear
 * sentence and an exit status, or a new store beside the file that was no store. A file that is not ours is
 * never deleted.
 */
import { afterEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary, freePort, layout, type RunningServer, startServer } from "./running-server.ts";

const STORE_BYTES = 1024 * 1024;
const NOBODY = 65_534;

let folder = "";
let servers: RunningServer[] = [];
const undo: (() => void)[] = [];

function makeFolder(): string {
  folder = mkdtempSync(join(tmpdir(), "sluice-start-"));
  chmodSync(folder, 0o755);
  return folder;
}

afterEach(async () => {
  for (const server of servers) await server.stop();
  servers = [];
  for (const step of undo.splice(0)) step();
  if (folder !== "") rmSync(folder, { recursive: true, force: true });
  folder = "";
});

async function serve(toml: string): Promise<RunningServer> {
  const server = await startServer({ toml });
  servers.push(server);
  return server;
}

const withStore = (path: string): string => layout(`[store]\nsize = ${STORE_BYTES}\npath = "${path}"`);

/** Runs it to its end, which has to come by itself. */
async function startInVain(
  args: readonly string[],
  { env = {}, uid }: { env?: Record<string, string>; uid?: number } = {},
): Promise<{ code: number; log: string }> {
  const asOther = uid === undefined ? [] : ["setpriv", `--reuid=${uid}`, "--clear-groups"];
  const child = Bun.spawn([...asOther, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, RUNTIME_DIRECTORY: folder, ...env },
    timeout: 15_000,
  });
  const log = await child.stderr.text();
  return { code: await child.exited, log };
}

const listen = (): string[] => ["--listen", `127.0.0.1:${freePort()}`];

function configFile(toml: string): string {
  const path = join(folder, "sluice.toml");
  writeFileSync(path, toml);
  return path;
}

describe("a file in the store's place that is no store of ours", () => {
  const contents: readonly [string, (path: string) => void, string][] = [
    [
      "garbage",
      (path) => writeFileSync(path, crypto.getRandomValues(new Uint8Array(65_536))),
      "is not a sluice store",
    ],
    ["an empty file", (path) => writeFileSync(path, ""), "has only 0 bytes"],
    ["three bytes", (path) => writeFileSync(path, "abc"), "has only 3 bytes"],
  ];
  test.each(contents)("%s: set aside, said, served from a new one", async (_name, make, reason) => {
    const path = join(makeFolder(), "store");
    make(path);
    const before = readFileSync(path);
    const server = await serve(withStore(path));
    expect((await server.publish("a", "hello")).status).toBe(200);
    expect(server.log).toContain("store_state=replaced");
    expect(server.log).toContain(`store replaced: the file there ${reason}`);
    const aside = readdirSync(folder).filter((name) => name.startsWith("store.aside-"));
    expect(aside).toHaveLength(1);
    expect(readFileSync(join(folder, aside[0] ?? "")).equals(before)).toBeTrue();
  });

  const damages: readonly [string, (path: string) => void, RegExp][] = [
    ["cut short", (path) => truncateSync(path, STORE_BYTES / 2), /has 524288 bytes instead of 1048576/],
    [
      "of another layout version",
      (path) => writeAt(path, 8, 0xff),
      /has layout version \d+, this program uses \d+/,
    ],
  ];
  test.each(damages)("a store %s: set aside, said, served from a new one", async (_name, damage, reason) => {
    const path = join(makeFolder(), "store");
    const first = await serve(withStore(path));
    await first.publish("a", "old");
    await first.stop();
    damage(path);
    const server = await serve(withStore(path));
    expect(server.log).toMatch(reason);
    expect((await server.request("/channels-stats?id=a")).status).toBe(404);
    expect((await server.publish("a", "new")).status).toBe(200);
    expect(readdirSync(folder).filter((name) => name.startsWith("store.aside-"))).toHaveLength(1);
  });
});

function writeAt(path: string, offset: number, byte: number): void {
  const bytes = readFileSync(path);
  bytes[offset] = byte;
  writeFileSync(path, bytes);
}

describe("no place for the store: one sentence, exit 1", () => {
  test("a folder that does not exist", async () => {
    makeFolder();
    const path = join(folder, "no/such/store");
    const { code, log } = await startInVain([
      binary,
      "serve",
      ...listen(),
      "--config",
      configFile(withStore(path)),
    ]);
    expect(log).toBe(`sluice: store.path: ${path}: the folder ${join(folder, "no/such")} does not exist\n`);
    expect(code).toBe(1);
  });

  test("a folder where the file should be", async () => {
    const path = makeFolder();
    const { code, log } = await startInVain([
      binary,
      "serve",
      ...listen(),
      "--config",
      configFile(withStore(path)),
    ]);
    expect(log).toBe(`sluice: store.path: ${path} is a folder; a file is needed\n`);
    expect(code).toBe(1);
  });

  const isRoot = process.getuid?.() === 0;
  test.skipIf(!isRoot || Bun.which("setpriv") === null)(
    "a folder that may not be written (needs root, to be somebody else)",
    async () => {
      makeFolder();
      // A copy that others may run, whatever folder the project lies in.
      const program = join(folder, "sluice");
      writeFileSync(program, readFileSync(binary), { mode: 0o755 });
      const locked = join(folder, "locked");
      mkdirSync(locked, { mode: 0o755 });
      const { code, log } = await startInVain([program, "serve", ...listen()], {
        uid: NOBODY,
        env: { RUNTIME_DIRECTORY: locked },
      });
      expect(log).toMatch(/^sluice: store: cannot open \S+\.lock: .*permission denied.*\n$/);
      expect(code).toBe(1);
    },
  );

  test.skipIf(!isRoot)("a file system with less room than the store (needs root, to mount one)", async () => {
    makeFolder();
    const small = join(folder, "small");
    mkdirSync(small);
    const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", small]);
    if (!mounted.success) return; // a container without the right to mount
    undo.push(() => void Bun.spawnSync(["umount", small]));
    const path = join(small, "store");
    const { code, log } = await startInVain([
      binary,
      "serve",
      ...listen(),
      "--config",
      configFile(withStore(path)),
    ]);
    expect(log).toEndWith(
      `sluice: store: cannot create the store ${path} of ${STORE_BYTES} bytes: ` +
        "there is not enough memory or disk space for it\n",
    );
    expect(code).toBe(1);
    expect(readdirSync(small)).toEqual(["store.lock"]);
  });
});

test.skipIf(process.getuid?.() !== 0)(
  "somebody else's folder in /dev/shm kept sluice from starting: the next one is taken",
  async () => {
    const temporary = makeFolder();
    const own = `sluice-${process.getuid?.()}`;
    // A /dev/shm of its own, where somebody was first.
    const squat =
      `mount -t tmpfs none /dev/shm && mkdir /dev/shm/${own} && chown ${NOBODY} ` +
      `/dev/shm/${own} && exec "$@"`;
    const through = ["unshare", "--mount", "sh", "-c", squat, "sh"];
    // a container without the right to mount
    if (!Bun.spawnSync([...through, "true"], { stderr: "ignore" }).success) return;
    const server = await startServer({
      toml: layout(),
      through,
      env: { RUNTIME_DIRECTORY: "", TMPDIR: temporary },
    });
    servers.push(server);
    const [line = ""] = server.log.split("\n").filter((text) => text.includes(" warn "));
    expect(line).toContain(
      `the store goes to ${temporary}/${own}: /dev/shm/${own} is not a private folder of this user`,
    );
    expect((await server.publish("news", "hello")).status).toBe(200);
  },
);

describe("somebody is there already: one sentence, exit 1, and the one who was there serves on", () => {
  test("another sluice on the same store", async () => {
    const path = join(makeFolder(), "store");
    const first = await serve(withStore(path));
    await first.publish("a", "mine");
    const { code, log } = await startInVain([
      binary,
      "serve",
      ...listen(),
      "--config",
      configFile(withStore(path)),
    ]);
    expect(log).toBe(
      `sluice: store: another sluice (pid ${first.process.pid}) is using ${path}; ` +
        "stop it, or give this one another listen address or store.path\n",
    );
    expect(code).toBe(1);
    expect(await first.statistics("a")).toMatchObject({ stored_messages: 1 });
  });

  test("another sluice on the same port: no sharing of it in silence", async () => {
    makeFolder();
    const first = await serve(layout());
    const { code, log } = await startInVain([binary, "serve", "--listen", `127.0.0.1:${first.port}`]);
    expect(log).toBe(`sluice: listen: 127.0.0.1:${first.port} is in use\n`);
    expect(code).toBe(1);
    for (let i = 0; i < 10; i++) expect((await first.request("/health/ready")).status).toBe(200);
  });
});

describe("configurations", () => {
  const TEN_FAULTS = `listen = ["127.0.0.1:999999"]
workers = "many"
log_level = "loud"
colour = "blue"
[store]
size = "1 potato"
ring_size = 1000
[limits]
max_body_size = -1
max_connections = "lots"
[[location]]
match = "~ ^/sub/((.*$"
subscriber = "streaming"
channels_path = "$1"
[[location]]
match = "= /pub"
publisher = "boss"
channels_path = "$arg_id"
`;
  const PLACES = [
    "1: listen[0]",
    "2: workers",
    "3: log_level",
    "4: colour",
    "6: store.size",
    "7: store.ring_size",
    "9: limits.max_body_size",
    "10: limits.max_connections",
    "12: location[0].match",
    "17: location[1].publisher",
  ];

  test("ten faults: all ten with line and name, exit 2", async () => {
    makeFolder();
    const path = configFile(TEN_FAULTS);
    const { code, log } = await startInVain([binary, "serve", "--config", path]);
    const lines = log.trimEnd().split("\n");
    expect(lines).toHaveLength(PLACES.length);
    PLACES.forEach((place, i) => {
      expect(lines[i]).toStartWith(`sluice: ${path}:${place} = `);
    });
    expect(code).toBe(2);
  });

  const unreadable: readonly [string, (path: string) => void][] = [
    ["random bytes", (path) => writeFileSync(path, crypto.getRandomValues(new Uint8Array(65_536)))],
    ["a folder", (path) => mkdirSync(path)],
    ["half a string", (path) => writeFileSync(path, 'listen = ["127.0')],
  ];
  test.each(unreadable)("%s: one sentence, exit 2", async (_name, make) => {
    const path = join(makeFolder(), "odd.toml");
    make(path);
    const { code, log } = await startInVain([binary, "serve", "--config", path]);
    expect(log).toMatch(/^sluice: \S*odd\.toml:.*\n$/);
    expect(code).toBe(2);
  });

  test("/dev/null is an empty configuration: no locations, health and metrics", async () => {
    const empty = await startServer({ args: ["--config", "/dev/null"] });
    servers.push(empty);
    expect((await empty.request("/health/ready")).status).toBe(200);
    expect((await empty.request("/metrics")).status).toBe(200);
    expect((await empty.request("/pub?id=a", { method: "POST", body: "x" })).status).toBe(404);
  });
});
