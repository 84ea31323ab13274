// The bench's end of a load generator: a process of its own that takes one command a line and answers each
// with one line of JSON. Used by swarm-client.ts and crowd-client.ts, which know the commands.

const running = new Set<Generator>();

export class Generator {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #answers: AsyncIterator<string>;

  /** `options` become `--name value`. */
  constructor(
    command: readonly string[],
    options: Readonly<Record<string, string | number>>,
    environment: Readonly<Record<string, string>> = {},
  ) {
    const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.#process = Bun.spawn([...command, ...words], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
      env: { ...process.env, ...environment },
    });
    this.#answers = lines(this.#process.stdout);
    running.add(this);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** For those who say a first line when they can take commands. */
  async started(): Promise<void> {
    if ((await this.#answers.next()).done === true) throw new Error("ended before it was ready");
  }

  async stop(): Promise<void> {
    this.#process.stdin.end();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 3000);
    await this.#process.exited;
    clearTimeout(timer);
    running.delete(this);
  }

  /** The generator's answer is what its head comment says; it is not checked again here. */
  async ask<Answer extends object>(command: string): Promise<Answer> {
    this.#process.stdin.write(`${command}\n`);
    this.#process.stdin.flush();
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`load generator ended at "${command}"`);
    const answer: Answer & { error?: string } = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(`load generator at "${command}": ${answer.error}`);
    return answer;
  }
}

/** For an interrupted bench. */
export async function stopGenerators(): Promise<void> {
  await Promise.all([...running].map((generator) => generator.stop()));
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
