/**
 * Whom a connection speaks for. A client that connects itself is its own; a proxy that `trusted_proxies`
 * names says in a header whose request it passes on. This is the one place where that is decided, compiled
 * once a server: located-request.ts asks it, and rules, limits, logs, variables and code are told the outcome
 * alone.
 *
 * A header is believed as far as those who wrote it are: its last entry is of the proxy at the other end of
 * the connection, the one before of the proxy that entry names, if that is trusted as well, and so on; what
 * stands left of the first stranger is the stranger's own tale, and is not looked at. A trusted proxy that
 * names nobody, or nobody we can read, leaves the client unknown, and the request is refused: taken for the
 * proxy itself, it would pass the rules for the machine of the proxy. A client can bring that about (RFC 9110
 * 7.6.1: `Connection: X-Forwarded-For` makes some proxies drop the field).
 */
import type { KnownPeer } from "../../http/peer.ts";
import type { ProxiesConfig } from "../model/server.ts";
import { UnknownClient } from "./door.ts";
import { forwardedFor, nodeAddress } from "./forwarded.ts";
import {
  type AddressBytes,
  addressText,
  contains,
  type Network,
  parseAddress,
  parseNetwork,
} from "./network.ts";

/** Throws UnknownClient. */
export type ClientReader = (connection: KnownPeer, request: FieldReader) => KnownPeer;

/** The fields of a request; names in lower case. */
export interface FieldReader {
  header(name: string): string | null;
}

/** Trusted proxies in a row. Chains have two or three. */
export const MOST_HOPS = 32;
/** Of the whole header; an address takes at most some 45 characters. */
export const LONGEST_FIELD = 4096;
const LONGEST_SHOWN = 60;

/** null: nobody is trusted, and every connection speaks for itself. Throws on a network that is none. */
export function compileClientReader(proxies: ProxiesConfig | null): ClientReader | null {
  if (proxies === null || proxies.trusted.length === 0) return null;
  const header = proxies.header.toLowerCase();
  const isTrusted = compileTrust(proxies.trusted);
  const clientIn = compileChain(proxies, isTrusted);
  // A backend publishes again and again, and an address takes some microseconds to be read.
  let lastField = "";
  let lastClient: KnownPeer | null = null;
  return (connection, request) => {
    if (!isTrusted.connection(connection)) return connection;
    const field = request.header(header);
    if (lastClient !== null && field === lastField) return lastClient;
    const outcome = field === null ? "it is missing" : clientIn(field);
    if (typeof outcome === "string")
      throw new UnknownClient({ proxy: connection, header: proxies.header, fault: outcome });
    lastField = field ?? "";
    lastClient = { kind: "ip", address: addressText(outcome) };
    return lastClient;
  };
}

interface Trust {
  readonly connection: (peer: KnownPeer) => boolean;
  readonly address: (bytes: AddressBytes) => boolean;
}

function compileTrust(texts: readonly string[]): Trust {
  const networks: Network[] = [];
  for (const text of texts) {
    if (text === "unix:") continue;
    const network = parseNetwork(text);
    if (network === null) throw new Error(`trusted_proxies: "${text}" is no network`);
    networks.push(network);
  }
  const trustsUnix = texts.includes("unix:");
  const address = (bytes: AddressBytes): boolean => networks.some((network) => contains(network, bytes));
  // A proxy's connections all come from one address.
  let lastText = "";
  let lastVerdict = false;
  return {
    address,
    connection(peer) {
      if (peer.kind === "unix") return trustsUnix;
      if (peer.address === lastText) return lastVerdict;
      const bytes = parseAddress(peer.address);
      lastText = peer.address;
      lastVerdict = bytes !== null && address(bytes);
      return lastVerdict;
    },
  };
}

/** The client a header of a trusted proxy tells of, or what is wrong with the header. */
function compileChain(
  { header, isRecursive }: ProxiesConfig,
  isTrusted: Trust,
): (field: string) => AddressBytes | string {
  const read = header.toLowerCase() === "forwarded" ? readForwarded : readBare;
  return (field) => {
    if (field.length > LONGEST_FIELD) return `it is longer than ${LONGEST_FIELD} characters`;
    let end = field.length;
    for (let hop = 0; hop < MOST_HOPS; hop++) {
      const comma = end === 0 ? -1 : field.lastIndexOf(",", end - 1);
      const entry = field.slice(comma + 1, end);
      const address = read(entry);
      if (address === null) return `"${entry.slice(0, LONGEST_SHOWN)}" in it names no address`;
      // Where all are trusted, the first of them began it.
      if (comma < 0 || !isRecursive || !isTrusted.address(address)) return address;
      end = comma;
    }
    return `it names more than ${MOST_HOPS} proxies`;
  };
}

const BLANKS = /^[ \t]+|[ \t]+$/g;

/** An entry of X-Forwarded-For and of headers like it. */
const readBare = (entry: string): AddressBytes | null => nodeAddress(entry.replace(BLANKS, ""), true);

const readForwarded = (entry: string): AddressBytes | null => {
  const node = forwardedFor(entry);
  return node === null ? null : nodeAddress(node, false);
};
