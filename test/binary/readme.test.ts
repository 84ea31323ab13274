/**
 * The transcripts of the README and of the page for those who come from nginx, executed: each `$ command` of
 * its console blocks is run against a fresh server and must print what the README says, but for the store's
 * epoch, the port and a random time.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type RunningServer, startServer } from "./running-server.ts";

const root = join(import.meta.dir, "../..");
const readme = ["README.md", "docs/coming-from-nginx-push-stream.md"]
  .map((file) => readFileSync(join(root, file), "utf8"))
  .join("\n");

interface Step {
  readonly command: string;
  readonly output: string;
}

const steps: Step[] = [...readme.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, block = ""]) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const end = text.indexOf("\n");
      return { command: text.slice(0, end), output: text.slice(end + 1) };
    }),
);

let server: RunningServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.stop();
});

const withoutEpoch = (text: string): string =>
  text
    .replaceAll("\r\n", "\n")
    .replace(/^retry: \d{4}$/m, "retry: …")
    .replace(/\b[0-9a-z]{6,}-(\d+)\b/g, "EPOCH-$1")
    .replace(/"time":\d+/g, '"time":…')
    .replace(/"tag":\d+/g, '"tag":…');

test("the README has transcripts", () => {
  expect(steps.length).toBeGreaterThan(4);
});

test.each(steps)("$command", async ({ command, output }) => {
  const url = `127.0.0.1:${server.port}`;
  const isSluice = /^dist\/sluice (?!check|convert)/.test(command);
  const line = isSluice ? `${command} --url http://${url}` : command.replaceAll("127.0.0.1:8080", url);
  const child = Bun.spawn(["bash", "-c", `${line} 2>&1`], { cwd: root, stdin: "ignore", stdout: "pipe" });
  const printed = (await new Response(child.stdout).text()).replaceAll(url, "127.0.0.1:8080");
  expect(withoutEpoch(printed)).toBe(withoutEpoch(output));
});
