/**
 * docs/webhooks.md: the receivers in PHP, Python and Node as they stand there, sent to by the compiled
 * binary, and by those who are not it.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signatureOf } from "../../src/webhooks/signature.ts";
import { freePort, until } from "../binary/running-server.ts";
import { runSluice } from "../cli/run-sluice.ts";
import { SECRET } from "./receiver.ts";

const manual = readFileSync(join(import.meta.dir, "../../docs/webhooks.md"), "utf8");
const block = (language: string): string =>
  new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "ms").exec(manual)?.[1] ?? "";

const folder = mkdtempSync(join(tmpdir(), "sluice-hooks-"));
const running: Bun.Subprocess[] = [];
afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  await Promise.all(running.map(({ exited }) => exited));
  rmSync(folder, { recursive: true, force: true });
});

const LANGUAGES = [
  { language: "php", file: "hook.php", command: (path: string, at: string) => ["php", "-S", at, path] },
  {
    language: "python",
    file: "hook.py",
    command: (path: string, at: string) => ["python3", path, at.split(":")[1] ?? ""],
  },
  {
    language: "js",
    file: "hook.mjs",
    command: (path: string, at: string) => ["node", path, at.split(":")[1] ?? ""],
  },
];

describe.each(LANGUAGES)("the receiver in $language", ({ language, file, command }) => {
  const path = join(folder, file);
  const at = `127.0.0.1:${freePort()}`;
  const url = `http://${at}/hook.php`;
  const [program = "", ...args] = command(path, at);
  let said = "";

  const post = async (body: string, signature: string | null): Promise<number> => {
    const headers: Record<string, string> = signature === null ? {} : { "X-Sluice-Signature": signature };
    return (await fetch(url, { method: "POST", body, headers })).status;
  };

  test.skipIf(Bun.which(program) === null)("takes what sluice sends, and nothing else", async () => {
    writeFileSync(path, block(language));
    const child = Bun.spawn([program, ...args], {
      env: { ...process.env, HOOK_SECRET: SECRET },
      stdio: ["ignore", "ignore", "pipe"],
    });
    running.push(child);
    void (async () => {
      for await (const chunk of child.stderr) said += Buffer.from(chunk).toString();
    })();
    await until("it listens", () =>
      fetch(url, { method: "POST", body: "" })
        .then(() => true)
        .catch(() => false),
    );
    const config = join(folder, `${language}.toml`);
    writeFileSync(
      config,
      `[[webhook]]\nname = "mine"\nurl = "${url}"\nevents = ["occupied"]\nsecret = "${SECRET}"\n`,
    );
    const { code, out } = await runSluice(["webhook", "test", "mine", "--config", config]);
    expect(out).toContain("taken (204)");
    expect(code).toBe(0);
    await until("it read the event", () => / test test\s/.test(said));

    const body = '{"webhook":"mine","events":[{"id":"1-1","event":"occupied","channel":"a","time":1}]}';
    const nowSec = Math.floor(Date.now() / 1000);
    const sign = (sec: number, text = body, secret = SECRET): string =>
      signatureOf(Buffer.from(secret), sec, Buffer.from(text));
    expect(await post(body, sign(nowSec))).toBe(204);
    expect(await post(body, sign(nowSec - 200))).toBe(204);
    for (const [why, signature] of [
      ["none", null],
      ["too old", sign(nowSec - 400)],
      ["from the future", sign(nowSec + 400)],
      ["of another body", sign(nowSec, `${body} `)],
      ["of another secret", sign(nowSec, body, "another secret")],
      ["of another time", sign(nowSec - 1).replace(/^t=\d+/, `t=${nowSec}`)],
      ["cut short", sign(nowSec).slice(0, -1)],
      ["with more behind it", `${sign(nowSec)}0`],
      ["no number", sign(nowSec).replace(/^t=\d+/, "t=1e9")],
    ] as const)
      expect(`${why} ${await post(body, signature)}`).toBe(`${why} 401`);
  });
});
