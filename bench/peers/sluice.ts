// sluice as a contender: the compiled binary with sluice.toml. Its store goes to a temp folder of its own, so that a
// run never finds another run's messages and two servers of one run do not share a store.

import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Peer, Server, type Transport, takePort } from "./peer.ts";

const root = join(import.meta.dir, "..", "..");
const built = join(root, "dist", "sluice");
const PREFIX: Record<Transport, string> = { stream: "sub", ws: "ws", sse: "ev", longpoll: "lp" };

/** The copy that this run measures: somebody may build again meanwhile, and a table must not mix two builds. */
let pinned: { readonly folder: string; readonly binary: string; readonly name: string } | null = null;

function pin(): void {
  const folder = mkdtempSync(join(tmpdir(), "sluice-bench-binary-"));
  const binary = join(folder, "sluice");
  copyFileSync(built, binary);
  const hash = Bun.hash(readFileSync(binary)).toString(16).slice(0, 8);
  const version = Bun.spawnSync([binary, "version"]).stdout.toString().trim().split("\n")[0];
  pinned = { folder, binary, name: `${version}, binary ${hash}` };
}

/** "sluice 0.1.0 ..., binary 1a2b3c4d": what the report names. */
export function measuredBuild(): string {
  return pinned?.name ?? "no sluice";
}

/** For rows that start it with a configuration of their own. */
export function pinnedBinary(): string {
  if (pinned === null) throw new Error("sluice was not built: ask missing() first");
  return pinned.binary;
}

/** At the end of the run, when no server is left. */
export function releaseBinary(): void {
  if (pinned !== null) rmSync(pinned.folder, { recursive: true, force: true });
}

/** Command and environment of one `serve`, shared with the row that times the start. */
export function serveCommand(
  port: number,
  workers: number,
  folder: string,
  config: string = join(import.meta.dir, "sluice.toml"),
) {
  const listen = `127.0.0.1:${port}`;
  return {
    command: [pinnedBinary(), "serve", "--config", config, "--listen", listen, "--workers", String(workers)],
    environment: { RUNTIME_DIRECTORY: folder },
  };
}

/** Where a store of shared memory belongs; the disk is only a way out for machines without /dev/shm. */
export function storeFolder(): string {
  const parent = existsSync("/dev/shm") ? "/dev/shm" : "/tmp";
  return mkdtempSync(join(parent, "sluice-bench-"));
}

export const sluice: Peer = {
  name: "sluice",
  /** Builds first (a binary older than the source is the easiest way to measure nothing); the build skips what it can. */
  async missing() {
    const build = Bun.spawnSync([process.execPath, "run", "build"], {
      cwd: root,
      stdout: "ignore",
      stderr: "pipe",
    });
    if (build.success && existsSync(built)) {
      pin();
      return null;
    }
    return `sluice: \`bun run build\` failed: ${build.stderr.toString().trim().split("\n").at(-1)}`;
  },
  async start(workers = 1) {
    const folder = storeFolder();
    const port = takePort();
    const { command, environment } = serveCommand(port, workers, folder);
    const cleanUp = () => rmSync(folder, { recursive: true, force: true });
    return new Server(port, command, cleanUp, environment).ready(workers);
  },
  subscribePath: (transport, channel) => `/${PREFIX[transport]}/${channel}`,
};
