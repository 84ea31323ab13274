/** Starting the processes of a race, and making sure that none outlives its test. */
import type { Subprocess } from "bun";

export type Helper = Subprocess<"pipe", "pipe", "inherit">;

const started = new Set<Helper>();

export function start(file: string, ...args: (string | number)[]): Helper {
  const script = new URL(file, import.meta.url).pathname;
  const helper = Bun.spawn([process.execPath, script, ...args.map(String)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  started.add(helper);
  return helper;
}

/** What a helper printed, once it has ended well. */
export async function finish(helper: Helper): Promise<string> {
  helper.stdin.end();
  const output = await new Response(helper.stdout).text();
  const code = await helper.exited;
  started.delete(helper);
  if (code !== 0) throw new Error(`a helper ended with ${code}`);
  return output;
}

/** For afterEach: whatever a failed test left behind. */
export async function stopAll(): Promise<void> {
  for (const helper of started) {
    helper.kill("SIGKILL");
    await helper.exited;
  }
  started.clear();
}
