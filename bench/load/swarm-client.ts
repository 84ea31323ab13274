// The bench's end of the load generator: starts swarm.c (or swarm.ts where there is no compiler) as a process, sends
// it one command at a time, returns the typed answer. The commands are described at the top of swarm.c.

import { join } from "node:path";
import { compileC } from "../compile.ts";
import { type Peer, publishPath, type Server, type Transport } from "../peers/peer.ts";

export interface RunResult {
  readonly messages: number;
  /** Messages times subscribers, each checked for order and completeness. */
  readonly deliveries: number;
  readonly wallUs: number;
  /** The generator's own CPU time. */
  readonly cpuUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  /** Only from `pace`: every latency, sorted. */
  readonly samplesUs?: readonly number[];
}

const MESSAGE_BYTES = 100;
const swarms = new Set<Swarm>();

export class Swarm {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #answers: AsyncIterator<string>;

  constructor(command: readonly string[]) {
    this.#process = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    this.#answers = lines(this.#process.stdout);
    swarms.add(this);
  }

  async grow(subscribers: number): Promise<void> {
    await this.#ask(`grow ${subscribers}`);
  }

  /** Closed loop: `window` publishes in flight for `ms`. */
  run(window: number, ms: number): Promise<RunResult> {
    return this.#ask(`run ${window} ${ms}`);
  }

  /** Open loop: `hz` publishes a second for `ms`. */
  pace(hz: number, ms: number): Promise<RunResult> {
    return this.#ask(`pace ${hz} ${ms}`);
  }

  once(): Promise<RunResult> {
    return this.#ask("once");
  }

  async stop(): Promise<void> {
    this.#process.stdin.end();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 3000);
    await this.#process.exited;
    clearTimeout(timer);
    swarms.delete(this);
  }

  async #ask(command: string): Promise<RunResult> {
    this.#process.stdin.write(`${command}\n`);
    this.#process.stdin.flush();
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`load generator ended at "${command}"`);
    const answer: RunResult & { error?: string } = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(`load generator at "${command}": ${answer.error}`);
    return answer;
  }
}

/** Starts a generator for one channel of one server; no subscriber is connected yet. */
export async function startSwarm(
  peer: Peer,
  server: Server,
  transport: Transport,
  channel: string,
): Promise<Swarm> {
  const executable = await compileC(join(import.meta.dir, "swarm.c"));
  const command = executable === null ? [process.execPath, join(import.meta.dir, "swarm.ts")] : [executable];
  const options = {
    port: server.port,
    mode: transport,
    subscribe: peer.subscribePath(transport, channel),
    publish: publishPath(channel),
    size: MESSAGE_BYTES,
  };
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return new Swarm([...command, ...words]);
}

/** For an interrupted bench. */
export async function stopSwarms(): Promise<void> {
  await Promise.all([...swarms].map((swarm) => swarm.stop()));
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
