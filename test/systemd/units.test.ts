/**
 * The unit files as text: what systemd thinks of them, and that the two of them and the configuration stay in
 * step. Needs no root.
 */
import { expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";

const folder = join(import.meta.dir, "../../systemd");
const read = (name: string): string => readFileSync(join(folder, name), "utf8");
const hasAnalyze = Bun.which("systemd-analyze") !== null;
if (!hasAnalyze) console.warn("checks by systemd-analyze skipped: it is missing; apt-get install systemd");

const MOST_EXPOSED = 1.3;
const UNITS = ["sluice.service", "sluice@.service"];

test.skipIf(!hasAnalyze).each(UNITS)("%s: systemd-analyze verify has nothing to say", (name) => {
  // The program has to exist for it, so its path is replaced by one that does.
  const place = mkdtempSync(join(tmpdir(), "sluice-units-"));
  try {
    for (const unit of UNITS)
      writeFileSync(join(place, unit), read(unit).replaceAll("/usr/bin/sluice", process.execPath));
    const shown = join(place, name.replace("@", "@blue"));
    const run = Bun.spawnSync(["systemd-analyze", "--man=no", "verify", shown], { stderr: "pipe" });
    // Other units of this machine are none of our business.
    const said = run.stderr
      .toString()
      .split("\n")
      .filter((line) => line.includes("sluice"));
    expect(said).toEqual([]);
  } finally {
    rmSync(place, { recursive: true });
  }
});

test.skipIf(!hasAnalyze).each(UNITS)(`%s: exposed at most ${MOST_EXPOSED}`, (name) => {
  const run = Bun.spawnSync([
    "systemd-analyze",
    "security",
    "--offline=true",
    "--no-pager",
    join(folder, name),
  ]);
  const exposure = Number(/exposure level for \S+: ([0-9.]+)/.exec(run.stdout.toString())?.[1]);
  expect(exposure).toBeLessThanOrEqual(MOST_EXPOSED);
});

test("nothing that takes the engine's compiler away", () => {
  for (const name of UNITS) {
    expect(read(name)).not.toMatch(/^(?:MemoryDenyWriteExecute|LimitAS|LimitDATA|LimitNPROC)=/m);
  }
});

test("the two units differ in names alone", () => {
  const directives = (text: string): string[] => text.split("\n").filter((line) => !line.startsWith("#"));
  const expected = read("sluice.service")
    .replace("Description=sluice push server", "Description=sluice push server (%i)")
    .replace("SLUICE_CONFIG=/etc/sluice/sluice.toml", "SLUICE_CONFIG=/etc/sluice/%i.toml")
    .replace("/etc/default/sluice", "/etc/default/sluice-%i")
    .replace("RuntimeDirectory=sluice", "RuntimeDirectory=sluice@%i")
    .replace("StateDirectory=sluice", "StateDirectory=sluice/%i")
    .replace("LogsDirectory=sluice", "LogsDirectory=sluice/%i");
  expect(directives(read("sluice@.service"))).toEqual(directives(expected));
});

test("the stop limit is longer than the drain of the configuration that comes along", () => {
  const outcome = loadConfig({ file: join(folder, "sluice.toml") });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
  const stopSec = Number(/^TimeoutStopSec=(\d+)$/m.exec(read("sluice.service"))?.[1]);
  expect(stopSec * 1000).toBeGreaterThan(outcome.config.shutdownTimeoutMs + 5000);
});

/** JSONP, the forever iframe, Motion JPEG, the client of old, four handlers and the pages themselves. */
const EXAMPLE_LOCATIONS = 9;

test("the service's configuration means what the embedded default does, less the examples", () => {
  const service = loadConfig({ file: join(folder, "sluice.toml") });
  const embedded = loadConfig({});
  if (!service.ok || !embedded.ok) throw new Error("faulty");
  const { locations, servers, ...rest } = embedded.config;
  const kept = locations.slice(0, -EXAMPLE_LOCATIONS);
  expect(service.config).toEqual({
    ...rest,
    locations: kept,
    servers: servers.map((server) => ({
      ...server,
      locations: kept.map((_, index) => ({ index, inner: [] })),
    })),
  });
  expect(locations.slice(-EXAMPLE_LOCATIONS).map(({ match }) => match)).toEqual([
    "~ ^/jsonp/(.*)$",
    "~ ^/iframe/(.*)$",
    "~ ^/mjpeg/(.*)$",
    "= /pushstream.js",
    "= /examples/lines/stream",
    "= /examples/echo/socket",
    "~ ^/examples/answer/stream/(.*)$",
    "= /examples/upload/file",
    "/examples/",
  ]);
});

test.skipIf(Bun.which("systemd-sysusers") === null || Bun.which("systemd-tmpfiles") === null)(
  "sysusers and tmpfiles take their files",
  () => {
    const root = mkdtempSync(join(tmpdir(), "sluice-users-"));
    try {
      for (const [from, to] of [
        ["sluice.sysusers", "usr/lib/sysusers.d/sluice.conf"],
        ["sluice.tmpfiles", "usr/lib/tmpfiles.d/sluice.conf"],
      ] as const) {
        mkdirSync(join(root, to, ".."), { recursive: true });
        cpSync(join(folder, from), join(root, to));
      }
      const users = Bun.spawnSync(["systemd-sysusers", "--dry-run", `--root=${root}`, "sluice.conf"], {
        stderr: "pipe",
      });
      expect({ code: users.exitCode, err: users.stderr.toString() }).toMatchObject({ code: 0 });
      expect(users.stderr.toString() + users.stdout.toString()).not.toMatch(/fail|invalid|bad/i);
    } finally {
      rmSync(root, { recursive: true });
    }
  },
);

test("every kernel setting has its reason", () => {
  const settings = read("sluice.sysctl").matchAll(/^([\w.]+) = .+$/gm);
  let count = 0;
  for (const [line, name = ""] of settings) {
    count++;
    const before = read("sluice.sysctl").split(line)[0] ?? "";
    const block = before.slice(before.lastIndexOf("\n\n") + 2);
    expect(block, `${name} has no reason`).toContain("# ");
  }
  expect(count).toBeGreaterThanOrEqual(8);
});
