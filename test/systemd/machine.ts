/**
 * A machine with a real systemd, for the tests of this folder: boots one (boot.sh), runs commands in it,
 * powers it off. Its network is a loopback of its own; programs of this side can be put on it.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";

const BOOT = join(import.meta.dir, "boot.sh");
/** A tree that has to be made first takes half a minute. */
const BOOT_WITHIN_MS = 240_000;
const COMMAND_WITHIN_MS = 60_000;

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Why there can be no machine here, and what to do about it; null when there can. */
export function whyNot(): string | null {
  const missing = ["systemd-nspawn", "debootstrap", "nsenter", "unshare", "flock"].filter(
    (tool) => Bun.which(tool) === null,
  );
  const fault =
    process.getuid?.() !== 0
      ? "they need root"
      : missing.length > 0
        ? `${missing.join(", ")} missing`
        : existsSync("/sys/fs/cgroup")
          ? null
          : "no control groups here";
  return fault === null
    ? null
    : `tests on a real systemd skipped: ${fault}; ` +
        "to run them, as root on Debian: apt-get install systemd-container debootstrap " +
        "&& bun test test/systemd";
}

export class Machine {
  /** Visible inside as /mnt/host. */
  readonly shared: string;
  readonly #keeper: Subprocess<"pipe", "pipe", "pipe">;
  readonly #leader: number;

  private constructor(shared: string, keeper: Subprocess<"pipe", "pipe", "pipe">, leader: number) {
    this.shared = shared;
    this.#keeper = keeper;
    this.#leader = leader;
  }

  static async boot(): Promise<Machine> {
    const shared = mkdtempSync(join(tmpdir(), "sluice-machine-"));
    const keeper = Bun.spawn([BOOT, shared], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    const limit = setTimeout(() => keeper.kill("SIGTERM"), BOOT_WITHIN_MS);
    const decoder = new TextDecoder();
    let said = "";
    for await (const chunk of keeper.stdout) {
      said += decoder.decode(chunk, { stream: true });
      const leader = /^leader (\d+)$/m.exec(said)?.[1];
      if (leader === undefined) continue;
      clearTimeout(limit);
      return new Machine(shared, keeper, Number(leader));
    }
    clearTimeout(limit);
    rmSync(shared, { recursive: true, force: true });
    throw new Error(`no boot: ${await new Response(keeper.stderr).text()}`);
  }

  /** Runs a script of bash in the machine, as root. */
  async run(script: string, withinMs = COMMAND_WITHIN_MS): Promise<Outcome> {
    const child = this.start(script);
    const limit = setTimeout(() => child.kill("SIGKILL"), withinMs);
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    clearTimeout(limit);
    return { code, out, err };
  }

  /** The same; throws when it does not end with 0. Answers what it printed. */
  async must(script: string, withinMs = COMMAND_WITHIN_MS): Promise<string> {
    const { code, out, err } = await this.run(script, withinMs);
    if (code !== 0) throw new Error(`${script}\nended with ${code}:\n${out}${err}`);
    return out;
  }

  start(script: string): Subprocess<"ignore", "pipe", "pipe"> {
    const environment = [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "HOME=/root",
      "LANG=C.UTF-8",
    ];
    const quiet = ["SYSTEMD_PAGER=", "SYSTEMD_COLORS=0"];
    const all = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"];
    return Bun.spawn(
      [
        "nsenter",
        "--target",
        `${this.#leader}`,
        ...all,
        "--",
        "env",
        "-i",
        ...environment,
        ...quiet,
        "bash",
        "-c",
        script,
      ],
      { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    );
  }

  /** Starts a program of this side on the machine's network. */
  startOnNetwork(command: readonly string[]): Subprocess<"pipe", "pipe", "inherit"> {
    return Bun.spawn(["nsenter", "--target", `${this.#leader}`, "--net", "--", ...command], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
  }

  /** A property of a unit, as `systemctl show` tells it. */
  async property(unit: string, name: string): Promise<string> {
    return (await this.must(`systemctl show --property=${name} --value ${unit}`)).trim();
  }

  async powerOff(): Promise<void> {
    this.#keeper.stdin.end();
    await this.#keeper.exited;
    rmSync(this.shared, { recursive: true, force: true });
  }
}
