/** `allow` and `deny` of a location, compiled: called by front.ts before the role sees a request. */
import type { AccessRule } from "../config/model.ts";
import { type AddressBytes, contains, type Network, parseAddress, parseNetwork } from "./network.ts";

/** Takes the address of the client, "" when it came through a unix socket. */
export type AccessCheck = (remoteAddress: string) => boolean;

interface Rule {
  readonly allow: boolean;
  readonly fits: (address: AddressBytes | null) => boolean;
}

/** The first rule that fits decides; without one that fits the client may come. Throws on a rule that is none. */
export function compileAccess(rules: readonly AccessRule[]): AccessCheck | null {
  if (rules.length === 0) return null;
  const compiled: readonly Rule[] = rules.map(({ allow, network }) => ({ allow, fits: compileFit(network) }));
  return (remoteAddress) => {
    const address = remoteAddress === "" ? null : parseAddress(remoteAddress);
    // An address that cannot be read is no reason to let somebody in: only "all" speaks for it.
    const unreadable = remoteAddress !== "" && address === null;
    for (const { allow, fits } of compiled) if (fits(unreadable ? [] : address)) return allow;
    return true;
  };
}

function compileFit(network: string): Rule["fits"] {
  if (network === "all") return () => true;
  if (network === "unix:") return (address) => address === null;
  const parsed: Network | null = parseNetwork(network);
  if (parsed === null)
    throw new Error(`access rule: "${network}" is neither "all", "unix:", an address nor a network`);
  return (address) => address !== null && contains(parsed, address);
}
