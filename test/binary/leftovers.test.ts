/**
 * What a run leaves behind: the store file, shown by `sluice stats` and emptied by `sluice serve --fresh`;
 * and what the log says of its end.
 */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync } from "node:fs";
import { binary, layout, type RunningServer, startServer, until } from "./running-server.ts";

setDefaultTimeout(30_000);

let server: RunningServer;
let folder = "";
afterEach(async () => {
  if (server.process.exitCode === null) await server.stop();
  rmSync(folder, { recursive: true, force: true });
  folder = "";
});

async function serve(...args: string[]): Promise<void> {
  const again = folder === "" ? {} : { folder, port: server.port };
  server = await startServer({ toml: layout(), args, ...again });
  folder = server.folder;
}

function stats(): string {
  const env = { ...process.env, RUNTIME_DIRECTORY: folder };
  return Bun.spawnSync([binary, "stats", "--url", server.url], { env, stderr: "ignore" }).stdout.toString();
}

const stored = async (): Promise<number> => (await server.summary()).stored_messages;

test("the store of a stopped server stays, is shown, and the next goes on with or empties it", async () => {
  await serve();
  await server.publish("a", "kept");
  const file = / store=(\S+)/.exec(server.log)?.[1] ?? "";
  expect(stats()).toContain(`\n\nSTORE FILE${" ".repeat(file.length - 8)}`);
  expect(stats()).toMatch(new RegExp(`^${file} +16 MiB +pid ${server.process.pid}$`, "m"));
  await server.stop(true);
  // Nobody answers, and what is left is shown all the same.
  expect(stats()).toMatch(new RegExp(`^STORE FILE .*\n${file} +16 MiB +nobody\n$`));

  await serve();
  expect(await stored()).toBe(1);
  await server.stop(true);

  await serve("--fresh");
  expect(await stored()).toBe(0);
  await until("what was lost is told", () =>
    server.log.includes("store replaced: a fresh one was asked for"),
  );
  expect(server.log).toMatch(/ warn {2}main: store replaced: .* dropped=1 /);
  // A reload is no start.
  await server.publish("a", "new");
  server.process.kill("SIGHUP");
  await until("the reload", () => server.log.includes("reloaded generation="));
  expect(await stored()).toBe(1);
});

test("the log names the successor of a dead worker, the metrics count it, the end is told", async () => {
  await serve();
  expect(await server.metric("sluice_replaced_workers_total")).toBe(0);
  const [victim = 0] = await server.workerPids();
  process.kill(victim, "SIGKILL");
  await until("another worker", () => / warn {2}main: worker replaced /.test(server.log));
  const [, pid] =
    new RegExp(` worker replaced slot=\\d+ pid=(\\d+) died=${victim}\\n`).exec(server.log) ?? [];
  expect(await server.workerPids()).toContain(Number(pid));
  expect(await server.metric("sluice_replaced_workers_total")).toBe(1);
  await server.stop(true);
  await until("the last line", () => server.log.endsWith(" info  main: stopped\n"));
});
