/**
 * `sluice install` and `uninstall` below a prefix: what is laid down, what is left alone, what is taken away.
 * On systemd itself: test/systemd.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CommandFailure } from "../../src/cli/failure.ts";
import { type InstallRequest, planInstall } from "../../src/cli/install-plan.ts";
import { Place } from "../../src/cli/installation-place.ts";
import { carryOut, describeSteps, type Step } from "../../src/cli/installation-steps.ts";
import { DEFAULT_CONFIG } from "../../src/cli/installed-files.ts";
import { planUninstall } from "../../src/cli/uninstall-plan.ts";
import { runSluice } from "./run-sluice.ts";

let place: Place;
let program: string;

beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-install-"));
  program = join(folder, "built");
  writeFileSync(program, "version one");
  place = new Place(join(folder, "tree"));
});
afterEach(() => rmSync(dirname(place.prefix), { recursive: true, force: true }));

/** Without commands: they would need a systemd. */
function perform(steps: readonly Step[]): string[] {
  const lines: string[] = [];
  carryOut(
    steps.filter((step) => step.kind !== "run"),
    (line) => lines.push(line.replaceAll(place.prefix, "")),
  );
  return lines;
}

const install = (request: Partial<InstallRequest> = {}): string[] =>
  perform(planInstall(place, { binary: program, start: true, sysctl: false, ...request }));
const uninstall = (purge = false): string[] => perform(planUninstall(place, purge));
const read = (path: string): string => readFileSync(place.path(path), "utf8");
const put = (path: string, text: string): void => {
  mkdirSync(dirname(place.path(path)), { recursive: true });
  writeFileSync(place.path(path), text);
};
const files = (): string[] =>
  readdirSync(place.prefix, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(place.prefix, path)).isFile())
    .sort();

const INSTALLED = [
  "etc/sluice/sluice.toml",
  "etc/systemd/system/sluice.service",
  "etc/systemd/system/sluice@.service",
  "etc/sysusers.d/sluice.conf",
  "etc/tmpfiles.d/sluice.conf",
  "usr/local/bin/sluice",
  "usr/local/share/man/man1/sluice.1",
  "usr/local/share/man/man5/sluice.toml.5",
];

describe("install", () => {
  test("lays down the program, units, user, folders and the configuration", () => {
    install();
    expect(files()).toEqual(INSTALLED);
    expect(read("/usr/local/bin/sluice")).toBe("version one");
    expect(statSync(place.path("/usr/local/bin/sluice")).mode & 0o7777).toBe(0o755);
    expect(read("/etc/sluice/sluice.toml")).toBe(DEFAULT_CONFIG);
  });

  test("the units start the program where it was put", () => {
    install();
    for (const unit of ["sluice.service", "sluice@.service"]) {
      expect(read(`/etc/systemd/system/${unit}`)).toContain("ExecStart=/usr/local/bin/sluice serve");
      expect(read(`/etc/systemd/system/${unit}`)).not.toContain("/usr/bin/sluice");
    }
  });

  test("the manual pages that the units name are there", () => {
    install();
    const [, named = ""] = /^Documentation=(.*)$/m.exec(read("/etc/systemd/system/sluice.service")) ?? [];
    const pages = [...named.matchAll(/man:([\w.]+)\((\d)\)/g)];
    expect(pages.length).toBeGreaterThan(1);
    for (const [, name = "", section = ""] of pages)
      expect(read(`/usr/local/share/man/man${section}/${name}.${section}`)).toStartWith(".TH SLUICE");
  });

  test("a second time changes nothing", () => {
    install();
    const before = files().map((path) => statSync(join(place.prefix, path)).ino);
    expect(install().filter((line) => line.startsWith("write"))).toEqual([]);
    expect(files().map((path) => statSync(join(place.prefix, path)).ino)).toEqual(before);
  });

  test("a newer program takes the place of one that runs, which keeps its file", () => {
    install();
    const running = openSync(place.path("/usr/local/bin/sluice"), "r");
    writeFileSync(program, "version two");
    expect(install()).toEqual([
      "write   /usr/local/bin/sluice  (mode 0755, 11 bytes)",
      "keep    /etc/sluice/sluice.toml  (it is there already)",
    ]);
    const bytes = Buffer.alloc(11);
    readSync(running, bytes);
    closeSync(running);
    expect([bytes.toString(), read("/usr/local/bin/sluice")]).toEqual(["version one", "version two"]);
  });

  test("an edited configuration is never touched; the default lies beside it", () => {
    put("/etc/sluice/sluice.toml", "workers = 1\n");
    install();
    expect(read("/etc/sluice/sluice.toml")).toBe("workers = 1\n");
    expect(read("/etc/sluice/sluice.toml.new")).toBe(DEFAULT_CONFIG);
  });

  test("a configuration that was given is for a machine without one", () => {
    install({ config: "workers = 3\n" });
    expect(read("/etc/sluice/sluice.toml")).toBe("workers = 3\n");
    install({ config: "workers = 4\n" });
    expect(read("/etc/sluice/sluice.toml")).toBe("workers = 3\n");
    expect(read("/etc/sluice/sluice.toml.new")).toBe("workers = 4\n");
  });

  test("a link in the place of the program is replaced, not written through", () => {
    put("/usr/local/bin/other", "other");
    symlinkSync("other", place.path("/usr/local/bin/sluice"));
    install();
    expect([read("/usr/local/bin/other"), read("/usr/local/bin/sluice")]).toEqual(["other", "version one"]);
  });

  test("a file with a wrong mode is written again", () => {
    install();
    chmodSync(place.path("/usr/local/bin/sluice"), 0o644);
    expect(install()[0]).toStartWith("write   /usr/local/bin/sluice");
  });

  test("what cannot be written is one sentence, and nothing unfinished is left", () => {
    put("/usr/local/bin/sluice/folder", "in the way");
    expect(() => install()).toThrow(CommandFailure);
    expect(files().filter((path) => path.includes("unfinished"))).toEqual([]);
  });

  test("kernel settings only when asked for", () => {
    install({ sysctl: true });
    expect(read("/etc/sysctl.d/60-sluice.conf")).toContain("net.core.somaxconn");
  });

  test("on a machine: the user before the service, the service last; a restart only for a change", () => {
    const machine = new Place("");
    const shown = describeSteps(planInstall(machine, { binary: program, start: true, sysctl: false }), false);
    const commands = shown.split("\n").filter((line) => line.startsWith("run"));
    expect(commands.slice(0, 5)).toEqual([
      "run     systemd-sysusers /etc/sysusers.d/sluice.conf",
      "run     systemd-tmpfiles --create /etc/tmpfiles.d/sluice.conf",
      "run     systemctl daemon-reload",
      "run     systemctl enable sluice.service",
      expect.stringMatching(/^run {5}systemctl (?:re)?start sluice\.service$/),
    ]);
    const unstarted = describeSteps(
      planInstall(machine, { binary: program, start: false, sysctl: false }),
      false,
    );
    expect(unstarted).not.toMatch(/start sluice/);
  });
});

describe("uninstall", () => {
  test("takes everything away that was laid down", () => {
    install({ sysctl: true });
    uninstall();
    expect(files()).toEqual([]);
    expect(place.exists("/etc/sluice")).toBeFalse();
  });

  test("keeps what is somebody's: edited configuration, drop-ins, instances, messages, logs", () => {
    const data = [
      "etc/default/sluice",
      "etc/sluice/blue.toml",
      "etc/sluice/sluice.toml",
      "etc/systemd/system/sluice.service.d/override.conf",
      "var/lib/sluice/store",
      "var/log/sluice/error.log",
    ];
    for (const path of data) put(`/${path}`, "mine");
    install();
    expect(uninstall().filter((line) => line.startsWith("keep"))).toHaveLength(data.length);
    expect(files()).toEqual(data);
    uninstall(true);
    expect(files()).toEqual([]);
  });

  test("leaves others alone whose names begin alike", () => {
    const others = [
      "etc/default/sluicegate",
      "etc/systemd/system/sluicegate.service",
      "var/lib/sluicegate/data",
    ];
    for (const path of others) put(`/${path}`, "theirs");
    install();
    uninstall(true);
    expect(files()).toEqual(others);
  });

  test("links of enabled instances go", () => {
    install();
    const wants = "/etc/systemd/system/multi-user.target.wants";
    put(`${wants}/other.service`, "");
    symlinkSync("../sluice@.service", place.path(`${wants}/sluice@blue.service`));
    uninstall();
    expect(files()).toEqual([`${wants.slice(1)}/other.service`]);
    expect(place.exists(`${wants}/sluice@blue.service`)).toBeFalse();
  });

  test("where nothing is installed, it does nothing", () => {
    mkdirSync(place.prefix, { recursive: true });
    uninstall(true);
    expect(files()).toEqual([]);
  });
});

describe("the command", () => {
  test("--dry-run shows files, modes, sizes and commands, and changes nothing", async () => {
    const { code, out } = await runSluice(["install", "--dry-run", "--prefix", place.prefix]);
    expect(code).toBe(0);
    expect(out.replaceAll(place.prefix, "")).toContain(
      "write   /etc/systemd/system/sluice.service  (mode 0644, ",
    );
    expect(place.exists("/")).toBeFalse();
  });

  test("--contents shows the texts, too", async () => {
    const { out } = await runSluice(["install", "--dry-run", "--contents", "--prefix", place.prefix]);
    expect(out).toContain("        | ExecStart=/usr/local/bin/sluice serve");
  });

  test("a faulty configuration is refused before anything is done", async () => {
    put("/bad.toml", "wokers = 2\n");
    const { code, err } = await runSluice([
      "install",
      "--prefix",
      place.prefix,
      "--config",
      place.path("/bad.toml"),
    ]);
    expect(code).toBe(2);
    expect(err).toContain("wokers");
    expect(files()).toEqual(["bad.toml"]);
  });

  test("an nginx.conf is not copied without what it includes: it is to be converted", async () => {
    put(
      "/nginx.conf",
      "events {}\nhttp { push_stream_shared_memory_size 32m; server { listen 8080; " +
        "location /pub { push_stream_publisher; push_stream_channels_path $arg_id; } } }\n",
    );
    const { code, err } = await runSluice(["install", "--dry-run", "--config", place.path("/nginx.conf")]);
    expect(code).toBe(2);
    expect(err).toContain("sluice convert");
  });

  test.skipIf(process.env["SLUICE_BINARY"] !== undefined)("from source it says what to do", async () => {
    const { code, err } = await runSluice(["install", "--prefix", place.prefix]);
    expect(code).toBe(2);
    expect(err).toContain("bun run build");
  });

  test("a Debian package is not meddled with", async () => {
    put("/var/lib/dpkg/info/sluice.list", "/usr/bin/sluice\n");
    const { code, err } = await runSluice(["uninstall", "--prefix", place.prefix]);
    expect(code).toBe(1);
    expect(err).toContain("Debian package");
  });
});
