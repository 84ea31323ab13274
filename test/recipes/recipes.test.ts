/**
 * The recipes do what they say against the binary: each language publishes, and a worker that is killed again
 * and again has everything once.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

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
  server = await startServer({ toml: `${layout("workers = 2", { ev: 'event_ids = "auto"' })}${KEYED}` });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const missing = (program: string): boolean => Bun.which(program) === null;

async function run(...command: string[]): Promise<{ out: string; code: number; err: string }> {
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}

for (const [program, file] of [
  ["sh", "publish.sh"],
  ["php", "publish.php"],
  ["ruby", "publish.rb"],
  ["python3", "publish.py"],
  ["node", "publish.mjs"],
] as const)
  test.skipIf(missing(program))(`${file} publishes, and says what the server said`, async () => {
    const channel = `from-${program}`;
    const text = "héllo & 'quotes'\n";
    const { out, err, code } = await run(program, join(recipes, file), server.url, channel, text);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(JSON.parse(out)).toMatchObject({ channel, published_messages: 1 });
    const stored = await fetch(`${server.url}/poll/${channel}.b1`);
    expect(await stored.text()).toContain(text);
  });

test.skipIf(missing("ruby"))(
  "token.rb signs a token that is good for its channels and no others",
  async () => {
    const { out } = await run("ruby", join(recipes, "token.rb"), SECRET, "ada", "room-*");
    const headers = { Authorization: `Bearer ${out.trim()}` };
    const post = async (channel: string) =>
      (await fetch(`${server.url}/keyed?id=${channel}`, { method: "POST", body: "x", headers })).status;
    expect(await post("room-1")).toBe(200);
    expect(await post("other")).toBe(403);
  },
);

test.skipIf(missing("python3"))(
  "worker.py has every message once and in order, however often it and the server's workers are killed",
  async () => {
    const state = join(folder, "state");
    const start = () =>
      Bun.spawn(["python3", join(recipes, "worker.py"), server.url, "jobs", state], {
        stdin: "ignore",
        stdout: "ignore",
        stderr: "ignore",
      });
    const handled = (): string[] => {
      try {
        return readFileSync(state, "utf8")
          .split("\n")
          .filter((line) => line.includes("\t"))
          .map((line) => line.split("\t")[1] ?? "");
      } catch {
        return [];
      }
    };
    let sent = 0;
    const publish = async (count: number): Promise<void> => {
      for (let at = 0; at < count; at++) {
        let status = 0;
        // A worker of the server may be killed under it: again with the same key.
        const headers = { "Idempotency-Key": `job-${sent}` };
        while (status !== 200)
          status = await fetch(`${server.url}/pub?id=jobs`, {
            method: "POST",
            body: `job ${sent}`,
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
    let worker = start();
    try {
      for (let round = 0; round < 4; round++) {
        await publish(20);
        const seen = handled().length;
        await until("the worker to go on", () => handled().length > seen || handled().length === sent);
        worker.kill("SIGKILL");
        await worker.exited;
        if (round % 2 === 1) for (const pid of await server.workerPids()) process.kill(pid, "SIGKILL");
        await publish(10);
        worker = start();
      }
      await until("everything", () => handled().length >= sent, 30_000);
      expect(handled()).toEqual(Array.from({ length: sent }, (_, at) => `job ${at}`));
    } finally {
      worker.kill("SIGKILL");
      await worker.exited;
    }
  },
);
