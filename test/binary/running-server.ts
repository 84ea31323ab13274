/**
 * A real `dist/sluice serve` for tests: its own store folder, a port nobody uses, two workers unless said
 * otherwise. Used by every suite that tests the compiled binary.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../until.ts";

export { until };

export const binary = process.env["SLUICE_BINARY"] ?? join(import.meta.dir, "../../dist/sluice");
const READY_WITHIN_MS = 25_000;
const SMALL = 'size = "16MiB"\n';

export interface ServerOptions {
  /**
   * The configuration; none: the embedded default. `listen` is overridden; the listener is the one that its
   * streams need.
   */
  readonly toml?: string;
  readonly workers?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** A store folder to start again on. */
  readonly folder?: string;
  /** The address to start again on. */
  readonly port?: number;
  /** Another copy of the program. */
  readonly program?: string;
  /** A command that runs its arguments as a program, put in front: a shell that sets limits first. */
  readonly through?: readonly string[];
  /** Host to listen on; the tests themselves always come by loopback. */
  readonly host?: string;
  /** The configuration's addresses are not overridden; `port` is among them. */
  readonly listensByFile?: boolean;
  /** More command-line arguments of `serve`. */
  readonly args?: readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export class RunningServer {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  readonly configFile: string;
  readonly process: Bun.Subprocess<"ignore", "ignore", "pipe">;
  /** Everything main and workers wrote to stderr. */
  log = "";

  constructor(
    port: number,
    folder: string,
    configFile: string,
    process: Bun.Subprocess<"ignore", "ignore", "pipe">,
  ) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.folder = folder;
    this.configFile = configFile;
    this.process = process;
    void this.#readLog();
  }

  async request(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(this.url + path, init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  async publish(
    channels: string,
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return await this.request(`/pub?id=${channels}`, { method: "POST", body, headers });
  }

  async statistics(
    channel: string,
  ): Promise<{ published_messages: number; stored_messages: number; subscribers: number }> {
    const answer = await this.request(`/channels-stats?id=${channel}`);
    if (answer.status === 404) return { published_messages: 0, stored_messages: 0, subscribers: 0 };
    return JSON.parse(answer.text);
  }

  async summary(): Promise<{
    subscribers: number;
    stored_messages: number;
    by_worker: { pid: string; subscribers: number }[];
  }> {
    return JSON.parse((await this.request("/channels-stats")).text);
  }

  /** Never 0 or less: to kill(2) those are whole groups of processes. */
  async workerPids(): Promise<number[]> {
    return (await this.summary()).by_worker.map((worker) => Number(worker.pid)).filter((pid) => pid > 0);
  }

  /** A counter of /metrics, summed over workers. */
  async metric(name: string): Promise<number> {
    let sum = 0;
    for (const line of (await this.request("/metrics")).text.split("\n")) {
      if (line.startsWith(name)) sum += Number(line.slice(line.lastIndexOf(" ") + 1));
    }
    return sum;
  }

  /** Ends it and, unless told to keep it, its store. */
  async stop(keepStore = false): Promise<number> {
    this.process.kill("SIGTERM");
    const code = await this.process.exited;
    if (!keepStore) rmSync(this.folder, { recursive: true, force: true });
    return code;
  }

  async #readLog(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.process.stderr) this.log += decoder.decode(chunk, { stream: true });
  }
}

export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  if (!existsSync(binary)) throw new Error("dist/sluice is missing: bun run build");
  const port = options.port ?? freePort();
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "sluice-test-"));
  const configFile = join(folder, "sluice.toml");
  const args = [
    ...(options.through ?? []),
    options.program ?? binary,
    "serve",
    ...(options.listensByFile === true ? [] : ["--listen", `${options.host ?? "127.0.0.1"}:${port}`]),
    "--workers",
    String(options.workers ?? 2),
    ...(isForWire(options.toml ?? "") ? ["--listener", "wire"] : []),
    ...(options.args ?? []),
  ];
  if (options.toml !== undefined) {
    writeFileSync(configFile, withSmallStore(options.toml));
    args.push("--config", configFile);
  }
  const child = Bun.spawn(args, {
    env: { ...process.env, RUNTIME_DIRECTORY: folder, ...options.env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const server = new RunningServer(port, folder, configFile, child);
  const deadline = Date.now() + READY_WITHIN_MS;
  // The first worker answers before the others listen; a test that wants connections on both needs them all.
  while (!(server.log.includes(": serving ") && (await isReady(server.url)))) {
    if (child.exitCode !== null) throw new Error(`sluice ended with ${child.exitCode}:\n${server.log}`);
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`sluice was not ready in time:\n${server.log}`);
    }
    await Bun.sleep(20);
  }
  return server;
}

/**
 * A store is written in full at start, which is a third of what starting costs: hundreds of servers start in
 * a run, and few need the default's 64 MiB. For whoever writes the file again, too: a new size takes a
 * restart.
 */
export function withSmallStore(toml: string): string {
  const [, table] = /^\[store\]$([^[]*)/m.exec(toml) ?? [];
  if (table === undefined) return `${toml}\n[store]\n${SMALL}`;
  return /^size\b/m.test(table) ? toml : toml.replace(/^\[store\]$/m, () => `[store]\n${SMALL}`);
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/ready`)).ok;
  } catch {
    return false; // not listening yet
  }
}

const given = new Set<number>();

/** Of this file alone, where files run side by side (test/run.ts): null: the kernel's choice. */
const own = /^(\d+)-(\d+)$/.exec(process.env["SLUICE_TEST_PORTS"] ?? "");
let nextOwn = Math.floor(Math.random() * 1000);

/** None twice: two servers on one port would share their clients, as workers do. */
export function freePort(): number {
  for (let tries = 0; tries < 5000; tries++) {
    const port = boundPort(own === null ? 0 : ownPort(Number(own[1]), Number(own[2])));
    if (port === null || given.has(port)) continue;
    given.add(port);
    return port;
  }
  throw new Error("no port is free");
}

const ownPort = (first: number, last: number): number => first + (nextOwn++ % (last - first + 1));

/** null: somebody has it. */
function boundPort(wanted: number): number | null {
  try {
    const probe = Bun.listen({ hostname: "127.0.0.1", port: wanted, socket: { data: () => undefined } });
    const { port } = probe;
    probe.stop(true);
    return port;
  } catch {
    return null;
  }
}

/**
 * Streams that begin with nothing are for the wire listener: the native one keeps their heads back
 * (docs/doors.md).
 */
const isForWire = (toml: string): boolean =>
  toml
    .split("[[")
    .some(
      (table) => /^subscriber = "streaming"/m.test(table) && !/header_template = ["'](?!["'])/.test(table),
    );

/** The seeds' layout with stored messages and no ttl or ping, for tests that say what they need besides. */
export const layout = (top = "", locations: Partial<Record<string, string>> = {}): string => `
${top}
[[location]]
match = "= /pub"
publisher = "admin"
channels_path = "$arg_id"
store_messages = true
${locations["pub"] ?? ""}
[[location]]
match = "= /channels-stats"
statistics = true
channels_path = "$arg_id"
[[location]]
match = "~ ^/sub/(.*)$"
subscriber = "streaming"
channels_path = "$1"
${locations["sub"] ?? ""}
[[location]]
match = "~ ^/ev/(.*)$"
subscriber = "eventsource"
channels_path = "$1"
${locations["ev"] ?? ""}
[[location]]
match = "~ ^/lp/(.*)$"
subscriber = "long-polling"
channels_path = "$1"
${locations["lp"] ?? ""}
[[location]]
match = "~ ^/poll/(.*)$"
subscriber = "polling"
channels_path = "$1"
${locations["poll"] ?? ""}
[[location]]
match = "~ ^/ws/(.*)$"
subscriber = "websocket"
channels_path = "$1"
${locations["ws"] ?? ""}
`;
