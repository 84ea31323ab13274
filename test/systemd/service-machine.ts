/** A machine on which sluice can be installed, and what the tests of the service do on it again and again. */
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binary } from "../binary/running-server.ts";
import type { Report } from "./load.ts";
import { Machine } from "./machine.ts";

const LOAD = join(import.meta.dir, "load.ts");
const DEFAULT_CONFIG = join(import.meta.dir, "../../systemd/sluice.toml");

export class ServiceMachine {
  readonly machine: Machine;

  private constructor(machine: Machine) {
    this.machine = machine;
  }

  static async boot(): Promise<ServiceMachine> {
    const machine = await Machine.boot();
    copyFileSync(binary, join(machine.shared, "sluice"));
    return new ServiceMachine(machine);
  }

  /** Lays a file down in the machine. */
  async write(path: string, text: string): Promise<void> {
    writeFileSync(join(this.machine.shared, "incoming"), text);
    await this.machine.must(
      `mkdir -p "$(dirname ${path})" && cp --no-preserve=mode /mnt/host/incoming ${path}`,
    );
  }

  /** The default configuration with more room, `top` above it, two workers. */
  async configure(top = ""): Promise<void> {
    const text = (await Bun.file(DEFAULT_CONFIG).text())
      .replace(/^workers = .*$/m, "workers = 2")
      .replace(/^max_messages_stored_per_channel = .*$/m, "max_messages_stored_per_channel = 1000000");
    await this.write("/etc/sluice/sluice.toml", `${top}\n${text}`);
  }

  async publish(channel: string, text: string): Promise<void> {
    await this.machine.must(`curl -sf -d '${text}' 'http://127.0.0.1:8080/pub?id=${channel}'`);
  }

  /** The last `count` stored messages of a channel, each on a line. */
  async stored(channel: string, count: number): Promise<string> {
    return await this.machine.must(
      `sluice sub ${channel} --last ${count} --count ${count} --timeout 5 2>/dev/null`,
    );
  }

  async main(): Promise<number> {
    return Number(await this.machine.property("sluice", "MainPID"));
  }

  async workers(): Promise<number[]> {
    const out = await this.machine.must(`cat /proc/${await this.main()}/task/*/children`);
    return out
      .split(/\s+/)
      .filter((word) => word !== "")
      .map(Number);
  }

  /** What the service has logged since a moment of the machine's clock (`now`). */
  async journal(since: string): Promise<string> {
    return await this.machine.must(
      `journalctl --unit sluice --since '@${since}' --no-pager --output short-unix`,
    );
  }

  async now(): Promise<string> {
    return (await this.machine.must("date +%s.%6N")).trim();
  }

  /** Looks until the script succeeds; throws after that time. */
  async until(script: string, withinMs = 15_000): Promise<void> {
    const deadline = Date.now() + withinMs;
    while ((await this.machine.run(script)).code !== 0) {
      if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms in vain: ${script}`);
      await Bun.sleep(50);
    }
  }

  /** Files and folders whose names tell that they belong to sluice. */
  async leftovers(): Promise<string[]> {
    const { out } = await this.machine.run(
      "find / /run /tmp -xdev -iname '*sluice*' -not -path '/mnt/*' -not -path '/run/log/*' -not -path " +
        "'/var/log/journal/*' 2>/dev/null",
    );
    return out.split("\n").filter((path) => path !== "");
  }

  async load(readers: number, messagesPerSecond: number): Promise<Load> {
    const child = this.machine.startOnNetwork([
      process.execPath,
      LOAD,
      "8080",
      `${readers}`,
      `${messagesPerSecond}`,
    ]);
    const load = new Load(child);
    await load.line("connected");
    return load;
  }
}

/** A running load.ts. */
export class Load {
  readonly #child: ReturnType<Machine["startOnNetwork"]>;
  readonly #lines: AsyncIterator<string>;

  constructor(child: ReturnType<Machine["startOnNetwork"]>) {
    this.#child = child;
    this.#lines = linesOf(child.stdout)[Symbol.asyncIterator]();
  }

  async line(wanted?: string): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the load ended with ${await this.#child.exited}`);
    if (wanted !== undefined && value !== wanted) throw new Error(`the load said ${value}`);
    return value;
  }

  /** Publishes no more, and waits until every reader has every message. */
  async end(): Promise<Report> {
    this.#child.stdin.write("end\n");
    await this.#child.stdin.flush();
    return JSON.parse(await this.line());
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
