/** auth_basic on the compiled binary: what an answer's time tells, and what guessing costs everybody else. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask } from "./raw-client.ts";
import { layout, type RunningServer, startServer } from "./running-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-users-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bcrypt = (password: string): string =>
  Bun.password.hashSync(password, { algorithm: "bcrypt", cost: 8 });
const APR1 = "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/";
const guarded = (path: string, file: string): string => `[[location]]
match = "= ${path}"
publisher = "admin"
channels_path = "$arg_id"
auth_basic = "r"
auth_basic_user_file = "${join(folder, file)}"
`;
describe.each(["native", "wire"])("passwords (%s)", (listener) => {
  let server: RunningServer;
  beforeAll(async () => {
    writeFileSync(join(folder, "slow"), `ann:${bcrypt("right")}\nbob:${bcrypt("other")}\n`);
    writeFileSync(join(folder, "crypt"), `ann:${APR1}\n`);
    const headers = 'header_template = "\\n"';
    const toml = layout("", { sub: headers }) + guarded("/slow", "slow") + guarded("/crypt", "crypt");
    server = await startServer({ toml, workers: 1, args: ["--listener", listener] });
  });
  afterAll(async () => await server.stop());

  const status = async (path: string, credentials: string): Promise<number> => {
    const Authorization = `Basic ${Buffer.from(credentials).toString("base64")}`;
    const request = { method: "POST", body: "x", headers: { Authorization } };
    return (await ask(server.port, `${path}?id=a`, request)).status;
  };

  test("how long an answer takes does not tell whether there is such a user", async () => {
    for (const path of ["/slow", "/crypt"]) {
      const known: number[] = [];
      const unknown: number[] = [];
      for (let i = 0; i < 15; i++) {
        for (const [user, times] of [
          ["ann", known],
          [`nobody${i}`, unknown],
        ] as const) {
          const startMs = performance.now();
          expect(await status(path, `${user}:wrong-${i}`)).toBe(401);
          times.push(performance.now() - startMs);
        }
      }
      const ratio = median(known) / median(unknown);
      // A hundred times as much when nothing was verified for who is not there; the rest is the machine.
      expect(ratio, path).toBeWithin(1 / 3, 3);
    }
  });

  test("who publishes elsewhere hardly notices that somebody guesses", async () => {
    const publishMs = async (): Promise<number> => {
      const times: number[] = [];
      for (let i = 0; i < 60; i++) {
        const startMs = performance.now();
        expect((await server.publish("a", "x")).status).toBe(200);
        times.push(performance.now() - startMs);
      }
      return median(times);
    };
    await publishMs();
    const quietMs = await publishMs();
    let isGuessing = true;
    const guesser = async (name: number): Promise<void> => {
      for (let i = 0; isGuessing; i++)
        expect(await status("/crypt", `ann:guess-${name}-${i}`)).toBeOneOf([401, 503]);
    };
    const guessers = Array.from({ length: 8 }, (_, name) => guesser(name));
    const busyMs = await publishMs();
    isGuessing = false;
    await Promise.all(guessers);
    expect(busyMs).toBeLessThan(10 * quietMs + 5);
  });

  test("the right password passes until the file says otherwise, and no log has it", async () => {
    expect(await status("/slow", "ann:right")).toBe(200);
    expect(await status("/slow", "ann:right")).toBe(200);
    writeFileSync(join(folder, "slow"), `ann:${bcrypt("next-one")}\n`);
    expect(await status("/slow", "ann:right")).toBe(401);
    expect(await status("/slow", "ann:next-one")).toBe(200);
    expect(server.log).not.toMatch(/right|next-one|wrong-|guess-/);
  });
});

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
