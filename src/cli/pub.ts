/**
 * `sluice pub`: publishes one message, or one message a line, and says who got it. Called by program.ts.
 *
 * Lines are sent one after another on one connection: the order of the lines is the order of the messages.
 */
import { type ChannelInfo, parseJson, readChannelInfos } from "./client/channel-info.ts";
import { bearer, type CredentialOptions, tokenOf } from "./client/credential.ts";
import { parseBaseUrl, publishUrl } from "./client/endpoint.ts";
import { explainOf, refusedSentence } from "./client/http.ts";
import { LineSplitter } from "./client/line-splitter.ts";
import { MAX_MESSAGE_BYTES, MessageTooLarge, PendingBytes } from "./client/pending-bytes.ts";
import { CommandFailure, ExitCode, usageFault } from "./failure.ts";
import { writeOut } from "./output.ts";
import { newKey, patientPost } from "./patient-post.ts";
import { plural, printable, stdinIsTerminal, stdoutStyle } from "./style.ts";

export interface PubOptions extends CredentialOptions {
  readonly url: string;
  readonly eventId?: string;
  readonly eventType?: string;
  readonly lines?: boolean;
  /** A file of messages, "-": standard input. */
  readonly batch?: string;
  readonly json?: boolean;
  /** Seconds an answer may take. */
  readonly timeout: number;
}

/** Resolves to the exit code; throws CommandFailure. `text` "-" or absent means standard input. */
export async function pubCommand(
  channels: string | undefined,
  text: string | undefined,
  options: PubOptions,
): Promise<number> {
  const { batch } = options;
  if (batch !== undefined) {
    const other = channels ?? options.eventId ?? options.eventType ?? options.lines;
    if (other !== undefined)
      throw usageFault("the lines of --batch name their channels and events; nothing else goes with it.");
    return await (await import("./pub-batch.ts")).pubBatchCommand(batch, options);
  }
  if (channels === undefined) throw usageFault("missing required argument 'channel'.");
  if (channels.replaceAll("/", "") === "") throw usageFault("a channel name cannot be empty.");
  const publisher = new Publisher(parseBaseUrl(options.url), channels, options);
  if (text !== undefined && text !== "-") {
    if (options.lines) throw usageFault("--lines reads standard input, so it cannot be used with TEXT.");
    report(await publisher.publish(new TextEncoder().encode(text)), options, 1);
    return ExitCode.OK;
  }
  if (text === undefined && stdinIsTerminal()) {
    throw usageFault(
      "there is nothing to publish: give TEXT, or - to type a message and end it with Ctrl-D.",
    );
  }
  if (options.lines) await publishLines(publisher, options);
  else report(await publisher.publish(await readStdin()), options, 1);
  return ExitCode.OK;
}

/** Empty lines are left out: an empty message does not exist (push-stream spec 2.3). */
async function publishLines(publisher: Publisher, options: PubOptions): Promise<void> {
  const splitter = new LineSplitter(MAX_MESSAGE_BYTES);
  let published = 0;
  let last: Answer | null = null;
  const publish = async (line: Uint8Array): Promise<void> => {
    if (line.length === 0) return;
    try {
      last = await publisher.publish(line.slice());
    } catch (error) {
      throw published === 0 ? error : afterSome(error, published);
    }
    published++;
    if (options.json) report(last, options, published);
  };
  try {
    for await (const chunk of Bun.stdin.stream()) {
      for (const line of splitter.push(chunk)) await publish(line);
    }
  } catch (error) {
    throw error instanceof MessageTooLarge ? tooLarge("a line of standard input") : error;
  }
  const rest = splitter.rest();
  if (rest !== null) await publish(rest);
  if (last === null) throw usageFault("standard input had no line to publish.");
  if (!options.json) report(last, options, published);
}

/** What was published before the fault stays published, and the user must know how much that is. */
function afterSome(error: unknown, published: number): unknown {
  if (!(error instanceof CommandFailure)) return error;
  return new CommandFailure(error.exitCode, `after ${plural(published, "message")}: ${error.message}`);
}

async function readStdin(): Promise<Uint8Array> {
  const bytes = new PendingBytes(MAX_MESSAGE_BYTES);
  try {
    for await (const chunk of Bun.stdin.stream()) bytes.append(chunk, 0, chunk.length);
  } catch (error) {
    throw error instanceof MessageTooLarge ? tooLarge("standard input") : error;
  }
  return bytes.view();
}

const tooLarge = (what: string): CommandFailure =>
  usageFault(`${what} is larger than ${MAX_MESSAGE_BYTES >> 20} MiB, which is too much for one message.`);

/** The server's answer: its JSON and what we could read of it (null: channel info is off there). */
interface Answer {
  readonly json: unknown;
  readonly infos: readonly ChannelInfo[] | null;
}

class Publisher {
  readonly #base: string;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;
  readonly #run = newKey();
  #count = 0;

  constructor(base: string, channels: string, options: PubOptions) {
    this.#base = base;
    this.#url = publishUrl(base, channels);
    this.#headers = {
      Accept: "application/json",
      "Content-Type": "application/octet-stream",
      ...bearer(tokenOf(options)),
      ...eventHeader("Event-Id", "--event-id", options.eventId),
      ...eventHeader("Event-Type", "--event-type", options.eventType),
    };
    this.#timeoutMs = options.timeout * 1000;
  }

  /** Throws CommandFailure when the server is not there, does not answer in time or refuses. */
  async publish(body: Uint8Array): Promise<Answer> {
    const { response, text } = await patientPost({
      base: this.#base,
      url: this.#url,
      headers: { ...this.#headers, "Idempotency-Key": `${this.#run}-${++this.#count}` },
      body,
      timeoutMs: this.#timeoutMs,
      wasThere: this.#count > 1,
    });
    if (response.status === 200) {
      const json = parseJson(text);
      return { json, infos: readChannelInfos(json) };
    }
    throw new CommandFailure(
      ExitCode.FAILURE,
      refusedSentence(this.#base, response.status, explainOf(response)),
    );
  }
}

/** Header bytes are UTF-8; a control character would end the header or the line. */
function eventHeader(name: string, option: string, value: string | undefined): Record<string, string> {
  if (value === undefined) return {};
  if (/\p{Cc}/u.test(value)) throw usageFault(`${option} cannot hold line breaks or control characters.`);
  return { [name]: Buffer.from(value, "utf8").toString("latin1") };
}

function report(answer: Answer, options: PubOptions, published: number): void {
  if (options.json) {
    writeOut(`${JSON.stringify(answer.json ?? {})}\n`);
    return;
  }
  const style = stdoutStyle();
  const what = published === 1 ? "published" : `${published} messages published`;
  if (answer.infos === null) {
    writeOut(`${what}\n`);
    return;
  }
  for (const { channel, subscribers, storedMessages } of answer.infos) {
    const name = style.bold(printable(channel));
    writeOut(`${name}: ${what}, ${plural(subscribers, "subscriber")}, ${storedMessages} stored\n`);
  }
}
