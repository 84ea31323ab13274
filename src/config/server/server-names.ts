/**
 * Which server a request is for, when several share an address: by the host it names, with nginx's precedence
 * — the exact name, the longest name with a wildcard in front, the longest with one at its end, the first
 * regex that matches, else the default server of the address. Called by locator.ts.
 */
import { toBinary } from "../binary-text.ts";
import type { Config } from "../model.ts";
import { type BoundedRegex, checkedRegex } from "../regex/bounded-regex.ts";

/** Takes the listener's address and the Host header as sent; answers an index of Config.servers. */
export type ServerChooser = (address: string, host: string) => number;

interface Names {
  readonly exact: Map<string, number>;
  /** ".example.org", longest first. */
  readonly heads: { readonly text: string; readonly server: number }[];
  /** "example.", longest first. */
  readonly tails: { readonly text: string; readonly server: number }[];
  readonly regexes: { readonly regex: BoundedRegex; readonly server: number }[];
}

/** A longer host is no name of ours; every regex takes as much. */
export const MAX_HOST_LENGTH = 255;

/** Throws on a regex that does not compile; those were checked. */
export function compileServerNames({
  servers,
  listeners,
}: Pick<Config, "servers" | "listeners">): ServerChooser {
  const byAddress = new Map<string, { readonly names: Names; readonly fallback: number }>();
  for (const { address, defaultServer } of listeners) {
    const names: Names = { exact: new Map(), heads: [], tails: [], regexes: [] };
    servers.forEach((server, index) => {
      if (server.listen.includes(address)) for (const name of server.names) addName(names, name, index);
    });
    const longestFirst = (left: { text: string }, right: { text: string }) =>
      right.text.length - left.text.length;
    names.heads.sort(longestFirst);
    names.tails.sort(longestFirst);
    byAddress.set(address, { names, fallback: defaultServer });
  }
  return (address, host) => {
    const listener = byAddress.get(address);
    if (listener === undefined) return 0;
    return find(listener.names, hostName(host)) ?? listener.fallback;
  };
}

function addName(names: Names, name: string, server: number): void {
  if (name.startsWith("~")) names.regexes.push({ regex: nameRegex(name), server });
  else if (name.startsWith("*.")) names.heads.push({ text: name.slice(1), server });
  else if (name.endsWith(".*")) names.tails.push({ text: name.slice(0, -1), server });
  else {
    const plain = name.startsWith(".") ? name.slice(1) : name;
    // ".example.org" is the name itself and all below it.
    if (plain !== name) names.heads.push({ text: name, server });
    if (!names.exact.has(plain)) names.exact.set(plain, server);
  }
}

/** Of "~regex". Hosts have no case. */
export const nameRegex = (name: string): BoundedRegex => checkedRegex(toBinary(name.slice(1)), "si");

function find({ exact, heads, tails, regexes }: Names, host: string): number | undefined {
  return (
    exact.get(host) ??
    heads.find(({ text }) => host.endsWith(text) && host.length > text.length)?.server ??
    tails.find(({ text }) => host.startsWith(text))?.server ??
    regexes.find(({ regex }) => host.length <= MAX_HOST_LENGTH && regex.test(host))?.server
  );
}

/** Without port and final dot, in lower case. */
export const hostName = (header: string): string =>
  (/^(?:\[[^\]]*\]|[^:]*)/.exec(header)?.[0] ?? "").toLowerCase().replace(/\.$/, "");
