/**
 * Who is at the other end of a connection. A leaf, so that every stage can name it.
 *
 * The address of a client that resets its connection is not known any more, while the bytes it sent before
 * are still read. "Not known" is therefore a kind of its own here, not an empty text: that once counted as
 * "came through our unix socket", and as matching no rule. config/server/door.ts says when it is asked for;
 * rules, variables, logs and handlers only ever see a KnownPeer.
 *
 * Behind a proxy the other end of the connection is not whose the request is: config/server/client-address.ts
 * makes `Callers` of it.
 */
export interface IpPeer {
  readonly kind: "ip";
  /** As text; an IPv4 address is never in its IPv6 form. */
  readonly address: string;
}

/** Connected to a unix socket we listen on. Who may do that is the file system's to say. */
export interface UnixPeer {
  readonly kind: "unix";
}

export type KnownPeer = IpPeer | UnixPeer;
export type Peer = KnownPeer | { readonly kind: "unknown" };

/** Whose a request is. */
export interface Callers {
  /** At the other end of the connection. */
  readonly connection: KnownPeer;
  /** Whom that speaks for: itself, unless it is a trusted proxy. */
  readonly client: KnownPeer;
}

export const UNIX_PEER: UnixPeer = { kind: "unix" };
export const UNKNOWN_PEER: Peer = { kind: "unknown" };

/** How a listener of both families spells an IPv4 client (RFC 4291 2.5.5.2). */
const MAPPED = "::ffff:";

/** What the kernel said of the other end of a TCP connection; nothing, and it is unknown. */
export function tcpPeer(address: string | null | undefined): Peer {
  if (!address) return UNKNOWN_PEER;
  // One client, one spelling: `if ($remote_addr = 192.0.2.1)` means it on every listener.
  const isMapped = address.startsWith(MAPPED) && address.includes(".");
  return { kind: "ip", address: isMapped ? address.slice(MAPPED.length) : address };
}

/** As variables, logs and handlers are told of it: the address, or "unix:" as in nginx. */
export const peerText = (peer: KnownPeer): string => (peer.kind === "ip" ? peer.address : "unix:");
