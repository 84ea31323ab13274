/**
 * The environment does not change the program: variables of the runtime it is built with are not obeyed by
 * the service, whoever starts it, and its workers and their handlers do not see them. Two work before any of
 * our code does; the units unset those.
 */
import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ENGINE_VARIABLES } from "../../src/supervisor/worker/worker-engine.ts";
import { binary, layout, type RunningServer, startServer } from "./running-server.ts";

let server: RunningServer | null = null;
afterEach(async () => {
  if (server !== null) expect(await server.stop()).toBe(0);
  server = null;
});

const environmentOf = (pid: number): string[] => readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
const isOfMain = (variable: string): boolean =>
  variable.startsWith("NODE_CHANNEL_") || Object.hasOwn(ENGINE_VARIABLES, variable.split("=")[0] ?? "");
const OF_THE_RUNTIME = /^(?:(?:BUN|NODE|JSC|MIMALLOC|UV)_|GOMAXPROCS=)/;

test("the runtime's variables reach neither main nor workers nor handlers, and others do", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
  const trace = join(folder, "preloaded");
  const preload = join(folder, "preload.ts");
  writeFileSync(preload, `require("node:fs").appendFileSync(${JSON.stringify(trace)}, process.pid + "\\n");`);
  const handler =
    "export default () => Response.json({ names: Object.keys(process.env), jit: process.execArgv });";
  writeFileSync(join(folder, "env.ts"), handler);
  server = await startServer({
    toml: `${layout()}[[location]]\nmatch = "= /env"\nhandler = "env.ts"\n`,
    folder,
    workers: 2,
    env: {
      BUN_OPTIONS: `--smol --preload ${preload}`,
      BUN_CONFIG_VERBOSE_FETCH: "curl",
      NODE_OPTIONS: "--no-such-option",
      NODE_EXTRA_CA_CERTS: "/nowhere.pem",
      NODE_TLS_REJECT_UNAUTHORIZED: "0",
      NODE_ENV: "development",
      JSC_useJIT: "0",
      GOMAXPROCS: "1",
      MINE: "kept",
    },
  });
  const main = server.process.pid;
  for (const pid of [main, ...(await server.workerPids())]) {
    const variables = environmentOf(pid);
    // How main speaks to a worker is told by the runtime in one of its own; what its engine is told, by main.
    const left = variables.filter((one) => OF_THE_RUNTIME.test(one) && !isOfMain(one));
    expect(left, `of ${pid === main ? "main" : "a worker"}`).toEqual([]);
    expect(variables).toContain("MINE=kept");
  }
  const { names, jit } = JSON.parse((await server.request("/env")).text);
  expect(names.filter((name: string) => OF_THE_RUNTIME.test(`${name}=`))).toEqual([]);
  expect(jit).toEqual([]);
  // Once, by the runtime and before us, in the process that then began again.
  expect(readFileSync(trace, "utf8").trim().split("\n")).toEqual([String(main)]);
  // No certificate that could not be read, no curl lines, no notes of a debugger.
  expect(server.log).not.toMatch(/nowhere\.pem|curl|debugger/i);
});

test("what works before us is unset in the units", () => {
  // Documented by the runtime: the program is its command line then, and ours does not begin.
  const asBun = Bun.spawnSync([binary, "--version"], { env: { ...process.env, BUN_BE_BUN: "1" } });
  expect(asBun.stdout.toString().trim()).toBe(Bun.version);
  for (const name of ["sluice.service", "sluice@.service"]) {
    const unit = join(import.meta.dir, "../../systemd", name);
    expect(existsSync(unit)).toBe(true);
    const unset = /^UnsetEnvironment=(.*)$/m.exec(readFileSync(unit, "utf8"))?.[1]?.split(" ") ?? [];
    expect(unset).toEqual(
      expect.arrayContaining(["BUN_OPTIONS", "BUN_BE_BUN", "BUN_INSPECT", "NODE_OPTIONS"]),
    );
  }
});
