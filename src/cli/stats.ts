/**
 * `sluice stats`: what the server counts, as a table for people or as its JSON on one line. Called by
 * program.ts.
 */
import {
  type ChannelInfo,
  parseJson,
  readChannelInfos,
  readSummary,
  type Summary,
} from "./client/channel-info.ts";
import { bearer, type CredentialOptions, tokenOf } from "./client/credential.ts";
import { parseBaseUrl, shownUrl, statisticsUrl } from "./client/endpoint.ts";
import { explainOf, refusedSentence, request, requestFailure } from "./client/http.ts";
import { CommandFailure, ExitCode } from "./failure.ts";
import { writeOut } from "./output.ts";
import { binarySize, printable, type Style, stdoutStyle } from "./style.ts";
import { table } from "./table.ts";

export interface StatsOptions extends CredentialOptions {
  readonly url: string;
  readonly json?: boolean;
  /** Seconds the answer may take. */
  readonly timeout: number;
}

/**
 * Resolves to the exit code; throws CommandFailure. Without a channel the summary of the server, and of what
 * servers of this machine have or have left in memory, also where none answers; "ALL" lists every channel.
 */
export async function statsCommand(channel: string | undefined, options: StatsOptions): Promise<number> {
  const base = parseBaseUrl(options.url);
  const isWhole = channel === undefined && options.json !== true && isLoopback(new URL(base).hostname);
  let value: unknown;
  try {
    value = await fetchStatistics(base, channel ?? "", options);
  } catch (error) {
    if (isWhole) writeOut(await storeTable("", stdoutStyle()));
    throw error;
  }
  if (options.json) {
    writeOut(`${JSON.stringify(value)}\n`);
    return ExitCode.OK;
  }
  const style = stdoutStyle();
  const summary = readSummary(value);
  const infos = summary === null ? readChannelInfos(value) : null;
  if (summary !== null)
    writeOut(summaryText(summary, style) + (isWhole ? await storeTable("\n", style) : ""));
  else if (infos !== null) writeOut(channelTable(infos, style));
  else
    throw new CommandFailure(ExitCode.FAILURE, `${shownUrl(base)} answered no statistics. Is --url right?`);
  return ExitCode.OK;
}

async function fetchStatistics(base: string, channel: string, options: StatsOptions): Promise<unknown> {
  const credential = bearer(tokenOf(options));
  let response: Response;
  let text: string;
  try {
    response = await request({
      url: statisticsUrl(base, channel),
      headers: { Accept: "application/json", ...credential },
      signal: AbortSignal.timeout(options.timeout * 1000),
      headTimeoutMs: 0,
    });
    text = await response.text();
  } catch (error) {
    throw requestFailure(base, error);
  }
  if (response.status === 404 && channel !== "") {
    throw new CommandFailure(
      ExitCode.FAILURE,
      `there is no channel ${JSON.stringify(channel)} on ${shownUrl(base)}.`,
    );
  }
  if (response.status !== 200) {
    throw new CommandFailure(ExitCode.FAILURE, refusedSentence(base, response.status, explainOf(response)));
  }
  return parseJson(text) ?? null;
}

function summaryText(summary: Summary, style: Style): string {
  const rows: readonly (readonly [string, string])[] = [
    ["host", printable(summary.hostname)],
    ["uptime", duration(summary.uptime)],
    ["channels", String(summary.channels)],
    ["subscribers", String(summary.subscribers)],
    ["published", String(summary.publishedMessages)],
    ["stored", String(summary.storedMessages)],
  ];
  const lines = rows.map(([name, value]) => `${style.dim(name.padEnd(12))}${value}`);
  const workers = summary.workers.map(({ pid, subscribers, uptime }) => [
    printable(pid),
    String(subscribers),
    duration(uptime),
  ]);
  return `${lines.join("\n")}\n\n${table(["WORKER", "SUBSCRIBERS", "UPTIME"], workers, style)}`;
}

/** A store outlives its server, for the next one on the same address; nothing else would ever show it. */
async function storeTable(before: string, style: Style): Promise<string> {
  const { storeFiles } = await import("../supervisor/store/store-files.ts");
  const rows = storeFiles(process.env).map(({ path, bytes, mainPid }) => [
    printable(path),
    binarySize(bytes),
    mainPid === 0 ? "nobody" : `pid ${mainPid}`,
  ]);
  return rows.length === 0 ? "" : before + table(["STORE FILE", "SIZE", "USED BY"], rows, style);
}

const isLoopback = (host: string): boolean => /^(?:127\.[\d.]+|\[::1\]|localhost)$/.test(host);

function channelTable(infos: readonly ChannelInfo[], style: Style): string {
  if (infos.length === 0) return "no channels\n";
  const hasMembers = infos.some(({ members }) => members !== null);
  const rows = infos.map((info) => [
    printable(info.channel),
    String(info.subscribers),
    ...(hasMembers ? [String(info.members ?? "-")] : []),
    String(info.publishedMessages),
    String(info.storedMessages),
  ]);
  const columns = ["CHANNEL", "SUBSCRIBERS", ...(hasMembers ? ["MEMBERS"] : []), "PUBLISHED", "STORED"];
  return table(columns, rows, style);
}

/** "42 s", "5 min 3 s", "3 h 20 min", "2 d 4 h". */
export function duration(seconds: number): string {
  const units: readonly (readonly [string, number])[] = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ];
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first === -1) return "0 s";
  let rest = Math.floor(seconds);
  const parts: string[] = [];
  for (const [name, size] of units.slice(first, first + 2)) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) parts.push(`${amount} ${name}`);
  }
  return parts.join(" ");
}
