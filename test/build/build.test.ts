/**
 * The build itself: one file that needs nothing beside it, the same bytes each time, for other machines as
 * well.
 */
import { afterAll, expect, test } from "bun:test";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { writeChecksum } from "../../scripts/checksum.ts";
import { compile, root } from "../../scripts/compile.ts";
import { makePackage } from "../../scripts/package.ts";
import { fetchRuntime } from "../../scripts/runtimes.ts";
import { binary, freePort, until } from "../binary/running-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-build-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hash = (path: string): string =>
  new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
const SLOW = 120_000;

/** A checkout of the same source elsewhere. */
function copyOf(checkout: string, place: string): string {
  mkdirSync(place, { recursive: true });
  for (const name of ["src", "systemd", "scripts", "package.json", "tsconfig.json", "bun.lock"])
    cpSync(join(checkout, name), join(place, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(place, "node_modules"));
  return place;
}

function buildIn(checkout: string, file: string): boolean {
  const [script, target] = [join(checkout, "scripts/compile.ts"), file].map((path) => JSON.stringify(path));
  const code =
    `const { compile } = await import(${script}); ` +
    `process.exit(compile("0123456789ab", ${target}) ? 0 : 1)`;
  return Bun.spawnSync([process.execPath, "-e", code]).success;
}

test(
  "two builds of one commit are the same bytes, in another place and under another name as well",
  () => {
    const one = copyOf(root, join(folder, "one"));
    const two = copyOf(one, join(folder, "a longer path to the second checkout"));
    expect(buildIn(one, join(folder, "built", "sluice"))).toBeTrue();
    expect(buildIn(two, join(folder, "built", "under-another-name"))).toBeTrue();
    expect(hash(join(folder, "built", "under-another-name"))).toBe(hash(join(folder, "built", "sluice")));
    expect(readdirSync(join(folder, "built")).sort()).toEqual(["sluice", "under-another-name"]);
  },
  SLOW,
);

test("version --json tells version, commit, runtime and store layout", () => {
  const run = Bun.spawnSync([binary, "version", "--json"]);
  expect(JSON.parse(run.stdout.toString())).toEqual({
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    commit: expect.stringMatching(/^[0-9a-f]{12}$|^unknown$/),
    bun: Bun.version,
    store_layout: expect.any(Number),
  });
});

test("the checksum file is one that sha256sum takes", () => {
  const file = join(folder, "summed");
  cpSync(join(root, "package.json"), file);
  writeChecksum(file);
  expect(Bun.spawnSync(["sha256sum", "--check", "--quiet", "summed.sha256"], { cwd: folder }).exitCode).toBe(
    0,
  );
});

/** The C library and the loader, as `ldd` names them, /proc, /dev/null and /tmp, and nothing else. */
function emptyRoot(): string {
  const place = join(folder, "root");
  const libraries = Bun.spawnSync(["ldd", binary])
    .stdout.toString()
    .matchAll(/(\/\S+) \(0x/g);
  for (const [, path = ""] of libraries) {
    mkdirSync(dirname(join(place, path)), { recursive: true });
    cpSync(path, join(place, path), { dereference: true });
  }
  for (const name of ["proc", "dev", "tmp"]) mkdirSync(join(place, name));
  writeFileSync(join(place, "dev", "null"), "");
  cpSync(binary, join(place, "sluice"));
  return place;
}

/**
 * Starts sluice there, with namespaces of mounts and processes of its own: the runtime ends without /proc and
 * starts no process without /dev/null (seen on Bun 1.4.4), and nothing is left when the first process is
 * killed.
 */
const startIn = (place: string, args: string) =>
  Bun.spawn(
    [
      ...["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c"],
      `mount -t proc proc "$0/proc" && mount --bind /dev/null "$0/dev/null" && exec env -i "$(command ` +
        `-v chroot)" "$0" /sluice ${args}`,
      place,
    ],
    { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  );

const mayUnshare =
  Bun.which("unshare") !== null && Bun.spawnSync(["unshare", "--mount", "--pid", "--fork", "true"]).success;
if (!mayUnshare)
  console.warn("the test in an empty root is skipped: it needs root, and unshare of util-linux");

test.skipIf(!mayUnshare)(
  "it serves in a root folder with the C library and nothing else",
  async () => {
    const place = emptyRoot();
    const port = freePort();
    const child = startIn(place, `serve --listen 127.0.0.1:${port} --workers 2`);
    const url = `http://127.0.0.1:${port}`;
    const isReady = () =>
      fetch(`${url}/health/ready`).then(
        (answer) => answer.ok,
        () => child.exitCode !== null,
      );
    try {
      await until("it serves", isReady);
      const answer = await fetch(`${url}/pub?id=a`, { method: "POST", body: "hello" });
      expect({ status: answer.status, ended: child.exitCode }).toEqual({ status: 200, ended: null });
    } finally {
      child.kill("SIGKILL");
      await child.exited;
    }
  },
  SLOW,
);

test("it runs in an empty folder with an empty environment, and writes nothing there", async () => {
  const place = join(folder, "empty");
  mkdirSync(place);
  const run = Bun.spawnSync([binary, "defaults"], { cwd: place, env: {} });
  expect({ code: run.exitCode, isLong: run.stdout.length > 1000 }).toEqual({ code: 0, isLong: true });
  expect(readdirSync(place)).toEqual([]);
});

test(
  "builds for arm64 with the runtime from the registry, whose hash bun.lock pins",
  () => {
    let runtime: ReturnType<typeof fetchRuntime>;
    try {
      runtime = fetchRuntime("linux-arm64");
    } catch (error) {
      console.warn(`no build for arm64: ${(error as Error).message}`);
      return;
    }
    const file = join(folder, "sluice-arm64");
    expect(compile("0123456789ab", file, runtime)).toBeTrue();
    // ELF, 64 bits; e_machine 183 is AArch64.
    const head = readFileSync(file).subarray(0, 20);
    expect([head.toString("latin1", 0, 4), head[4], head.readUInt16LE(18)]).toEqual(["\x7fELF", 2, 183]);
  },
  SLOW,
);

test("an unknown target is refused with the list of those there are", () => {
  expect(() => fetchRuntime("plan9-x64")).toThrow("linux-x64, linux-x64-musl, linux-arm64, linux-arm64-musl");
});

test.skipIf(Bun.which("dpkg-deb") === null)(
  "the Debian package: the same bytes each time, the configuration a conffile",
  () => {
    const small = join(folder, "small");
    cpSync(join(root, "package.json"), small); // stands for the binary, which would only take time
    const request = { binary: small, architecture: "amd64", version: "1.2.3", compress: false };
    const first = makePackage({ ...request, folder: join(folder, "deb-1") });
    const second = makePackage({ ...request, folder: join(folder, "deb-2") });
    expect(hash(first)).toBe(hash(second));
    expect(existsSync(`${first}.sha256`)).toBeTrue();
    const control = Bun.spawnSync(["dpkg-deb", "--info", first, "conffiles"]).stdout.toString();
    expect(control).toBe("/etc/sluice/sluice.toml\n");
    const content = Bun.spawnSync(["dpkg-deb", "--contents", first]).stdout.toString();
    for (const path of [
      "usr/bin/sluice",
      "usr/lib/systemd/system/sluice@.service",
      "usr/share/man/man5/sluice.toml.5.gz",
    ])
      expect(content).toMatch(new RegExp(`root/root .* \\./${path}$`, "m"));
  },
);
