/**
 * The texts in which proxies name a client: the header Forwarded (RFC 7239), and addresses as they stand in
 * X-Forwarded-For. Used by client-address.ts, which says which entry of a header is to be read.
 */
import { type AddressBytes, parseAddress } from "./network.ts";

const TOKEN = "[!#$%&'*+.^_`|~\\w-]+";
/**
 * RFC 7239 4. Between quotes stands no blank, comma, semicolon, equals sign or backslash, which no node, host
 * or scheme has: an entry can then be cut out at its commas, and a client cannot leave a quotation open in
 * what it sends, so that the next proxy's words become part of it.
 */
const PAIR = new RegExp(`^[ \\t]*(${TOKEN})=(?:(${TOKEN})|"([^"\\\\\\s,;=]*)")[ \\t]*$`);
const BLANK = /^[ \t]*$/;

/**
 * The node that `for` of one entry names, out of its quotes; null: none, several, or the entry is malformed.
 */
export function forwardedFor(entry: string): string | null {
  let node: string | null = null;
  for (const text of entry.split(";")) {
    if (BLANK.test(text)) continue;
    const pair = PAIR.exec(text);
    if (pair === null) return null;
    if (pair[1]?.toLowerCase() !== "for") continue;
    if (node !== null) return null;
    node = pair[2] ?? pair[3] ?? "";
  }
  return node;
}

/** `[2001:db8::1]:4711`, `192.0.2.1:_hidden`; the port may be obfuscated (RFC 7239 6.2). */
const NODE = /^(?:\[([\da-f:.]+)\]|([\d.]+))(?::(?:\d{1,5}|_[\w.-]+))?$/i;

/**
 * The address of a node, whatever its port. null: `unknown`, an obfuscated identifier (RFC 7239 6.3), or
 * nothing of the kind. `isBare`: an IPv6 address may stand without brackets, as it does in X-Forwarded-For.
 */
export function nodeAddress(node: string, isBare: boolean): AddressBytes | null {
  const parts = NODE.exec(node);
  if (parts === null) return isBare && node.includes(":") ? parseAddress(node) : null;
  const [, bracketed, dotted] = parts;
  if (bracketed !== undefined) return bracketed.includes(":") ? parseAddress(bracketed) : null;
  return parseAddress(dotted ?? "");
}
