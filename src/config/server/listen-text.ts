/**
 * The text of an address to listen on, "0.0.0.0:443 ssl keepalive=2s:2s:8": the address, and words as nginx
 * has them after it; "unix:/run/sluice/http.sock mode=660 group=www-data". Used by the checks, by build.ts
 * and by the translation of nginx.conf.
 */
import type { Keepalive, SocketFile, SocketTuning } from "../model/server.ts";
import { parseDuration, parseSize } from "../units.ts";

const UNIX_PREFIX = "unix:";
const FLAGS: readonly string[] = ["ssl", "http2", "h2c", "default_server", "deferred", "ipv6only"];
/** The kernel clamps what is larger (net.core.somaxconn). */
const MAX_QUEUE = 1_048_576;
/** More than a system allows (net.core.wmem_max), and a 32-bit number. */
const MAX_BUFFER_BYTES = 1 << 30;
const MAX_KEEPALIVE = 32_767;

export interface ListenText {
  readonly address: string;
  /** Those of FLAGS that stand there. */
  readonly flags: ReadonlySet<string>;
  /** What is said of the socket; the rest is the server's default. */
  readonly tuning: Partial<SocketTuning>;
  /** The same of a unix socket's file. */
  readonly file: Partial<SocketFile>;
  /** The first word that means nothing; null: all do. */
  readonly unknown: string | null;
}

export function parseListen(text: string): ListenText {
  if (text.startsWith(UNIX_PREFIX)) return parseUnix(text);
  const [address = "", ...words] = text.trim().split(/\s+/);
  const tuning: { -readonly [Key in keyof SocketTuning]?: SocketTuning[Key] } = {};
  let unknown: string | null = null;
  for (const word of words) {
    if (word === "deferred") tuning.deferred = true;
    if (!FLAGS.includes(word) && !readSetting(word, tuning)) unknown ??= word;
  }
  return { address, flags: new Set(words.filter((word) => FLAGS.includes(word))), tuning, file: {}, unknown };
}

/** A path may have blanks in it: the words are what stands at the end. */
const UNIX_WORD = /^(.*\S)\s+(?:mode=(0?[0-7]{3})|group=(\w[\w-]*))$/;

function parseUnix(text: string): ListenText {
  const file: { -readonly [Key in keyof SocketFile]?: SocketFile[Key] } = {};
  let address = text;
  for (let parts = UNIX_WORD.exec(address); parts !== null; parts = UNIX_WORD.exec(address)) {
    const [, before = "", mode, group] = parts;
    if (mode !== undefined) file.mode = Number.parseInt(mode, 8);
    if (group !== undefined) file.group = group;
    address = before;
  }
  return { address, flags: new Set(), tuning: {}, file, unknown: null };
}

function readSetting(
  word: string,
  tuning: { -readonly [Key in keyof SocketTuning]?: SocketTuning[Key] },
): boolean {
  const [name, value = ""] = word.split("=", 2);
  if (name === "keepalive") {
    const keepalive = parseKeepalive(value);
    if (keepalive !== null) tuning.keepalive = keepalive;
    return keepalive !== null;
  }
  if (name === "tcp_user_timeout") {
    const ms = parseDuration(value);
    if (ms !== null) tuning.userTimeoutMs = ms;
    return ms !== null;
  }
  if (name === "sndbuf") {
    const bytes = parseSize(value);
    if (bytes !== null) tuning.sendBufferBytes = Math.min(bytes, MAX_BUFFER_BYTES);
    return bytes !== null;
  }
  const queue = /^\d{1,7}$/.test(value) ? Number(value) : MAX_QUEUE + 1;
  if (queue > MAX_QUEUE) return false;
  if (name === "backlog") tuning.backlog = queue;
  else if (name === "fastopen") tuning.fastopen = queue;
  else return false;
  return true;
}

/**
 * nginx's so_keepalive: "on", "off", or "idle:interval:count" with any of them left out; null: none of these.
 */
export function parseKeepalive(text: string): Keepalive | null {
  if (text === "on") return { idleSec: 0, intervalSec: 0, count: 0 };
  if (text === "off") return false;
  const [idle = "", interval = "", count = "", ...rest] = text.split(":");
  if (rest.length > 0 || !text.includes(":") || !/^\d{0,3}$/.test(count)) return null;
  const idleSec = seconds(idle);
  const intervalSec = seconds(interval);
  if (idleSec === null || intervalSec === null || Number(count) > 127) return null;
  return { idleSec, intervalSec, count: Number(count) };
}

/** Whole seconds, as the kernel wants; "" is 0, the system's own. */
function seconds(text: string): number | null {
  if (text === "") return 0;
  const ms = parseDuration(text);
  return ms === null || ms < 1000 || ms % 1000 !== 0 || ms / 1000 > MAX_KEEPALIVE ? null : ms / 1000;
}
