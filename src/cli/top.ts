/**
 * `sluice top`: the console in a terminal: rates, connections, the channels with the most subscribers, once a
 * second. Called by program.ts. It reads what the console's page reads, so the server needs a location with
 * `console`, and whoever may not see the page may not see this.
 */
import { isatty } from "node:tty";
import { createParser } from "eventsource-parser";
import type { Sample } from "../console/sampler.ts";
import { parseJson } from "./client/channel-info.ts";
import { bearer, type CredentialOptions, tokenOf } from "./client/credential.ts";
import { parseBaseUrl, shownUrl } from "./client/endpoint.ts";
import { credentialHint, explainOf, request, requestFailure } from "./client/http.ts";
import { CommandFailure, ExitCode } from "./failure.ts";
import { writeOut } from "./output.ts";
import { printable, stdoutStyle } from "./style.ts";

export interface TopOptions extends CredentialOptions {
  readonly url: string;
  /** Path of the console's location, with slashes on both sides. */
  readonly path: string;
  readonly once?: boolean;
  readonly json?: boolean;
  readonly timeout: number;
}

interface Channel {
  readonly name: string;
  readonly subscribers: number;
  readonly stored: number;
  readonly published: number;
  readonly rate: number | null;
}

const MAX_EVENT = 64 * 1024;
/** Channels listed; a terminal has some twenty lines. */
const ROWS = 12;

export async function topCommand(options: TopOptions): Promise<number> {
  const base = parseBaseUrl(options.url);
  const root = new URL(options.path.endsWith("/") ? options.path : `${options.path}/`, base).href;
  const isScreen = options.json !== true && options.once !== true && isatty(1);
  for await (const sample of samples(root, options)) {
    const channels = await topChannels(root, options);
    if (options.json === true) writeOut(`${JSON.stringify({ ...sample, top: channels })}\n`);
    else writeOut(`${isScreen ? CLEAR : ""}${screen(sample, channels, shownUrl(base))}`);
    if (options.once === true) break;
  }
  return ExitCode.OK;
}

/** Home, and what is below the cursor goes: the screen does not flicker. */
const CLEAR = "\x1b[H\x1b[J";

/** The newest sample first, then each as it comes. */
async function* samples(root: string, options: TopOptions): AsyncGenerator<Sample> {
  const response = await ask(`${root}live`, options, "text/event-stream");
  const decoder = new TextDecoder();
  let come: Sample[] = [];
  const parser = createParser({
    maxBufferSize: MAX_EVENT,
    // Samples have no type; what has one is what the page asks for.
    onEvent: ({ event, data }) => {
      if (event === undefined) come.push(JSON.parse(data) as Sample);
    },
  });
  for await (const chunk of response.body ?? []) {
    come = [];
    parser.feed(decoder.decode(chunk, { stream: true }));
    const newest = come.at(-1);
    // What is older than a second is the past that a page draws.
    if (newest !== undefined && Date.now() - newest.at < 5000) yield newest;
  }
  throw new CommandFailure(ExitCode.FAILURE, "the server ended the stream.");
}

async function topChannels(root: string, options: TopOptions): Promise<readonly Channel[]> {
  const response = await ask(`${root}channels?sort=subscribers`, options, "application/json");
  const { rows } = parseJson(await response.text()) as { rows: readonly Channel[] };
  return rows.slice(0, ROWS);
}

async function ask(url: string, options: TopOptions, accept: string): Promise<Response> {
  const headers = { Accept: accept, ...bearer(tokenOf(options)) };
  let response: Response;
  try {
    const signal = new AbortController().signal;
    response = await request({ url, headers, signal, headTimeoutMs: options.timeout * 1000 });
  } catch (error) {
    throw requestFailure(url, error);
  }
  if (response.ok) return response;
  const why = explainOf(response);
  const hint =
    response.status === 404
      ? " Is there a location with `console`, and is --path its path?"
      : credentialHint(response.status);
  throw new CommandFailure(
    ExitCode.FAILURE,
    `${printable(url)} answered ${response.status}. ${printable(why)}${hint}`.trim(),
  );
}

function screen(sample: Sample, channels: readonly Channel[], url: string): string {
  const style = stdoutStyle();
  const number = (value: number): string => Math.round(value).toLocaleString("en-US");
  const facts = [
    ["connections", number(sample.connections)],
    ["sockets", number(sample.sockets)],
    ["streams", number(sample.streams)],
    ["long polls", number(sample.polls)],
    ["published/s", number(sample.published)],
    ["delivered/s", number(sample.delivered)],
    ["kB/s", number(sample.bytes / 1000)],
    ["p99 ms", sample.latency === 0 ? "-" : number(sample.latency)],
    ["refused/s", number(sample.refused)],
    ["gaps told/s", number(sample.gaps)],
    ["slow closed/s", number(sample.slow)],
    ["store", `${(sample.store * 100).toFixed(1)} %`],
  ];
  const lines = [
    style.bold(
      `${url}   ${new Date(sample.at).toLocaleTimeString("en-GB")}   ${number(sample.channels)} ` +
        `${sample.channels === 1 ? "channel" : "channels"}, ${number(sample.stored)} stored`,
    ),
    "",
  ];
  for (let at = 0; at < facts.length; at += 4)
    lines.push(
      facts
        .slice(at, at + 4)
        .map(([name = "", value = ""]) => `${style.dim(name.padEnd(14))}${value.padEnd(10)}`)
        .join(""),
    );
  lines.push("", style.dim(row(["WORKER", "PID", "SUBSCRIBERS", "LATE MS"], [8, 10, 13, 8])));
  for (const { slot, pid, subscribers, lag } of sample.workers)
    lines.push(row([`${slot}`, `${pid}`, number(subscribers), lag.toFixed(1)], [8, 10, 13, 8]));
  lines.push("", style.dim(row(["CHANNEL", "SUBSCRIBERS", "MSG/S", "STORED"], [40, 12, 10, 10])));
  for (const { name, subscribers, rate, stored } of channels)
    lines.push(
      row(
        [
          printable(name).slice(0, 38),
          number(subscribers),
          rate === null ? "" : rate.toFixed(1),
          number(stored),
        ],
        [40, 12, 10, 10],
      ),
    );
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

/** The first cell to the left, numbers to the right. */
const row = (cells: readonly string[], widths: readonly number[]): string =>
  cells
    .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
    .join("");
