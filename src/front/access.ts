/** `allow` and `deny` of a location, compiled: called by front.ts before the role sees a request. */
import type { AccessRule } from "../config/model/access.ts";
import {
  type AddressBytes,
  contains,
  type Network,
  parseAddress,
  parseNetwork,
} from "../config/server/network.ts";
import type { KnownPeer } from "../http/peer.ts";

/** Whether this client may come. */
export type AccessCheck = (peer: KnownPeer) => boolean;

interface Rule {
  readonly allow: boolean;
  readonly fits: (client: Client) => boolean;
}

/**
 * A peer with its address read. An address that cannot be read has no bytes, and only "all" speaks for it.
 */
interface Client {
  readonly kind: KnownPeer["kind"];
  readonly bytes: AddressBytes;
}

/**
 * The first rule that fits decides; without one that fits the client may come. Throws on a rule that is none.
 */
export function compileAccess(rules: readonly AccessRule[]): AccessCheck | null {
  if (rules.length === 0) return null;
  const said = compileRules(rules);
  // Of an address that cannot be read nobody can say that no rule fits.
  return (peer) => said(peer) ?? (peer.kind === "unix" || parseAddress(peer.address) !== null);
}

/**
 * Whether a rule says that this client may come: where one of several things is enough, that no rule forbids
 * it is none of them.
 */
export function compileAllowance(rules: readonly AccessRule[]): AccessCheck | null {
  if (rules.length === 0) return null;
  const said = compileRules(rules);
  return (peer) => said(peer) === true;
}

/** What the first rule that fits says; null: none fits. */
function compileRules(rules: readonly AccessRule[]): (peer: KnownPeer) => boolean | null {
  const compiled: readonly Rule[] = rules.map(({ allow, network }) => ({ allow, fits: compileFit(network) }));
  return (peer) => {
    const bytes = peer.kind === "ip" ? parseAddress(peer.address) : null;
    const client: Client = { kind: peer.kind, bytes: bytes ?? [] };
    for (const { allow, fits } of compiled) if (fits(client)) return allow;
    return null;
  };
}

function compileFit(network: string): Rule["fits"] {
  if (network === "all") return () => true;
  if (network === "unix:") return ({ kind }) => kind === "unix";
  const parsed: Network | null = parseNetwork(network);
  if (parsed === null)
    throw new Error(`access rule: "${network}" is neither "all", "unix:", an address nor a network`);
  return ({ kind, bytes }) => kind === "ip" && contains(parsed, bytes);
}
