/**
 * `sluice serve` as a user starts it: the real workers, from source, or the compiled binary named by
 * $SLUICE_BINARY. What main does with misbehaving workers is in main.test.ts.
 */

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startBlock } from "../../src/cli/serve.ts";
import { makeStyle } from "../../src/cli/style.ts";
import { freePort } from "../binary/running-server.ts";
import { eventually, isRunning } from "./main-process.ts";

const ROOT = join(import.meta.dir, "../..");
const binary = process.env["SLUICE_BINARY"];
const PROGRAM = binary ? [binary] : [process.execPath, join(ROOT, "src/main.ts")];

/** Processes start and stop here, and the machine may be busy. */
setDefaultTimeout(15_000);

let folder = "";
let running: Bun.Subprocess<"ignore", "pipe", "pipe">[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-serve-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const each of running) each.kill("SIGKILL");
  await Promise.all(running.map((each) => each.exited));
  running = [];
});

const serve = (...args: string[]) => run([...PROGRAM, "serve", ...args]);

function run(command: readonly string[]) {
  const started = Bun.spawn([...command], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, RUNTIME_DIRECTORY: folder },
  });
  running.push(started);
  const log = { text: "" };
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const bytes of started.stderr) log.text += decoder.decode(bytes, { stream: true });
  };
  return { process: started, log, ended: read() };
}

async function serveReady(...args: string[]) {
  const address = `127.0.0.1:${freePort()}`;
  const started = serve("--listen", address, ...args);
  await eventually(`serving in\n${started.log.text}`, () => /: serving /.test(started.log.text) || null);
  return { ...started, address, url: `http://${address}` };
}

/** Children of a process, from /proc. */
const childrenOf = async (pid: number): Promise<number[]> => {
  const text = await Bun.file(`/proc/${pid}/task/${pid}/children`).text();
  return text.trim().split(/\s+/).filter(Boolean).map(Number);
};

/** Reads until `wanted` came, then lets go of the stream; the answer is what was read. */
async function readUntil(answer: Response, wanted: string): Promise<string> {
  let seen = "";
  for await (const bytes of answer.body ?? []) {
    seen += new TextDecoder().decode(bytes);
    if (seen.includes(wanted)) break;
  }
  return seen;
}

async function openSocket(socket: WebSocket): Promise<{ readonly closed: Promise<CloseEvent> }> {
  const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  return { closed };
}

describe("serve", () => {
  test("two workers, one line of log, and no trace after SIGTERM but the store", async () => {
    const { process: main, log, url } = await serveReady("--workers", "2");
    expect(
      log.text
        .trim()
        .split("\n")
        .filter((line) => line.includes("serving")),
    ).toHaveLength(1);
    expect(log.text).toMatch(
      /serving listen=127\.0\.0\.1:\d+ workers=2 store=\S+ .*config="embedded default"/,
    );
    const workers = await childrenOf(main.pid);
    expect(workers).toHaveLength(2);
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    main.kill("SIGTERM");
    expect(await main.exited).toBe(0);
    expect(workers.some(isRunning)).toBe(false);
  });

  test("kill -9 of every worker: replaced at once, nothing stored is lost", async () => {
    const { process: main, url } = await serveReady("--workers", "2");
    for (let id = 1; id <= 20; id++) {
      const answer = await fetch(`${url}/pub?id=news`, { method: "POST", body: `message ${id}` });
      expect(answer.status).toBe(200);
    }
    const killedAt = performance.now();
    const before = await childrenOf(main.pid);
    for (const pid of before) process.kill(pid, "SIGKILL");
    const stored = await eventually("new workers", async () => {
      try {
        const answer = await fetch(`${url}/pub?id=news`, { keepalive: false });
        return (await answer.json()) as Record<string, unknown>;
      } catch {
        return null;
      }
    });
    // Some 200 ms, and no back-off; a machine that has other things to do starts a process more slowly.
    expect(performance.now() - killedAt).toBeLessThan(3000);
    expect(String(stored["stored_messages"])).toBe("20");
    const after = await eventually("two workers", async () => {
      const pids = await childrenOf(main.pid);
      return pids.length === 2 ? pids : null;
    });
    expect(after.some((pid) => before.includes(pid))).toBe(false);
  });

  test("SIGTERM ends streams, long polls and WebSockets in order, within the limit", async () => {
    const { process: main, url, address } = await serveReady();
    await fetch(`${url}/pub?id=news`, { method: "POST", body: "first" });
    const stream = await fetch(`${url}/sub/news.b1`);
    const body = stream.text();
    const poll = fetch(`${url}/lp/news`);
    const plain = await openSocket(new WebSocket(`ws://${address}/ws/news`));
    const named = await openSocket(new WebSocket(`ws://${address}/ws/news`, "sluice.json.v1"));
    await Bun.sleep(100);
    const askedAt = performance.now();
    main.kill("SIGTERM");
    expect(await body).toContain("first");
    expect((await poll).status).toBe(304);
    expect((await plain.closed).code).toBe(1001);
    expect((await named.closed).code).toBe(1001);
    expect(await main.exited).toBe(0);
    expect(performance.now() - askedAt).toBeLessThan(5000);
  });

  test("a subscriber of a new generation gets what was stored before SIGHUP", async () => {
    const { process: main, log, url } = await serveReady("--workers", "2");
    await fetch(`${url}/pub?id=news`, { method: "POST", body: "before the reload" });
    main.kill("SIGHUP");
    await eventually("the reload", () => /reloaded generation=2/.test(log.text) || null);
    const answer = await fetch(`${url}/sub/news.b1`, { keepalive: false });
    expect(await readUntil(answer, "before the reload")).toContain("before the reload");
  });
});

test("no file descriptors left: the same worker serves again when connections close", async () => {
  const address = `127.0.0.1:${freePort()}`;
  const limited = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"];
  const { process: main, log } = run([
    ...limited,
    ...PROGRAM,
    "serve",
    "--listen",
    address,
    "--workers",
    "1",
  ]);
  await eventually(`serving in ${log.text}`, () => /open_files=64 /.test(log.text) || null);
  const before = await childrenOf(main.pid);
  const idle = await Promise.all(
    Array.from({ length: 100 }, () => Bun.connect({ ...split(address), socket: { data: () => undefined } })),
  );
  await Bun.sleep(300);
  for (const socket of idle) socket.terminate();
  const answer = await eventually("an answer", () =>
    fetch(`http://${address}/health/live`).catch(() => null),
  );
  expect(answer.status).toBe(200);
  expect(await childrenOf(main.pid)).toEqual(before);
});

const split = (address: string) => ({ hostname: "127.0.0.1", port: Number(address.split(":")[1]) });

describe("refusals", () => {
  test("a configuration with many faults: all of them, exit 2", async () => {
    const path = join(folder, "bad.toml");
    writeFileSync(
      path,
      'listn = 1\nworkers = "many"\n[store]\nsize = "1 potato"\n[limits]\nmax_body_size = -1\n',
    );
    const { process: main, log, ended } = serve("--config", path);
    expect(await main.exited).toBe(2);
    await ended;
    for (const name of ["listn", "workers", "size", "max_body_size"]) expect(log.text).toContain(name);
  });

  test("a file that is not there: exit 2", async () => {
    const { process: main, log, ended } = serve("--config", join(folder, "missing.toml"));
    expect(await main.exited).toBe(2);
    await ended;
    expect(log.text).toContain("missing.toml");
  });

  test("a port in use: one sentence, exit 1", async () => {
    const other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    const { process: main, log, ended } = serve("--listen", `127.0.0.1:${other.port}`);
    expect(await main.exited).toBe(1);
    await ended;
    expect(log.text).toBe(`sluice: listen: 127.0.0.1:${other.port} is in use\n`);
    other.stop(true);
  });

  test("a worker command typed by hand: exit 2", async () => {
    const started = Bun.spawn([...PROGRAM, "__worker"], { stdio: ["ignore", "pipe", "pipe"] });
    expect(await started.exited).toBe(2);
    expect(await started.stderr.text()).toContain("this command is internal");
  });
});

test("the block on a terminal", () => {
  const report = {
    kind: "reopened",
    reason: "",
    messages: 1,
    dropped: 0,
    isSameLife: true,
    setAside: null,
    removed: [],
  } as const;
  const block = startBlock(
    {
      listen: ["0.0.0.0:8080", "unix:/run/s.sock"],
      workers: 2,
      storePath: "/dev/shm/sluice-0/x",
      storeBytes: 64 * 2 ** 20,
      channelRecords: 32_768,
      report,
      descriptors: 20_000,
    },
    "embedded default",
    makeStyle(false),
  );
  expect(block.replace(/sluice [\d.]+/, "sluice X")).toBe(`
sluice X is serving

  listening  http://localhost:8080/  unix:/run/s.sock
  workers    2 (at most 20000 open files each)
  store      /dev/shm/sluice-0/x, 64 MiB, room for 32768 channels, reopened with 1 message
  config     embedded default

  Ctrl-C stops it. Try: sluice pub news 'hello'

`);
});
