/**
 * `sluice sub`: prints messages as they come. Called by program.ts.
 *
 * stdout has nothing but messages: their bytes and a line feed, or with --json one object a line. Everything
 * about the connection goes to stderr, so `sluice sub x > file` collects messages only.
 */
import { isUtf8 } from "node:buffer";
import type { Deleted, Gap, Message } from "../client/sluice.d.ts";
import { type CredentialOptions, tokenOf } from "./client/credential.ts";
import { parseBaseUrl, parseChannels, shownUrl } from "./client/endpoint.ts";
import { type Follower, follow, type TransportChoice } from "./client/follow.ts";
import { ExitCode } from "./failure.ts";
import { OutputClosed, writeNote, writeOut } from "./output.ts";
import { plural, printable, stderrStyle, stdoutIsTerminal, stdoutStyle } from "./style.ts";

export interface SubOptions extends CredentialOptions {
  readonly url: string;
  readonly transport: TransportChoice;
  readonly last: number;
  readonly json?: boolean;
  /** Exit after this many messages. */
  readonly count?: number;
  /** Seconds. */
  readonly timeout?: number;
}

/**
 * Resolves to the exit code: 0 after --count messages or a signal, 3 when --timeout came first. Throws
 * CommandFailure.
 */
export async function subCommand(args: readonly string[], options: SubOptions): Promise<number> {
  const base = parseBaseUrl(options.url);
  const channels = parseChannels(args, options.last);
  const token = tokenOf(options);
  const stop = new AbortController();
  const printer = new Printer(options, shownUrl(base), channels.length > 1, () => stop.abort());
  let timedOut = false;
  const timer =
    options.timeout === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          stop.abort();
        }, options.timeout * 1000);
  const onSignal = () => stop.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  try {
    await follow({ base, channels, transport: options.transport, token }, printer, stop.signal);
  } finally {
    clearTimeout(timer);
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
  if (printer.fault !== null) throw printer.fault;
  return timedOut && !printer.complete ? timeoutReached(options, printer.printed) : ExitCode.OK;
}

function timeoutReached(options: SubOptions, printed: number): number {
  const wanted = options.count === undefined ? "" : ` of ${options.count}`;
  const noun = (options.count ?? printed) === 1 ? "message" : "messages";
  writeNote(`sluice: the timeout of ${options.timeout} s came after ${printed}${wanted} ${noun}.\n`);
  return ExitCode.TIMEOUT;
}

/**
 * Turns what the client tells into output. Its methods never throw; a fault of stdout is kept in `fault` and
 * ends the run.
 */
class Printer implements Follower {
  printed = 0;
  complete = false;
  fault: unknown = null;
  readonly #options: SubOptions;
  readonly #url: string;
  readonly #severalChannels: boolean;
  readonly #stop: () => void;
  readonly #onTerminal = stdoutIsTerminal();
  readonly #out = stdoutStyle();
  readonly #note = stderrStyle();

  constructor(options: SubOptions, url: string, severalChannels: boolean, stop: () => void) {
    this.#options = options;
    this.#url = url;
    this.#severalChannels = severalChannels;
    this.#stop = stop;
  }

  connected(again: boolean): void {
    const by = `${this.#url} by ${this.#options.transport}`;
    const how = again ? "connected again to" : "connected to";
    writeNote(`${this.#note.green("*")} ${how} ${by}${again ? ", going on where it stopped" : ""}\n`);
  }

  lost(reason: string, delayMs: number): void {
    const seconds = (delayMs / 1000).toFixed(1);
    writeNote(`${this.#note.red("*")} connection lost: ${printable(reason)}; trying again in ${seconds} s\n`);
  }

  delivered(message: Message): void {
    if (this.complete || this.fault !== null) return;
    try {
      writeOut(this.#options.json ? jsonLine(message) : this.#plain(message));
    } catch (error) {
      this.#endWith(error);
      return;
    }
    this.printed++;
    if (this.printed === this.#options.count) {
      this.complete = true;
      this.#stop();
    }
  }

  missed({ channel, missed }: Gap): void {
    if (this.complete) return;
    const what = missed === null ? "an unknown number of messages" : plural(missed, "message");
    this.#warn(`${what} of ${printable(channel)} ${missed === 1 ? "was" : "were"} missed`);
    this.#jsonNotice({ kind: "gap", channel, missed });
  }

  deleted({ channel, data }: Deleted): void {
    if (this.complete) return;
    this.#warn(`channel ${printable(channel)} was deleted: ${printable(data)}`);
    this.#jsonNotice({ kind: "deleted", channel, data });
  }

  /** A machine that reads --json must learn of losses too; a person has read it on stderr. */
  #jsonNotice(notice: object): void {
    if (!this.#options.json) return;
    try {
      writeOut(`${JSON.stringify(notice)}\n`);
    } catch (error) {
      this.#endWith(error);
    }
  }

  #warn(sentence: string): void {
    writeNote(`${this.#note.yellow(`! ${sentence}`)}\n`);
  }

  /** A reader that has seen enough (`| head`) is no fault. */
  #endWith(error: unknown): void {
    if (error instanceof OutputClosed) this.complete = true;
    else this.fault = error;
    this.#stop();
  }

  #plain({ channel, bytes }: Message): Uint8Array | string {
    if (!this.#onTerminal) return Buffer.concat([bytes, LINE_FEED]);
    const prefix = this.#severalChannels ? `${this.#out.cyan(printable(channel))} ` : "";
    return `${prefix}${printable(decoder.decode(bytes), true)}\n`;
  }
}

const LINE_FEED = Uint8Array.of(10);
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** One object a line, the names of sluice.json.v1; what the publisher has not given is left out. */
function jsonLine(message: Message): string {
  const { channel, id, position, time, tag, eventId, eventType, traceparent, bytes } = message;
  const given = { event_id: eventId, event_type: eventType, traceparent };
  const fields = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
  const content = isUtf8(bytes) ? { data: decoder.decode(bytes) } : { data_base64: bytes.toBase64() };
  return `${JSON.stringify({ kind: "message", channel, id, position, time, tag, ...fields, ...content })}\n`;
}
