/** Main with a pid file and a log file, around the toy server: start, reload, rotation, end, refusals. */

import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../src/config/model.ts";
import { freePort } from "../binary/running-server.ts";
import { eventually, MainProcess } from "./main-process.ts";

setDefaultTimeout(15_000);

let mains: MainProcess[] = [];
let tests = 0;
const folder = mkdtempSync(join(tmpdir(), "sluice-files-"));
const inFolder = (name: string): string => join(folder, `${tests}-${name}`);

afterEach(async () => {
  await Promise.all(mains.map((main) => main.end()));
  mains = [];
  tests++;
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(changes: Partial<Config>): MainProcess {
  const main = new MainProcess({ listen: [`127.0.0.1:${freePort()}`], ...changes });
  mains.push(main);
  return main;
}

const contentOf = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "");
const holds = (path: string, what: string) =>
  eventually(`${JSON.stringify(what)} in ${path}`, () => contentOf(path).includes(what) || null);

describe("pid file", () => {
  test.each(["SIGTERM", "SIGQUIT"] as const)(
    "whoever waits for it can connect; %s removes it",
    async (signal) => {
      const pidFile = inFolder(`${signal}.pid`);
      writeFileSync(pidFile, "1\nstale\n");
      const main = start({ pidFile });
      await eventually("the pid file", () => contentOf(pidFile) === `${main.process.pid}\n` || null);
      expect((await main.ask("/who")).status).toBe(200);
      main.process.kill(signal);
      expect(await main.exitCode()).toBe(0);
      expect(existsSync(pidFile)).toBeFalse();
    },
  );

  test("a reload moves it when its path changed", async () => {
    const [first, second] = [inFolder("first.pid"), inFolder("second.pid")];
    const main = start({ pidFile: first });
    await main.workers(2);
    await holds(first, `${main.process.pid}\n`);
    main.reload({ pidFile: second });
    await main.logged(/reloaded generation=2/);
    expect(contentOf(second)).toBe(`${main.process.pid}\n`);
    expect(existsSync(first)).toBeFalse();
    main.process.kill("SIGTERM");
    await main.exitCode();
    expect(existsSync(second)).toBeFalse();
  });

  test("a path that cannot be written ends the start with a sentence, and refuses a reload", async () => {
    const bad = join(folder, "missing", "x.pid");
    const refused = start({ pidFile: bad });
    expect(await refused.exitCode()).toBe(1);
    expect(refused.output).toContain(`sluice: pid_file: ${bad} cannot be written: ENOENT`);
    const good = inFolder("good.pid");
    const main = start({ pidFile: good });
    const before = await main.workers(2);
    await holds(good, `${main.process.pid}\n`);
    main.reload({ pidFile: bad });
    await main.logged(/reload refused; the old configuration stays in force/);
    expect(contentOf(good)).toBe(`${main.process.pid}\n`);
    expect(before.map((who) => who.pid)).toContain((await main.who()).pid);
  });

  test("a link on its path is refused and not followed", async () => {
    const [victim, pidFile] = [inFolder("victim"), inFolder("link.pid")];
    writeFileSync(victim, "precious");
    symlinkSync(victim, pidFile);
    const main = start({ pidFile });
    expect(await main.exitCode()).toBe(1);
    expect(contentOf(victim)).toBe("precious");
  });
});

describe("log file", () => {
  test("main and workers write to it, not to stderr", async () => {
    const errorLog = inFolder("error.log");
    const main = start({ errorLog });
    await main.workers(2);
    await main.ask("/log");
    await holds(errorLog, "was asked to log");
    await holds(errorLog, "main: serving ");
    expect(main.output).toBe("");
    expect(statSync(errorLog).mode & 0o777).toBe(0o640);
  });

  test("SIGUSR1 opens it again, in main and in every worker", async () => {
    const errorLog = inFolder("rotated.log");
    const main = start({ errorLog, workers: 1 });
    await holds(errorLog, "main: serving ");
    renameSync(errorLog, `${errorLog}.1`);
    main.process.kill("SIGUSR1");
    await holds(errorLog, "log files opened again");
    await eventually("the worker's line in the new file", async () => {
      await main.ask("/log");
      return contentOf(errorLog).includes("was asked to log") || null;
    });
    expect(statSync(errorLog).mode & 0o777).toBe(0o640);
    expect(contentOf(`${errorLog}.1`)).toContain("main: serving ");
  });

  test("a file that cannot be opened again leaves the old one in use", async () => {
    const errorLog = inFolder("kept.log");
    const main = start({ errorLog, workers: 1 });
    await holds(errorLog, "main: serving ");
    renameSync(errorLog, `${errorLog}.1`);
    symlinkSync(join(folder, "missing", "x"), errorLog);
    main.process.kill("SIGUSR1");
    await holds(`${errorLog}.1`, "error main: error_log: ENOENT");
    await eventually(
      "the worker's complaint",
      () => /error worker 0: error_log/.test(contentOf(`${errorLog}.1`)) || null,
    );
  });

  test("a reload moves it; refusals of a reload go to the one in force", async () => {
    const [first, second] = [inFolder("first.log"), inFolder("second.log")];
    const main = start({ errorLog: first });
    await main.workers(2);
    main.write("{ not json");
    main.process.kill("SIGHUP");
    await holds(first, "reload refused; the old configuration stays in force");
    main.reload({ errorLog: second });
    await holds(second, "reloaded generation=2");
    await eventually("a line of a new worker", async () => {
      await main.ask("/log").catch(() => null); // may still meet an old one
      return contentOf(second).includes("was asked to log") || null;
    });
    main.reload({ errorLog: null });
    await main.logged(/reloaded generation=3/);
  });

  test("one that cannot be opened ends the start", async () => {
    const main = start({ errorLog: join(folder, "missing", "error.log") });
    expect(await main.exitCode()).toBe(1);
    expect(main.output).toContain("sluice: error_log: ENOENT");
  });
});
