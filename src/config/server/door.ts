/**
 * Who the clients of a listening server are: asked by locator.ts, told by the listeners through
 * app.ts.
 *
 * Asking Bun costs a system call and two objects, about a tenth of a publish, so it is asked where somebody
 * wants to know, and once. Where a location looks at addresses in any way, that is at the request's first
 * look, before anything of it is evaluated (`asksWho`); an address that is wanted nevertheless and cannot be
 * had ends the request (UnknownPeer), it is never taken for another.
 */
import type { Incoming } from "../../http/incoming.ts";
import { type KnownPeer, type Peer, tcpPeer, UNIX_PEER, UNKNOWN_PEER } from "../../http/peer.ts";
import type { LocationConfig } from "../model.ts";

/** The part of Bun's server that a request may ask. */
export interface AddressSource {
  requestIP(request: Incoming): { readonly address: string } | null;
}

/** Who knows the clients of a server that does not know them itself, or not for as long as we ask. */
export interface PeerSource {
  peerOf(request: Incoming): Peer;
  /** Where the request's URL does not tell. */
  schemeOf?(request: Incoming): string;
}

/** A listening server, as the locator was told of it. */
export interface Door extends PeerSource {
  /** As configured. */
  readonly address: string;
}

/**
 * Nobody can say whose the request is: its client is gone, or behind a proxy that does not say
 * (UnknownClient).
 */
export class UnknownPeer extends Error {
  constructor(message = "the client reset its connection before its address was known") {
    super(message);
  }
}

/** What a trusted proxy did not say. */
export interface Silence {
  readonly proxy: KnownPeer;
  readonly header: string;
  /** "it is missing" … */
  readonly fault: string;
}

export class UnknownClient extends UnknownPeer {
  readonly silence: Silence;

  constructor(silence: Silence) {
    super(`a trusted proxy does not say who its client is: ${silence.header}: ${silence.fault}`);
    this.silence = silence;
  }
}

export function doorOf(server: AddressSource, address: string, source: PeerSource | undefined): Door {
  if (source !== undefined) return { ...source, address };
  if (address.startsWith("unix:")) return { address, peerOf: () => UNIX_PEER };
  return { address, peerOf: (request) => tcpPeer(server.requestIP(request)?.address) };
}

/** A request that came through no server at all. */
export const NO_DOOR: Door = { address: "", peerOf: () => UNKNOWN_PEER };

/**
 * Whether it matters anywhere in the location who comes. Rather once too often: what is missing here fails
 * late instead of early.
 */
export function asksWho(location: LocationConfig): boolean {
  const { access, auth, code, grants, rate, accessLogs, limitExcept, proxy } = location;
  if (
    limitExcept !== null ||
    // A handler of ours is told who asks, as for any other request.
    grants?.question?.to.startsWith("/") === true ||
    rate !== null ||
    access.length > 0 ||
    auth !== null ||
    code !== null ||
    // A backend is told, or chosen by it.
    proxy !== null ||
    accessLogs.length > 0
  )
    return true;
  return /remote_addr/i.test(JSON.stringify(location));
}
