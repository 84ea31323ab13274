/**
 * A reload resets nobody: while clients keep coming at both listeners, generations follow each other with as
 * many workers, fewer, more, with an address less and one more; workers are told to go one by one, and
 * killed. As a user without rights, where the test has any.
 *
 * SLUICE_RELOADS and SLUICE_CONNECTS (a second) make it longer and harder; 200 and 2000 is what is promised.
 */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConnectStorm } from "./connect-storm.ts";
import { binary, freePort, RunningServer, until } from "./running-server.ts";

const RELOADS = Number(process.env["SLUICE_RELOADS"] ?? 6);
const CONNECTS = Number(process.env["SLUICE_CONNECTS"] ?? 300);
const KEPT = 10;
const NOBODY = 65_534;

setDefaultTimeout(60_000 + RELOADS * 15_000);

interface Shape {
  readonly workers: number;
  /** Listens in one more place. */
  readonly more: boolean;
}

const SHAPES: readonly Shape[] = [
  { workers: 2, more: true },
  { workers: 2, more: false },
  { workers: 1, more: false },
  { workers: 4, more: true },
  { workers: 3, more: false },
  { workers: 1, more: true },
];

class Scene {
  readonly native = freePort();
  readonly early = freePort();
  readonly third = freePort();
  readonly folder = mkdtempSync(join(tmpdir(), "sluice-storm-"));
  readonly server: RunningServer;

  constructor(shape: Shape) {
    const file = join(this.folder, "nginx.conf");
    this.write(shape, file);
    const child = Bun.spawn([...this.#program(), "serve", "--config", file], {
      env: { ...process.env, RUNTIME_DIRECTORY: this.folder },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    this.server = new RunningServer(this.native, this.folder, file, child);
  }

  async serves(): Promise<void> {
    await until(
      "it serves",
      () => {
        if (this.server.process.exitCode !== null) throw new Error(this.server.log);
        return this.server.log.includes(": serving ");
      },
      15_000,
    );
  }

  async reload(shape: Shape): Promise<void> {
    const count = () => this.server.log.match(/reloaded generation=/g)?.length ?? 0;
    const before = count();
    this.write(shape, this.server.configFile);
    this.server.process.kill("SIGHUP");
    await until(`a reload in ${this.server.log}`, () => count() > before, 30_000);
    await this.has(shape.workers);
  }

  /** So many workers, and nobody who is on his way. */
  async has(workers: number): Promise<void> {
    await until(`${workers} workers`, () => this.workers.length === workers, 30_000);
  }

  get workers(): readonly number[] {
    const { pid } = this.server.process;
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text.trim().split(" ").filter(Boolean).map(Number);
  }

  write({ workers, more }: Shape, file: string): void {
    const answer = 'location /ok { return 200 "ok"; }';
    const stream = "push_stream_subscriber; push_stream_channels_path a;";
    writeFileSync(
      file,
      `worker_processes ${workers}; worker_shutdown_timeout 20s; events {} http {
        push_stream_shared_memory_size 4m;
        server { listen 127.0.0.1:${this.native}; listen [::1]:${this.native}; ${answer} }
        server {
          listen 127.0.0.1:${this.early}; ${more ? `listen 127.0.0.1:${this.third};` : ""}
          ${answer} location /sub { ${stream} }
        } }`,
    );
  }

  /** Where it may not be run by others, a copy; root becomes nobody. */
  #program(): readonly string[] {
    if (process.getuid?.() !== 0 || Bun.which("setpriv") === null) return [binary];
    const copy = join(this.folder, "sluice");
    copyFileSync(binary, copy);
    chmodSync(copy, 0o755);
    chownSync(this.folder, NOBODY, NOBODY);
    return ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", copy];
  }
}

let scene: Scene;
afterEach(async () => {
  await scene.server.stop();
});

/** `meanwhile` the clients come, at the listeners by name; what became of them. */
async function storm(meanwhile: () => Promise<void>) {
  const path = "/ok";
  const storms = {
    native: new ConnectStorm(scene.native, path),
    "native, IPv6": new ConnectStorm(scene.native, path, "::1"),
    early: new ConnectStorm(scene.early, path),
  };
  const all = Object.values(storms);
  for (const each of all) each.blow(CONNECTS / all.length, KEPT);
  await meanwhile();
  await Promise.all(all.map((each) => each.calm()));
  return Object.entries(storms).flatMap(([listener, { fresh, kept }]) => [
    { listener, kind: "fresh", ...fresh },
    { listener, kind: "kept", ...kept },
  ]);
}

/** Late ones are the machine's affair when it is busy; told in the long run. */
const NOTHING_LOST = { lost: 0, refused: 0, turnedAway: 0, silent: 0 };

async function expectNobodyLost(meanwhile: () => Promise<void>): Promise<void> {
  const outcomes = await storm(meanwhile);
  if (process.env["SLUICE_RELOADS"] !== undefined) {
    console.table(outcomes);
    console.log(scene.server.log.replaceAll(/^.*(info|Using).*\n/gm, ""));
  }
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject(NOTHING_LOST);
    expect(outcome.answered).toBeGreaterThan(0);
  }
}

test("connections that wait, or are kept, are not reset by reloads", async () => {
  scene = new Scene({ workers: 2, more: false });
  await scene.serves();
  await expectNobodyLost(async () => {
    for (let i = 0; i < RELOADS; i++)
      await scene.reload(SHAPES[i % SHAPES.length] ?? { workers: 2, more: false });
  });
  expect(scene.server.log).not.toContain("cannot be");
  expect(scene.server.log).not.toContain("the kernel does not let");
});

test("nor when workers are told one after the other, nor by a reload after one was killed", async () => {
  scene = new Scene({ workers: 3, more: false });
  await scene.serves();
  await expectNobodyLost(async () => {
    for (const pid of scene.workers) {
      process.kill(pid, "SIGTERM");
      await until("a new worker", () => !scene.workers.includes(pid), 30_000);
      await scene.has(3);
    }
  });
  const [victim = 0] = scene.workers;
  process.kill(victim, "SIGKILL");
  await until("another", () => !scene.workers.includes(victim));
  await scene.has(3);
  await expectNobodyLost(async () => {
    await scene.reload({ workers: 1, more: false });
    await scene.reload({ workers: 3, more: false });
  });
});
