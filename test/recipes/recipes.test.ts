/**
 * The recipes do what they say against the binary: each language publishes, and a worker that is killed again
 * and again has everything once.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signatureOf } from "../../src/webhooks/signature.ts";
import { freePort, layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

setDefaultTimeout(60_000);

const recipes = join(import.meta.dir, "../../docs/recipes");
const SECRET = "a secret that is long enough for HS256";
const KEYED = `
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:RECIPE_KEY"

[[location]]
match = "= /keyed"
publisher = "normal"
channels_path = "$arg_id"
token_issuers = ["app"]
require = "token"
`;

let server: RunningServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-recipes-"));
  process.env["RECIPE_KEY"] = SECRET;
  if (hasGo) {
    const env = { ...process.env, GOCACHE: join(folder, "cache"), GO111MODULE: "off" };
    const built = Bun.spawn(["go", "build", "-o", go(), recipe("sluice.go")], { env, stderr: "pipe" });
    if ((await built.exited) !== 0) throw new Error(await new Response(built.stderr).text());
  }
  server = await startServer({ toml: `${layout("workers = 2", { ev: 'event_ids = "auto"' })}${KEYED}` });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const missing = (program: string): boolean => Bun.which(program) === null;
const hasGo = !missing("go");

async function run(...command: string[]): Promise<{ out: string; code: number; err: string }> {
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}

const recipe = (file: string): string => join(recipes, file);
const go = (): string => join(folder, "sluice");

for (const [program, file, command] of [
  ["sh", "publish.sh", () => ["sh", recipe("publish.sh")]],
  ["php", "publish.php", () => ["php", recipe("publish.php")]],
  ["ruby", "publish.rb", () => ["ruby", recipe("publish.rb")]],
  ["python3", "publish.py", () => ["python3", recipe("publish.py")]],
  ["node", "publish.mjs", () => ["node", recipe("publish.mjs")]],
  ["go", "sluice.go", () => [go(), "publish"]],
] as const)
  test.skipIf(missing(program))(`${file} publishes, and says what the server said`, async () => {
    const channel = `from-${program}`;
    const text = "héllo & 'quotes'\n";
    const { out, err, code } = await run(...command(), server.url, channel, text);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(JSON.parse(out)).toMatchObject({ channel, published_messages: 1 });
    const stored = await fetch(`${server.url}/poll/${channel}.b1`);
    expect(await stored.text()).toContain(text);
  });

for (const [program, file, command] of [
  ["ruby", "token.rb", () => ["ruby", recipe("token.rb")]],
  ["go", "sluice.go", () => [go(), "token"]],
] as const)
  test.skipIf(missing(program))(
    `${file} signs a token that is good for its channels and no others`,
    async () => {
      const { out } = await run(...command(), SECRET, "ada", "room-*");
      const headers = { Authorization: `Bearer ${out.trim()}` };
      const post = async (channel: string) =>
        (await fetch(`${server.url}/keyed?id=${channel}`, { method: "POST", body: "x", headers })).status;
      expect(await post("room-1")).toBe(200);
      expect(await post("other")).toBe(403);
    },
  );

test.skipIf(!hasGo)("sluice.go takes webhooks that are signed, now, and no others", async () => {
  const address = `127.0.0.1:${freePort()}`;
  const hook = Bun.spawn([go(), "webhook", address], {
    env: { ...process.env, HOOK_SECRET: SECRET },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  try {
    const body = '{"events":[{"id":"7","event":"occupied","channel":"a"}]}';
    const nowSec = Math.floor(Date.now() / 1000);
    const post = (header: string, text = body) =>
      fetch(`http://${address}/`, { method: "POST", body: text, headers: { "X-Sluice-Signature": header } });
    const signed = (secret: string, sec: number) => signatureOf(Buffer.from(secret), sec, Buffer.from(body));
    await until("it to listen", () =>
      post("").then(
        () => true,
        () => false,
      ),
    );
    const good = signed(SECRET, nowSec);
    const statuses: number[] = [];
    for (const header of [
      "",
      "x",
      signed("another secret", nowSec),
      signed(SECRET, nowSec - 400),
      `${good}0`,
      good,
    ])
      statuses.push((await post(header)).status);
    expect([...statuses, (await post(good, `${body} `)).status]).toEqual([401, 401, 401, 401, 401, 204, 401]);
  } finally {
    hook.kill();
  }
  expect(await new Response(hook.stdout).text()).toBe("7 occupied a\n");
});

const WORKERS = [
  ["python3", () => ["python3", recipe("worker.py")]],
  ["go", () => [go(), "worker"]],
] as const;

test("workers have every message once and in order, however often any of them is killed", async () => {
  const workers = WORKERS.filter(([program]) => !missing(program)).map(
    ([program, command]) => new Worker(command(), join(folder, `state-${program}`)),
  );
  let sent = 0;
  const publish = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at++) {
      let status = 0;
      // A worker of the server may be killed under it: again with the same key.
      const headers = { "Idempotency-Key": `job-${sent}` };
      while (status !== 200)
        status = await fetch(`${server.url}/pub?id=jobs`, {
          method: "POST",
          body: `job\n${sent}`,
          headers,
          keepalive: false,
        }).then(
          (answer) => answer.status,
          () => 0,
        );
      sent++;
    }
  };
  await publish(5);
  for (const worker of workers) worker.start();
  try {
    for (let round = 0; round < 4; round++) {
      await publish(20);
      for (const worker of workers) {
        const seen = worker.handled.length;
        await until("it to go on", () => worker.handled.length > seen || worker.handled.length === sent);
        await worker.kill();
      }
      if (round % 2 === 1) for (const pid of await server.workerPids()) process.kill(pid, "SIGKILL");
      await publish(10);
      for (const worker of workers) worker.start();
    }
    await until("everything", () => workers.every(({ handled }) => handled.length >= sent), 30_000);
    for (const { handled } of workers)
      expect(handled).toEqual(Array.from({ length: sent }, (_, at) => `job\\n${at}`));
  } finally {
    for (const worker of workers) await worker.kill();
  }
});

class Worker {
  readonly #command: readonly string[];
  readonly #state: string;
  #process: Bun.Subprocess | null = null;

  constructor(command: readonly string[], state: string) {
    this.#command = command;
    this.#state = state;
  }

  start(): void {
    const command = [...this.#command, server.url, "jobs", this.#state];
    this.#process = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  }

  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  /** What whole lines say; none while there is no file. */
  get handled(): readonly string[] {
    if (!existsSync(this.#state)) return [];
    const lines = readFileSync(this.#state, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => line.split("\t")[1] ?? "");
  }
}
