/**
 * What handlers of several workers share: dictionaries (test/store/shared-dictionary.test.ts has the rest of
 * them), timers that one worker runs, and work that is put off. The compiled binary.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RunningServer, startServer, until, withSmallStore } from "../binary/running-server.ts";
import { folderWith, handlerLocations, startHandlers, workerPids } from "./handler-server.ts";

setDefaultTimeout(30_000);

const FILES = {
  "shared.ts": `
    export default ({ shared, query }) => {
      const dictionary = shared(query.get("name") ?? "users");
      const args = JSON.parse(query.get("args") ?? "[]");
      try {
        return JSON.stringify({ pid: process.pid, answer: dictionary[query.get("call")](...args) ?? null });
      } catch (error) {
        return new Response(JSON.stringify({ error: error.message, status: error.status ?? null }));
      }
    };`,
  "fill.ts": `
    export default async ({ shared, query, sleep }) => {
      const filled = shared("filled");
      const from = Number(query.get("from"));
      for (let at = from; at < from + 20_000; at++) {
        // 503: the other worker was stopped by the system in the middle of its own.
        try { filled.set("key " + at, at); }
        catch (error) { if (error.status !== 503) throw error; at--; await sleep(1); }
      }
      return String(process.pid);
    };`,
  "after.ts": `
    export default ({ after, query, shared }) => {
      const key = query.get("key");
      const off = after(Number(query.get("ms")), async ({ signal, shared, sleep }) => {
        shared("users").set(key, signal.aborted ? "early" : "late");
        if (query.has("throws")) throw new Error("put off too long");
      });
      if (query.has("off")) off();
      return "ok";
    };`,
  "timers.ts": `
    const started = Date.now();
    export default ({ shared }) => JSON.stringify(shared("users").get("runs") ?? []);
    export const every = {
      "1s": async ({ shared, sleep }) => {
        const users = shared("users");
        if (!users.add("running", process.pid)) users.incr("twice at once");
        users.set("runs", [...(users.get("runs") ?? []), [process.pid, Date.now()]]);
        if (users.get("hang") === 1) await new Promise(() => undefined);
        await sleep(100);
        users.delete("running");
      },
      "2s": () => { throw new Error("a timer that fails"); },
    };`,
};
const TOML = `
shutdown_timeout = "2s"
[shared.users]
size = "256KiB"
[shared.filled]
size = "1MiB"
[shared.kept]
size = "64KiB"
persist = true
${handlerLocations(["shared", "after", "timers"], 'handler_timeout = "1s"')}
${handlerLocations(["fill"])}
`;

let server: RunningServer;
type Called = { pid: number; answer: unknown; error?: string; status?: number | null };
const call = async (name: string, method: string, ...args: unknown[]): Promise<Called> => {
  const query = `name=${name}&call=${method}&args=${encodeURIComponent(JSON.stringify(args))}`;
  const init = { keepalive: false, headers: { Connection: "close" } };
  try {
    return JSON.parse((await server.request(`/shared?${query}`, init)).text);
  } catch (error) {
    if (!String(error).includes("ECONNRESET")) throw error;
    // It met the worker that was just killed.
    return await call(name, method, ...args);
  }
};
type Runs = [pid: number, ms: number][];
const runs = async (): Promise<Runs> => JSON.parse((await server.request("/timers")).text);

beforeAll(async () => {
  server = await startHandlers({ workers: 2, listener: "native" }, { files: FILES, toml: TOML });
});
afterAll(async () => {
  await server.stop();
});

describe("dictionaries", () => {
  test("are one for all workers, and say their numbers in the metrics", async () => {
    const pids = new Set<number>();
    for (let n = 1; n <= 200 && (n <= 20 || pids.size < 2); n++) {
      const { pid, answer } = await call("users", "incr", "visits");
      pids.add(pid);
      expect(answer).toBe(n);
    }
    expect(pids.size).toBe(2);
    expect(await server.metric('sluice_shared_entries{name="users"}')).toBeGreaterThan(0);
    expect(await server.metric('sluice_shared_bytes{name="kept"}')).toBeGreaterThan(50_000);
  });

  test("one that is not configured, or a value that cannot be kept, is an error of the handler", async () => {
    expect((await server.request("/shared?name=others&call=get")).status).toBe(500);
    expect(server.log).toContain("there is no [shared.others] in the configuration");
    expect(await call("users", "incr", "visits", "x")).toMatchObject({
      error: "it counts in finite numbers",
    });
    await call("users", "set", "text", "x");
    expect(await call("users", "incr", "text")).toMatchObject({ error: "what is there is no number" });
  });

  test("a million keys from both workers stay within the size, each there or counted evicted", async () => {
    const pids = new Set<string>();
    const froms = Array.from({ length: 50 }, (_, n) => n * 20_000);
    const fill = async (): Promise<void> => {
      for (let from = froms.shift(); from !== undefined; from = froms.shift()) {
        const { status, text } = await server.request(`/fill?from=${from}`, { keepalive: false });
        expect(status).toBe(200);
        pids.add(text);
      }
    };
    await Promise.all([fill(), fill(), fill(), fill()]);
    expect(pids.size).toBe(2);
    const said = async (name: string): Promise<number> =>
      await server.metric(`sluice_shared_${name}{name="filled"}`);
    expect((await said("entries")) + (await said("evicted_total"))).toBe(1_000_000);
    expect(await said("entries")).toBeGreaterThan(5000);
    expect(await said("used_bytes")).toBeLessThanOrEqual(await said("bytes"));
    const keys = (await call("filled", "keys", 10_000)).answer as string[];
    expect(new Set(keys).size).toBe(keys.length);
    for (const key of keys.slice(0, 20))
      expect((await call("filled", "get", key)).answer).toBe(Number(key.slice(4)));
  });

  test("survive kill -9 of both workers and a reload; a restart empties those not kept", async () => {
    await call("users", "set", "user", { name: "anna" });
    await call("kept", "set", "user", { name: "bert" });
    const before = workerPids(server);
    for (const pid of before) process.kill(pid, "SIGKILL");
    await until("new workers", () => workerPids(server).filter((pid) => !before.includes(pid)).length === 2);
    await until("an answer", () =>
      server.request("/timers").then(
        () => true,
        () => false,
      ),
    );
    expect((await call("users", "get", "user")).answer).toEqual({ name: "anna" });
    writeFileSync(server.configFile, withSmallStore(TOML.replace("64KiB", "128KiB")));
    server.process.kill("SIGHUP");
    await until(
      "the reload",
      async () => (await server.metric('sluice_shared_bytes{name="kept"}')) > 100_000,
    );
    expect((await call("users", "get", "user")).answer).toEqual({ name: "anna" });
    expect((await call("kept", "get", "user")).answer).toBeNull();
    await call("kept", "set", "user", "new");
    const { folder, port } = server;
    await server.stop(true);
    const files = readdirSync(folder).filter((name) => name.includes(".shared-"));
    expect(files).toEqual([expect.stringContaining(".shared-kept.131072")]);
    server = await startServer({ folder, port, toml: TOML.replace("64KiB", "128KiB"), workers: 2 });
    expect((await call("kept", "get", "user")).answer).toBe("new");
    expect((await call("users", "get", "user")).answer).toBeNull();
  });
});

describe("timers", () => {
  test("are run by one worker, at multiples of their interval; a failure is in the log", async () => {
    await until("some runs", async () => (await runs()).length >= 3, 15_000);
    const done = await runs();
    expect(new Set(done.map(([pid]) => pid)).size).toBe(1);
    for (const [, ms] of done) expect(ms % 1000).toBeLessThan(900);
    expect(new Set(done.map(([, ms]) => Math.floor(ms / 1000))).size).toBe(done.length);
    await until("the failing one", () => server.log.includes("every 2s failed: Error: a timer that fails"));
    expect(await server.metric("sluice_timer_runs_total")).toBeGreaterThanOrEqual(3);
    expect(await server.metric("sluice_timer_failures_total")).toBeGreaterThanOrEqual(1);
  });

  test("another worker goes on when theirs is killed, also in a reload, and never two at once", async () => {
    const [owner] = (await runs()).at(-1) ?? [0];
    process.kill(owner, "SIGKILL");
    await call("users", "delete", "running");
    await until("runs by another", async () => (await runs()).at(-1)?.[0] !== owner, 15_000);
    const [second] = (await runs()).at(-1) ?? [0];
    server.process.kill("SIGHUP");
    await until(
      "runs by a new one",
      async () => {
        const [pid] = (await runs()).at(-1) ?? [0];
        return pid !== second && pid !== owner;
      },
      15_000,
    );
    expect((await call("users", "get", "twice at once")).answer).toBeNull();
  });

  test("one that hangs is told, keeps the next ones from beginning, and does not keep a reload", async () => {
    await call("users", "set", "hang", 1);
    await until("the time limit", () => server.log.includes("every 1s failed: TooLate"), 15_000);
    await until("one passed over", () => server.log.includes("every 1s was passed over"), 15_000);
    const before = workerPids(server);
    await call("users", "delete", "hang");
    await call("users", "delete", "running");
    const count = (await runs()).length;
    server.process.kill("SIGHUP");
    await until("runs go on", async () => (await runs()).length > count + 1, 20_000);
    await until(
      "the old ones have gone",
      () => workerPids(server).every((pid) => !before.includes(pid)),
      20_000,
    );
    expect((await call("users", "get", "twice at once")).answer).toBeNull();
  });

  test("a file whose intervals are none does not load, and says why", async () => {
    const folder = folderWith({
      "bad.ts": `export default () => "x"; export const every = { "10ms": () => 1 };`,
    });
    const bad = await startServer({ folder, toml: handlerLocations(["bad"]), workers: 1 });
    expect((await bad.request("/bad")).status).toBe(500);
    expect(bad.log).toContain('"10ms" is no interval');
    await bad.stop();
  });
});

test("what was put off is run in time, or when the worker leaves; what was called off is not", async () => {
  for (const [key, ms, more] of [
    ["soon", 20, ""],
    ["later", 3_600_000, ""],
    ["never", 20, "&off"],
    ["throws", 1, "&throws"],
  ])
    await server.request(`/after?key=${key}&ms=${ms}${more}`);
  await until("the first", async () => (await call("users", "get", "soon")).answer === "late");
  await until("the line of the other", () => server.log.includes("after failed: Error: put off too long"));
  expect((await call("users", "get", "later")).answer).toBeNull();
  server.process.kill("SIGHUP");
  await until(
    "the one of an hour",
    async () => (await call("users", "get", "later")).answer === "early",
    15_000,
  );
  expect((await call("users", "get", "never")).answer).toBeNull();
});

test("whoever declares no timer has none: no lease, no run", async () => {
  const other = await startHandlers(
    { workers: 1, listener: "native" },
    {
      files: { "plain.ts": `export default () => "x";` },
      toml: handlerLocations(["plain"]),
    },
  );
  await other.request("/plain");
  expect(await other.metric("sluice_timer_runs_total")).toBe(0);
  const own = readdirSync(other.folder).find((name) => name.includes(".shared-@handlers"));
  expect(readFileSync(join(other.folder, own ?? "")).includes("timers")).toBe(false);
  await other.stop();
});
