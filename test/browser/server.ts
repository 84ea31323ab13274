/**
 * The server the browser tests run on, chosen in one place: `SLUICE_TEST_URL` (one that runs already), else
 * the compiled binary with its embedded config.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_TOML } from "../../src/config/load.ts";

export interface TestServer {
  readonly url: string;
  readonly kind: string;
  stop(): Promise<void>;
}

const binary = process.env["SLUICE_BINARY"] ?? join(import.meta.dir, "../../dist/sluice");
const START_WITHIN_MS = 10_000;

export async function startServer(port: number): Promise<TestServer> {
  const { SLUICE_TEST_URL: url } = process.env;
  if (url) return { url, kind: url, stop: async () => undefined };
  if (!existsSync(binary)) throw new Error("dist/sluice is missing: bun run build");
  return startBinary(port);
}

async function startBinary(port: number): Promise<TestServer> {
  // A folder of its own, so that no other sluice on this machine shares the store.
  const folder = mkdtempSync(join(tmpdir(), "sluice-page-"));
  // The embedded default, but it keeps less, and what may not be stored is gone sooner: the page is to show a
  // gap.
  const config = join(folder, "sluice.toml");
  const short = '[store]\nunstored_message_ttl = "1s"\nmax_messages_stored_per_channel = 100';
  writeFileSync(config, DEFAULT_TOML.replace("[store]", short));
  const args = ["serve", "--listen", `127.0.0.1:${port}`, "--workers", "2", "--config", config];
  const process_ = Bun.spawn([binary, ...args], {
    env: { ...process.env, RUNTIME_DIRECTORY: folder },
    stdout: "ignore",
    stderr: "inherit",
  });
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    process_.kill("SIGTERM");
    await process_.exited;
    rmSync(folder, { recursive: true, force: true });
  };
  const deadline = Date.now() + START_WITHIN_MS;
  while (!(await answers(url))) {
    if (Date.now() > deadline || process_.exitCode !== null) {
      await stop();
      throw new Error(`dist/sluice did not answer on ${url}`);
    }
    await Bun.sleep(50);
  }
  return { url, kind: "binary", stop };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false; // Not listening yet.
  }
}
