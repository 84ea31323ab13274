/**
 * `sluice pub --batch FILE`: publishes the lines of a file or of standard input, NDJSON as docs/publishing.md
 * has it, some at a time. Every line gets an idempotency key unless it has one, so that what is sent again
 * after a broken connection is published once. Called by pub.ts.
 */
import { isatty } from "node:tty";
import { bearer, tokenOf } from "./client/credential.ts";
import { parseBaseUrl } from "./client/endpoint.ts";
import { explainOf, refusedSentence } from "./client/http.ts";
import { LineSplitter } from "./client/line-splitter.ts";
import { MAX_MESSAGE_BYTES, MessageTooLarge } from "./client/pending-bytes.ts";
import { CommandFailure, ExitCode, usageFault } from "./failure.ts";
import { writeNote, writeOut } from "./output.ts";
import { newKey, patientPost } from "./patient-post.ts";
import type { PubOptions } from "./pub.ts";
import { plural, printable } from "./style.ts";

/** What one request carries: well below what servers take unless they are told otherwise. */
const MOST_LINES = 100;
const MOST_BYTES = 256 * 1024;
/** Lines that failed, told one by one. */
const MOST_TOLD = 20;
const PROGRESS_MS = 200;
const AGAIN_MS = 250;

interface Batch {
  readonly lines: string[];
  /** In the file. */
  readonly numbers: number[];
  bytes: number;
}

interface Result {
  readonly position?: string;
  readonly positions?: readonly (string | null)[];
  readonly duplicate?: boolean;
  readonly status?: number;
  readonly explain?: string | null;
}

export async function pubBatchCommand(file: string, options: PubOptions): Promise<number> {
  const base = parseBaseUrl(options.url);
  const sender = new BatchSender(base, options);
  try {
    for await (const batch of batchesOf(file)) await sender.send(batch);
  } catch (error) {
    sender.progress.clear();
    throw error instanceof CommandFailure ? sender.afterSome(error) : error;
  }
  return sender.end();
}

/** Throws CommandFailure when a line is no JSON object. */
async function* batchesOf(file: string): AsyncGenerator<Batch, void, undefined> {
  const run = newKey();
  let batch: Batch = { lines: [], numbers: [], bytes: 0 };
  let number = 0;
  for await (const line of linesOf(file)) {
    number++;
    if (line.trim() === "") continue;
    const keyed = withKey(line, number, run);
    const bytes = Buffer.byteLength(keyed);
    if (batch.lines.length >= MOST_LINES || (batch.bytes > 0 && batch.bytes + bytes > MOST_BYTES)) {
      yield batch;
      batch = { lines: [], numbers: [], bytes: 0 };
    }
    batch.lines.push(keyed);
    batch.numbers.push(number);
    batch.bytes += bytes;
  }
  if (batch.lines.length > 0) yield batch;
}

async function* linesOf(file: string): AsyncGenerator<string, void, undefined> {
  const splitter = new LineSplitter(MAX_MESSAGE_BYTES);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    const input = file === "-" ? Bun.stdin : Bun.file(file);
    for await (const chunk of input.stream())
      for (const line of splitter.push(chunk)) yield decoder.decode(line);
    const rest = splitter.rest();
    if (rest !== null) yield decoder.decode(rest);
  } catch (error) {
    if (error instanceof MessageTooLarge)
      throw usageFault(
        `a line is larger than ${MAX_MESSAGE_BYTES >> 20} MiB, which is too much for one message.`,
      );
    if (error instanceof TypeError) throw usageFault("a line is not UTF-8.");
    throw error instanceof Error && "code" in error
      ? usageFault(`cannot read ${file}: ${error.message}`)
      : error;
  }
}

function withKey(line: string, number: number, run: string): string {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    message = null;
  }
  if (typeof message !== "object" || message === null || Array.isArray(message))
    throw new CommandFailure(ExitCode.FAILURE, `line ${number} is no JSON object.`);
  return "key" in message ? line : JSON.stringify({ ...message, key: `${run}-${number}` });
}

class BatchSender {
  readonly progress = new Progress();
  readonly #base: string;
  readonly #options: PubOptions;
  readonly #headers: Readonly<Record<string, string>>;
  #published = 0;
  #known = 0;
  #failed = 0;
  #requests = 0;

  constructor(base: string, options: PubOptions) {
    this.#base = base;
    this.#options = options;
    const ndjson = "application/x-ndjson";
    this.#headers = { "Content-Type": ndjson, Accept: ndjson, ...bearer(tokenOf(options)) };
  }

  /** What the server says will pass is sent again, for as long as one answer may take. */
  async send(batch: Batch): Promise<void> {
    const untilMs = performance.now() + this.#options.timeout * 1000;
    let left: Batch | null = batch;
    for (let tries = 0; left !== null; tries++) {
      if (tries > 0) await Bun.sleep(AGAIN_MS);
      left = await this.#sendOnce(left, performance.now() + AGAIN_MS < untilMs);
    }
    this.progress.show(this.#published);
  }

  /** What is to be sent again, where it may be; null: nothing. */
  async #sendOnce({ lines, numbers }: Batch, mayAgain: boolean): Promise<Batch | null> {
    const { response, text } = await patientPost({
      base: this.#base,
      url: `${this.#base}/pub`,
      headers: this.#headers,
      body: new TextEncoder().encode(`${lines.join("\n")}\n`),
      timeoutMs: this.#options.timeout * 1000,
      wasThere: this.#requests > 0,
    });
    this.#requests++;
    if (response.status !== 200) throw refusedBatch(this.#base, response, text, numbers);
    const left: Batch = { lines: [], numbers: [], bytes: 0 };
    for (const [at, said] of text.trimEnd().split("\n").entries()) {
      const result: Result = JSON.parse(said);
      const [line = "", number = 0] = [lines[at], numbers[at]];
      if (mayAgain && result.status !== undefined && result.status >= 500) {
        left.lines.push(line);
        left.numbers.push(number);
      } else this.#take(result, said, number);
    }
    return left.lines.length > 0 ? left : null;
  }

  #take(result: Result, text: string, number: number): void {
    if (this.#options.json) writeOut(`${text}\n`);
    if (result.status === undefined) {
      this.#published++;
      if (result.duplicate === true) this.#known++;
      return;
    }
    if (++this.#failed > MOST_TOLD) return;
    this.progress.clear();
    writeNote(`line ${number}: ${result.status} ${printable(result.explain ?? "")}\n`);
  }

  /** What was published before the fault stays published, and the user must know how much that is. */
  afterSome(failure: CommandFailure): CommandFailure {
    if (this.#published === 0) return failure;
    const some = plural(this.#published, "message");
    return new CommandFailure(failure.exitCode, `after ${some}: ${failure.message}`);
  }

  end(): number {
    this.progress.clear();
    if (this.#requests === 0) throw usageFault("there was no line to publish.");
    if (!this.#options.json) writeOut(`${this.#summary()}\n`);
    return this.#failed === 0 ? ExitCode.OK : ExitCode.FAILURE;
  }

  #summary(): string {
    const { seconds } = this.progress;
    const rate = Math.round(this.#published / Math.max(seconds, 0.001));
    const known = this.#known === 0 ? "" : `, ${this.#known} of them for the second time`;
    const failed = this.#failed === 0 ? "" : `, ${plural(this.#failed, "line")} failed`;
    const took = `${plural(this.#requests, "request")}, ${seconds.toFixed(1)} s, ${rate}/s`;
    return `${plural(this.#published, "message")} published${known}${failed} (${took})`;
  }
}

/** Nothing of the request was published. */
function refusedBatch(
  base: string,
  response: Response,
  text: string,
  numbers: readonly number[],
): CommandFailure {
  const sentence = refusedSentence(base, response.status, explainOf(response));
  const faults = faultsIn(text);
  for (const { line, explain } of faults.slice(0, MOST_TOLD))
    writeNote(`line ${numbers[line - 1] ?? line}: ${printable(explain ?? "")}\n`);
  const hint =
    response.status === 400 && faults.length === 0 ? " Does the location take batches (batch = true)?" : "";
  return new CommandFailure(ExitCode.FAILURE, sentence + hint);
}

function faultsIn(text: string): readonly { readonly line: number; readonly explain?: string | null }[] {
  try {
    const { faults } = JSON.parse(text) as { faults?: unknown };
    return Array.isArray(faults) ? faults : [];
  } catch {
    // Another refusal, without a body.
    return [];
  }
}

/** A line on a terminal that is written over, and taken away at the end; nothing elsewhere. */
class Progress {
  readonly #startMs = performance.now();
  readonly #isShown = isatty(2);
  #shownMs = Number.NEGATIVE_INFINITY;
  #isThere = false;

  get seconds(): number {
    return (performance.now() - this.#startMs) / 1000;
  }

  show(published: number): void {
    const nowMs = performance.now();
    if (!this.#isShown || nowMs - this.#shownMs < PROGRESS_MS) return;
    this.#shownMs = nowMs;
    this.#isThere = true;
    const rate = Math.round(published / Math.max(this.seconds, 0.001));
    writeNote(`\r\u001b[K${plural(published, "message")} published, ${rate}/s`);
  }

  clear(): void {
    if (this.#isThere) writeNote("\r\u001b[K");
    this.#isThere = false;
  }
}
