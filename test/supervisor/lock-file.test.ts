import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockStore } from "../../src/supervisor/store/lock-file.ts";

const LOCK_FILE = `${import.meta.dir}/../../src/supervisor/store/lock-file.ts`;
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-lock-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * A process that takes the lock, says so, and waits; with `child`, the lock is handed on to a child of its
 * own.
 */
async function holder(storePath: string, child: boolean) {
  const spawn =
    `const kid = Bun.spawn(["sleep", "20"], { stdio: ["ignore", ` +
    `"ignore", "ignore", lock.descriptor] });`;
  const script = `import { lockStore } from ${JSON.stringify(LOCK_FILE)};
    const lock = await lockStore(${JSON.stringify(storePath)});
    ${child ? spawn : "const kid = { pid: 0 };"}
    console.log(lock.ok + " " + kid.pid);
    setInterval(() => {}, 1000);`;
  const started = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  const { value } = await started.stdout.getReader().read();
  const [ok, kid] = new TextDecoder().decode(value).trim().split(" ");
  expect(ok).toBe("true");
  return { main: started, kid: Number(kid) };
}

test("a second main is refused at once, with the pid of the first; a kill -9 frees the lock", async () => {
  const store = join(folder, "store");
  const first = await holder(store, false);
  const before = performance.now();
  const refused = await lockStore(store);
  expect(performance.now() - before).toBeLessThan(1000);
  expect(refused.ok ? "" : refused.fault).toContain(
    `another sluice (pid ${first.main.pid}) is using ${store};`,
  );
  first.main.kill("SIGKILL");
  await first.main.exited;
  const taken = await lockStore(store);
  expect(taken.ok).toBe(true);
  if (taken.ok) closeSync(taken.descriptor);
});

test("the lock of a dead main lasts as long as its last worker, and the next main waits", async () => {
  const store = join(folder, "orphaned");
  const first = await holder(store, true);
  first.main.kill("SIGKILL");
  await first.main.exited;
  let isFree = false;
  const next = lockStore(store).then((outcome) => {
    isFree = true;
    return outcome;
  });
  await Bun.sleep(150);
  expect(isFree).toBe(false);
  process.kill(first.kid, "SIGKILL");
  const taken = await next;
  expect(taken.ok).toBe(true);
  if (taken.ok) closeSync(taken.descriptor);
});

test("a folder that is not there is one sentence", async () => {
  const outcome = await lockStore(join(folder, "missing", "store"));
  expect(outcome.ok ? "" : outcome.fault).toMatch(/^store: cannot open .*ENOENT/);
});
