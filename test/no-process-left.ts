/**
 * Runs with every `bun test` (bunfig.toml): what tests started and did not end is ended here, by its process
 * id, and fails the run. A test that fails half-way ends nothing, and a server it left would be seen, and
 * disturbed, by those that follow.
 */
import { afterAll } from "bun:test";

const running = new Map<Bun.Subprocess, string>();

const spawn = Bun.spawn;
Object.assign(Bun, {
  spawn(...given: Parameters<typeof Bun.spawn>) {
    const child = spawn(...given);
    running.set(child, commandOf(given[0]));
    void child.exited.then(() => running.delete(child));
    return child;
  },
});

/** `Bun.spawn([…])`, or `Bun.spawn({ cmd: […] })` as node:child_process calls it. */
function commandOf(first: unknown): string {
  const command = first !== null && typeof first === "object" && "cmd" in first ? first.cmd : first;
  return Array.isArray(command) ? command.join(" ") : String(command);
}

afterAll(async () => {
  const left = [...running].filter(([child]) => child.exitCode === null && child.signalCode === null);
  for (const [child] of left) child.kill("SIGKILL");
  await Promise.all(left.map(([child]) => child.exited));
  const commands = left.map(([, command]) => command);
  if (left.length > 0) throw new Error(`left behind, and ended now: ${commands.join("; ")}`);
});
