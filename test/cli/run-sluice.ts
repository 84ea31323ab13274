/**
 * Starts the command line as its own process. From source; with SLUICE_BINARY set, the compiled executable.
 * Used by the tests of this folder.
 */
import { join } from "node:path";
import type { Subprocess } from "bun";

const main = join(import.meta.dir, "..", "..", "src", "main.ts");
const binary = process.env["SLUICE_BINARY"];
/** The words that start it. */
export const command: readonly string[] = binary === undefined ? [process.execPath, main] : [binary];

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs to the end; `input` is its standard input, empty by default. */
export async function runSluice(
  args: readonly string[],
  input: string | Uint8Array = "",
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const child = Bun.spawn([...command, ...args], {
    stdin: typeof input === "string" ? Buffer.from(input) : input,
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...env },
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, out, err };
}

/** A running `sluice …` whose output can be waited for. */
export class RunningSluice {
  out = "";
  err = "";
  readonly #child: Subprocess<"ignore", "pipe", "pipe">;
  readonly #read: Promise<unknown>;
  #wake: () => void = () => undefined;

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = Bun.spawn([...command, ...args], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, ...env },
    });
    this.#read = Promise.all([
      this.#collect(this.#child.stdout, "out"),
      this.#collect(this.#child.stderr, "err"),
    ]);
  }

  /**
   * Resolves when the condition holds; throws with all output after 20 s: a client that was cut off comes
   * back ever later.
   */
  async until(condition: (running: RunningSluice) => boolean): Promise<void> {
    const deadlineMs = performance.now() + 20_000;
    while (!condition(this)) {
      if (performance.now() > deadlineMs)
        throw new Error(`waited in vain; out: ${this.out} err: ${this.err}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 50);
      });
    }
  }

  /** Resolves when it says on stderr that it is connected for the `times`th time. */
  connected(times = 1): Promise<void> {
    return this.until(({ err }) => err.split(/^\* connected/m).length > times);
  }

  /** Sends a signal and resolves to how it ended. */
  async stop(signal: NodeJS.Signals = "SIGINT"): Promise<Outcome> {
    this.#child.kill(signal);
    return await this.ended();
  }

  async ended(): Promise<Outcome> {
    const code = await this.#child.exited;
    await this.#read;
    return { code, out: this.out, err: this.err };
  }

  async #collect(stream: ReadableStream<Uint8Array>, name: "out" | "err"): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this[name] += decoder.decode(chunk, { stream: true });
      this.#wake();
    }
  }
}
