/**
 * `sluice presence`: who is in a channel, as a table for people or as the server's JSON; with --watch who
 * comes and goes. Called by program.ts.
 *
 * It asks a location that tells the list (`presence_list`), and stands in no channel: whoever looks is no
 * member himself. So --watch asks again every second, and who came and went in between is not seen.
 */
import { parseJson } from "./client/channel-info.ts";
import { bearer, type CredentialOptions, tokenOf } from "./client/credential.ts";
import { parseBaseUrl, presenceUrl, shownUrl } from "./client/endpoint.ts";
import { explainOf, refusedSentence, request, requestFailure } from "./client/http.ts";
import { CommandFailure, ExitCode } from "./failure.ts";
import { writeOut } from "./output.ts";
import { duration } from "./stats.ts";
import { printable, type Style, stdoutStyle } from "./style.ts";
import { table } from "./table.ts";

export interface PresenceOptions extends CredentialOptions {
  readonly url: string;
  /** Seconds an answer may take. */
  readonly timeout: number;
  readonly json?: boolean;
  readonly watch?: boolean;
}

interface Member {
  readonly sub: string;
  readonly anonymous: boolean;
  readonly info: unknown;
  /** Seconds since 1970. */
  readonly since: number;
  readonly connections: number;
}

interface List {
  readonly count: number;
  readonly degraded: boolean;
  readonly members: readonly Member[];
}

const WATCH_MS = 1000;
const MOST_INFO_CHARS = 60;

/** Resolves to the exit code; throws CommandFailure. */
export async function presenceCommand(channel: string, options: PresenceOptions): Promise<number> {
  const base = parseBaseUrl(options.url);
  const headers = bearer(tokenOf(options));
  const ask = (): Promise<unknown> => fetchList(base, channel, options.timeout, headers);
  const first = await ask();
  const list = readList(first);
  if (list === null)
    throw new CommandFailure(
      ExitCode.FAILURE,
      `${shownUrl(base)} answered no list of members. Is --url right?`,
    );
  if (options.watch !== true) {
    writeOut(options.json === true ? `${JSON.stringify(first)}\n` : listText(list, stdoutStyle()));
    return ExitCode.OK;
  }
  if (options.json !== true) writeOut(listText(list, stdoutStyle()));
  for (let before = list; ; ) {
    await Bun.sleep(WATCH_MS);
    const now = readList(await ask());
    if (now === null) continue;
    for (const line of changes(before, now, options.json === true)) writeOut(`${line}\n`);
    before = now;
  }
}

async function fetchList(
  base: string,
  channel: string,
  timeoutSec: number,
  headers: Readonly<Record<string, string>>,
): Promise<unknown> {
  try {
    const response = await request({
      url: presenceUrl(base, channel),
      headers,
      signal: AbortSignal.timeout(timeoutSec * 1000),
      headTimeoutMs: 0,
    });
    if (response.status === 200) return parseJson(await response.text());
    const explain = explainOf(response) || (response.status === 404 ? NO_LOCATION : "");
    throw new CommandFailure(ExitCode.FAILURE, refusedSentence(base, response.status, explain));
  } catch (error) {
    throw error instanceof CommandFailure ? error : requestFailure(base, error);
  }
}

const NO_LOCATION = "it has no location /presence/ with presence_list";

function readList(value: unknown): List | null {
  if (!isFields(value) || !Array.isArray(value["members"])) return null;
  return {
    count: Number(value["count"] ?? 0),
    degraded: value["degraded"] === true,
    members: value["members"].filter(isFields).map((member) => ({
      sub: String(member["sub"] ?? ""),
      anonymous: member["anonymous"] === true,
      info: member["info"],
      since: Number(member["since"] ?? 0),
      connections: Number(member["connections"] ?? 0),
    })),
  };
}

const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

function listText({ count, degraded, members }: List, style: Style): string {
  const nowSec = Date.now() / 1000;
  const rows = members.map((member) => [
    nameOf(member),
    String(member.connections),
    duration(nowSec - member.since),
    member.info === undefined ? "" : printable(JSON.stringify(member.info)).slice(0, MOST_INFO_CHARS),
  ]);
  const note = degraded ? " (too many or too fast: subscribers are told counts alone)" : "";
  const summary = style.dim(`${count} ${count === 1 ? "member" : "members"}${note}\n`);
  return rows.length === 0 ? summary : table(["MEMBER", "CONNECTIONS", "FOR", "INFO"], rows, style) + summary;
}

const nameOf = ({ sub, anonymous }: Member): string => printable(anonymous ? `~${sub}` : sub);
const keyOf = ({ sub, anonymous }: Member): string => `${anonymous} ${sub}`;

function changes(before: List, now: List, isJson: boolean): string[] {
  const known = new Set(before.members.map(keyOf));
  const there = new Set(now.members.map(keyOf));
  const joined = now.members.filter((member) => !known.has(keyOf(member)));
  const left = before.members.filter((member) => !there.has(keyOf(member)));
  const { count } = now;
  if (isJson)
    return [
      ...joined.map(({ sub, info }) => JSON.stringify({ event: "join", sub, info, count })),
      ...left.map(({ sub }) => JSON.stringify({ event: "leave", sub, count })),
    ];
  const time = new Date().toTimeString().slice(0, 8);
  const lines = [
    ...joined.map((member) => `+ ${nameOf(member)}`),
    ...left.map((member) => `- ${nameOf(member)}`),
  ];
  if (lines.length === 0 && before.count !== count) lines.push(`= ${count}`);
  return lines.map((line) => `${time} ${line}`);
}
