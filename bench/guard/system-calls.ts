// Counts the system calls that have to do with sockets which another process makes during a job, by strace.
// Used by counts.ts. Others (futexes, memory) come from the runtime's threads when they please, and waiting
// for events from the pace of the client.

import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const WRITES = ["write", "writev", "sendto", "sendmsg", "sendmmsg"];
const OTHERS = [
  "read",
  "readv",
  "recvfrom",
  "recvmsg",
  "recvmmsg",
  "epoll_ctl",
  "accept4",
  "accept",
  "close",
  "shutdown",
  "setsockopt",
  "getsockopt",
  "getpeername",
  "getsockname",
  "ioctl",
  "fcntl",
];
const ATTACH_MS = 5000;

export interface SystemCalls {
  readonly writes: number;
  /** Those and all others that have to do with sockets. */
  readonly all: number;
}

/** Why system calls cannot be counted here, or null. */
export function whyNot(): string | null {
  if (Bun.which("strace") === null) return "strace is not installed";
  const sleeper = Bun.spawn(["sleep", "5"], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  try {
    // Ends at once where ptrace is refused; else its time is over.
    const tried = Bun.spawnSync(["timeout", "-s", "INT", "0.3", "strace", "-c", "-p", String(sleeper.pid)]);
    return /attach|ptrace\(/.test(tried.stderr.toString()) &&
      !/attached|detached/.test(tried.stderr.toString())
      ? `ptrace is not allowed: ${tried.stderr.toString().trim().split("\n")[0]}`
      : null;
  } finally {
    sleeper.kill();
  }
}

export async function countCalls(pid: number, job: () => Promise<unknown>): Promise<SystemCalls> {
  const file = join(tmpdir(), `sluice-guard-strace-${process.pid}`);
  const command = ["strace", "-f", "-c", "-U", "calls,name", "-o", file, "-e"];
  const tracer = Bun.spawn([...command, `trace=${[...WRITES, ...OTHERS].join(",")}`, "-p", String(pid)], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  try {
    await attached(tracer.stderr);
    await job();
    tracer.kill("SIGINT");
    await tracer.exited;
    return readSummary(readFileSync(file, "utf8"));
  } finally {
    tracer.kill("SIGINT");
    await tracer.exited;
    rmSync(file, { force: true });
  }
}

/**
 * strace says so once it follows all threads; what it says later must be read too, or it would stand still.
 */
async function attached(stream: ReadableStream<Uint8Array>): Promise<void> {
  const seen = Promise.withResolvers<void>();
  const timer = setTimeout(() => seen.reject(new Error("strace did not attach within 5 s")), ATTACH_MS);
  const reading = async (): Promise<void> => {
    let text = "";
    for await (const bytes of stream) {
      text += Buffer.from(bytes).toString("latin1");
      if (text.includes("attached")) seen.resolve();
    }
    seen.reject(new Error(`strace ended: ${text.trim()}`));
  };
  void reading();
  await seen.promise.finally(() => clearTimeout(timer));
}

function readSummary(text: string): SystemCalls {
  const counts = new Map<string, number>();
  for (const [, calls, name] of text.matchAll(/^\s*(\d+)\s+([a-z_0-9]+)\s*$/gm))
    counts.set(name ?? "", Number(calls));
  const sum = (names: readonly string[]) => names.reduce((all, name) => all + (counts.get(name) ?? 0), 0);
  return { writes: sum(WRITES), all: sum(WRITES) + sum(OTHERS) };
}
