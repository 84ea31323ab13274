// sluice as a contender, by each of its doors: the compiled binary with sluice.toml. Its store goes to a temp
// folder of its own, so that a run never finds another run's messages and two servers of one run do not share
// a store.

import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Peer, Server, type StartOptions, type Transport, takePort } from "./peer.ts";
import { configuration, type Door } from "./sluice-config.ts";

const root = join(import.meta.dir, "..", "..");
const built = join(root, "dist", "sluice");
const PREFIX: Record<Transport, string> = { stream: "sub", ws: "ws", sse: "ev", longpoll: "lp" };

/**
 * The copy that this run measures: somebody may build again meanwhile, and a table must not mix two builds.
 */
let pinned: {
  readonly folder: string;
  readonly binary: string;
  readonly name: string;
} | null = null;

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

/** Command and environment of one `serve` with that configuration file. */
export function serveCommand(port: number, workers: number, folder: string, config: string) {
  const listen = `127.0.0.1:${port}`;
  return {
    command: [pinnedBinary(), "serve", "--config", config, "--listen", listen, "--workers", String(workers)],
    environment: { RUNTIME_DIRECTORY: folder },
  };
}

/**
 * The same with the bench's configuration for a door; the file lies beside the store. Shared with the row
 * that times the start.
 */
export function doorCommand(door: Door, port: number, folder: string, options: StartOptions = {}) {
  const { workers = 1, certificate, pingSec, console } = options;
  const file = join(folder, "sluice.toml");
  const listen = `127.0.0.1:${port}`;
  writeFileSync(file, configuration({ listen, door, certificate, pingSec, console }));
  return {
    command: [pinnedBinary(), "serve", "--config", file, "--workers", String(workers)],
    environment: { RUNTIME_DIRECTORY: folder },
  };
}

/** Where a store of shared memory belongs; the disk is only a way out for machines without /dev/shm. */
export function storeFolder(): string {
  const parent = existsSync("/dev/shm") ? "/dev/shm" : "/tmp";
  return mkdtempSync(join(parent, "sluice-bench-"));
}

/**
 * Builds first (a binary older than the source is the easiest way to measure nothing); the build skips what
 * it can.
 */
function buildOnce(): string | null {
  if (pinned !== null) return null;
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
}

export const subscribePath = (transport: Transport, channel: string): string =>
  `/${PREFIX[transport]}/${channel}`;

/** sluice listening by that door; named as the door. */
export function sluice(door: Door): Peer {
  return {
    name: door,
    async missing() {
      return buildOnce();
    },
    async start(options = {}) {
      const folder = storeFolder();
      const port = takePort();
      const { command, environment } = doorCommand(door, port, folder, options);
      const cleanUp = () => rmSync(folder, { recursive: true, force: true });
      return new Server(port, command, cleanUp, environment).ready(options.workers ?? 1);
    },
    subscribePath,
  };
}
