/**
 * Where the client commands send their requests: the server's base URL and the URL layout of the embedded
 * default config. Used by pub, sub, stats and every transport.
 */
import { usageFault } from "../failure.ts";

export const DEFAULT_URL = "http://127.0.0.1:8080";

/** A channel as named on the command line: `room.b5` asks for the last 5 stored messages of `room`. */
export interface ChannelRequest {
  readonly name: string;
  /** How many stored messages to begin with; 0 = none. */
  readonly last: number;
}

/** Checks `--url`. Throws a usage fault; the result has no trailing slash, query or fragment. */
export function parseBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw usageFault(`--url wants http://host:port or https://host:port, not ${JSON.stringify(text)}.`);
  }
  if (url.search !== "" || url.hash !== "") {
    throw usageFault(`--url wants the server's address without "?" or "#", not ${JSON.stringify(text)}.`);
  }
  return url.href.replace(/\/+$/, "");
}

/** The base URL as it may be shown: without a password. */
export function shownUrl(base: string): string {
  const url = new URL(base);
  return `${url.protocol}//${url.host}${url.pathname === "/" ? "" : url.pathname}`;
}

/**
 * Channel arguments in the order given, `a/b` split (push-stream spec 3.3), a name given twice kept once:
 * subscribing twice would deliver everything twice (spec 4.16). `last` applies to channels that carry no
 * `.bN` of their own.
 */
export function parseChannels(args: readonly string[], last: number): ChannelRequest[] {
  const byName = new Map<string, ChannelRequest>();
  for (const part of args.flatMap((arg) => arg.split("/"))) {
    if (part === "") continue;
    const match = /^(.+)\.b([0-9]+)$/s.exec(part);
    const name = match?.[1] ?? part;
    if (!byName.has(name)) byName.set(name, { name, last: match ? Number(match[2]) : last });
  }
  if (byName.size === 0) throw usageFault("a channel name cannot be empty.");
  return [...byName.values()];
}

/**
 * The channels path of a subscriber URL. Without `withBacktrack` no `.bN`: it would win over the position
 * (spec 4.7).
 */
export function channelsPath(channels: readonly ChannelRequest[], withBacktrack: boolean): string {
  return channels
    .map(({ name, last }) => encodeURIComponent(name) + (withBacktrack && last > 0 ? `.b${last}` : ""))
    .join("/");
}

export const publishUrl = (base: string, channels: string): string => `${base}/pub?id=${encodeIds(channels)}`;
export const statisticsUrl = (base: string, channels: string): string =>
  `${base}/channels-stats?id=${encodeIds(channels)}`;

export const presenceUrl = (base: string, channel: string): string =>
  `${base}/presence/${encodeURIComponent(channel)}`;

/** `a/b` means two channels, so the slashes stay. */
const encodeIds = (channels: string): string => channels.split("/").map(encodeURIComponent).join("/");
