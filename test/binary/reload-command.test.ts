/**
 * `sluice reload` against real mains: it comes back when the new configuration is in force, or says why it is
 * not, and signals nobody else.
 */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binary, layout, type RunningServer, startServer, until, withSmallStore } from "./running-server.ts";

setDefaultTimeout(40_000);

let server: RunningServer;
beforeEach(async () => {
  server = await startServer({ toml: config("first") });
});
afterEach(async () => {
  await server.stop();
});

const config = (text: string): string =>
  layout(`channel_deleted_message_text = "${text}"\nlog_level = "debug"`);

async function reload(args: readonly string[], env: Record<string, string> = {}) {
  const run = Bun.spawn([binary, "reload", ...args], {
    env: { ...process.env, RUNTIME_DIRECTORY: server.folder, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err, code] = await Promise.all([
    new Response(run.stdout).text(),
    new Response(run.stderr).text(),
    run.exited,
  ]);
  return { out, err, code };
}

const pid = (): string => String(server.process.pid);
const reloads = (): number => server.log.match(/reloaded generation=/g)?.length ?? 0;

describe("a reload that goes well", () => {
  test.each([
    ["by pid", () => ["--pid", pid()], {}],
    ["by itself, with the folder of the service", () => [], {}],
    ["by pid, from outside of the service", () => ["--pid", pid()], { RUNTIME_DIRECTORY: "" }],
  ])("%s: silent, 0, and through when the command ends", async (_how, args, env) => {
    writeFileSync(server.configFile, withSmallStore(config("second")));
    expect(await reload(args(), env)).toEqual({ out: "", err: "", code: 0 });
    await until("the line in the log", () => reloads() === 1);
  });

  test("by itself, while another of the same user serves somewhere else", async () => {
    const other = await startServer({ toml: config("other") });
    try {
      // Where those without a folder of a service have their notices, below the temp folder.
      const home = join(other.folder, `sluice-${process.getuid?.()}`);
      mkdirSync(home, { mode: 0o700 });
      const name = `main-${other.process.pid}.json`;
      copyFileSync(join(other.folder, name), join(home, name));
      expect(await reload([], { TMPDIR: other.folder })).toEqual({ out: "", err: "", code: 0 });
      await until("the line in the log", () => reloads() === 1);
      expect(other.log).not.toContain("reloaded generation=");
    } finally {
      await other.stop();
    }
  });

  test("by pid file", async () => {
    const file = join(server.folder, "sluice.pid");
    writeFileSync(file, `${pid()}\n`);
    expect(await reload(["--pid-file", file])).toMatchObject({ err: "", code: 0 });
  });

  test("three at once: each of them waits for one that began after it was told", async () => {
    const all = await Promise.all([1, 2, 3].map(() => reload(["--pid", pid()])));
    expect(all.map(({ code }) => code)).toEqual([0, 0, 0]);
    await until("a reload", () => reloads() >= 1);
  });
});

test("a refused one: its faults and 1, and the next one that is good: 0", async () => {
  writeFileSync(server.configFile, "workers = 'many'\nlistn = 1\n");
  const refused = await reload(["--pid", pid()]);
  expect(refused).toMatchObject({ out: "", code: 1 });
  for (const text of ["workers", "listn", "reload refused; the old configuration stays in force"])
    expect(refused.err).toContain(text);
  writeFileSync(server.configFile, withSmallStore(config("second")));
  expect(await reload(["--pid", pid()])).toEqual({ out: "", err: "", code: 0 });
});

test("a main that is stopped: 3 when the time is over", async () => {
  server.process.kill("SIGSTOP");
  try {
    expect(await reload(["--pid", pid(), "--timeout", "0.3"])).toMatchObject({
      err: "sluice: the reload was not through within 0.3 s.\n",
      code: 3,
    });
  } finally {
    server.process.kill("SIGCONT");
  }
});

describe("who is no main is left alone", () => {
  test("another program, and a worker", async () => {
    const other = Bun.spawn(["sleep", "60"]);
    try {
      for (const number of [other.pid, ...(await server.workerPids())]) {
        expect(await reload(["--pid", String(number)])).toEqual({
          out: "",
          err: `sluice: there is no sluice with process id ${number} that is serving and yours to see.\n`,
          code: 1,
        });
      }
      expect(other.exitCode).toBeNull();
      expect(reloads()).toBe(0);
    } finally {
      other.kill();
    }
  });

  test("another program that has the pid of a main of before", async () => {
    const other = Bun.spawn(["sleep", "60"]);
    try {
      const notice = { pid: other.pid, birth: "1", begun: 0, ended: 0, faults: [] };
      writeFileSync(join(server.folder, `main-${other.pid}.json`), JSON.stringify(notice));
      expect((await reload(["--pid", String(other.pid)])).code).toBe(1);
      expect(other.exitCode).toBeNull();
    } finally {
      other.kill();
    }
  });

  test.each(["", "0", "-1", "12x", "1\n2"])("a pid file that holds %p", async (text) => {
    const file = join(server.folder, "bad.pid");
    writeFileSync(file, text);
    expect(await reload(["--pid-file", file])).toMatchObject({
      err: `sluice: ${file} does not hold a process id.\n`,
      code: 1,
    });
  });

  test("both options, or none where nobody serves: 2", async () => {
    expect((await reload(["--pid", pid(), "--pid-file", "/x"])).code).toBe(2);
    expect((await reload(["--pid", "0"])).code).toBe(2);
  });
});

test("the notice goes with main, and what a killed one left goes with the next", async () => {
  const notices = () => readdirSync(server.folder).filter((name) => name.startsWith("main-"));
  expect(notices()).toEqual([`main-${pid()}.json`]);
  const { folder, port } = server;
  server.process.kill("SIGKILL");
  await server.process.exited;
  expect(notices().length).toBe(1);
  server = await startServer({ toml: config("next"), folder, port });
  expect(notices()).toEqual([`main-${pid()}.json`]);
  await server.stop(true);
  expect(existsSync(join(folder, `main-${pid()}.json`))).toBe(false);
});
