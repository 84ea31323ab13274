/**
 * `listen` in all of nginx's forms, as the addresses of our own file: "0.0.0.0:80 ssl http2 default_server".
 * Called by translate-server.ts.
 */
import { resolve } from "node:path";
import { parseListen } from "../server/listen-text.ts";
import type { Report } from "./translate-report.ts";
import type { Directive } from "./tree.ts";

/** Parameters that say something we keep. */
const KEPT: Readonly<Record<string, string>> = {
  default_server: "default_server",
  default: "default_server",
  ssl: "ssl",
  http2: "http2",
  deferred: "deferred",
};
/** Settings of the socket that we have under the same or our own name. */
const SETTINGS: Readonly<Record<string, string>> = {
  so_keepalive: "keepalive",
  backlog: "backlog",
  fastopen: "fastopen",
  sndbuf: "sndbuf",
};
/** Sockets are made as the runtime makes them; these tune them. */
const IGNORED = /^(?:bind|reuseport|multipath|spdy|(?:rcvbuf|setfib)=\d+[kKmM]?|accept_filter=\w+)$/;
const UNSUPPORTED: readonly string[] = ["proxy_protocol", "quic"];

export interface Listen {
  readonly address: string;
  /** As they follow an address in our own file, each once. */
  readonly words: readonly string[];
}

/** null when it is faulty, which was reported. */
export function translateListen(directive: Directive, folder: string, report: Report): Listen | null {
  const [text = "", ...parameters] = directive.args.map((arg) => arg.text);
  const address = addressOf(text, folder);
  const words = new Set<string>();
  // nginx's default.
  if (address.startsWith("[") && !parameters.includes("ipv6only=off")) words.add("ipv6only");
  for (const parameter of parameters) {
    const kept = Object.hasOwn(KEPT, parameter) ? KEPT[parameter] : undefined;
    const setting = settingOf(parameter);
    if (kept !== undefined) words.add(kept);
    else if (setting !== null) words.add(setting);
    else if (/^ipv6only=(?:on|off)$/.test(parameter) && address.startsWith("[")) continue;
    else if (IGNORED.test(parameter)) report.ignore(directive, `listen … ${parameter.replace(/=.*/, "")}`);
    else if (UNSUPPORTED.includes(parameter))
      report.faultOf(directive, `with "${parameter}" is not supported`);
    else report.fault(directive, `invalid parameter "${parameter}"`);
  }
  if (address.startsWith("unix:")) dropOnUnix(words, directive, report);
  // 0 is refused by nginx; ours lets the kernel choose, which helps tests.
  else if (!/:\d{1,5}$/.test(address) || Number(/\d+$/.exec(address)?.[0]) > 65_535) {
    report.fault(directive, `invalid port in "${text}" of the "listen" directive`);
    return null;
  }
  return { address, words: [...words] };
}

/** "so_keepalive=2s:2s:8" as "keepalive=2s:2s:8"; null: it is none, or its value is bad. */
function settingOf(parameter: string): string | null {
  const [name = "", value = ""] = parameter.split("=", 2);
  const ours = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
  if (ours === undefined) return null;
  const word = `${ours}=${value}`;
  return parseListen(`h:1 ${word}`).unknown === null ? word : null;
}

/** "80", "*:80", "host", "[::1]", "unix:path" → host:port or unix:/path. Ports are judged by the caller. */
function addressOf(text: string, folder: string): string {
  if (text.startsWith("unix:")) return `unix:${resolve(folder, text.slice("unix:".length))}`;
  if (/^\d+(?:-\d+)?$/.test(text)) return `0.0.0.0:${text}`;
  const [, host = "", port = "80"] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(text) ?? ["", "", text];
  return `${host === "*" || host === "" ? "0.0.0.0" : host}:${port}`;
}

/** The paths of our own file may hold blanks, so no words follow them. */
function dropOnUnix(words: Set<string>, directive: Directive, report: Report): void {
  if (words.has("ssl")) report.faultOf(directive, 'with "ssl" on a unix socket is not supported');
  for (const word of words) if (word !== "ssl") report.ignore(directive, `listen unix:… ${word}`);
  words.clear();
}
