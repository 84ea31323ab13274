/**
 * IP addresses and networks in CIDR form, for access rules, quotas and trusted proxies. Written here and not
 * taken from node:net's BlockList: that one has a list to block and none of nginx's order of rules, and asks
 * for the family with each address.
 */

/** 4 or 16 bytes. */
export type AddressBytes = readonly number[];

export interface Network {
  readonly address: AddressBytes;
  readonly prefixBits: number;
}

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
const IPV6_GROUPS = 8;
/** No address is longer, scopes included. */
const MAX_TEXT = 64;

/**
 * The bytes of an address; an IPv4 one written as IPv6 (::ffff:1.2.3.4) counts as IPv4, a scope (%eth0) is
 * left out. Null: it is none.
 */
export function parseAddress(text: string): AddressBytes | null {
  if (text.length > MAX_TEXT) return null;
  if (!text.includes(":")) return parseIpv4(text);
  const bytes = parseIpv6(text.split("%", 1)[0] ?? "");
  return bytes !== null && isMapped(bytes) ? bytes.slice(IPV6_BYTES - IPV4_BYTES) : bytes;
}

/**
 * `10.0.0.0/8`, `2001:db8::/32`, or an address alone. Bits below the prefix do not count. Null: it is none.
 */
export function parseNetwork(text: string): Network | null {
  const slash = text.indexOf("/");
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === null) return null;
  const allBits = address.length * 8;
  if (slash < 0) return { address, prefixBits: allBits };
  const digits = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(digits)) return null;
  // A mapped network counts its bits from the front of the IPv6 form.
  const mappedBits = text.includes(":") && address.length === IPV4_BYTES ? (IPV6_BYTES - IPV4_BYTES) * 8 : 0;
  const prefixBits = Number(digits) - mappedBits;
  return prefixBits >= 0 && prefixBits <= allBits ? { address, prefixBits } : null;
}

export function contains({ address, prefixBits }: Network, other: AddressBytes): boolean {
  if (address.length !== other.length) return false;
  const whole = prefixBits >> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== other[i]) return false;
  const rest = prefixBits & 7;
  return rest === 0 || ((address[whole] ?? 0) ^ (other[whole] ?? 0)) >> (8 - rest) === 0;
}

/** The one spelling of an address, that of the kernel: `2001:db8::1` (RFC 5952), `192.0.2.1`. */
export function addressText(bytes: AddressBytes): string {
  if (bytes.length === IPV4_BYTES) return bytes.join(".");
  const groups: string[] = [];
  for (let i = 0; i < IPV6_BYTES; i += 2)
    groups.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16));
  // URLs spell addresses so, too (WHATWG URL 3.5).
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** What one customer is usually given (RFC 6177). */
const CUSTOMER_BYTES = 8;

/**
 * What clients are counted by: an IPv6 network of the size that one customer has. An address that cannot be
 * read is one of its own.
 */
export function addressKey(address: string): string {
  const bytes = parseAddress(address);
  return bytes === null || bytes.length === IPV4_BYTES ? address : bytes.slice(0, CUSTOMER_BYTES).join(".");
}

function parseIpv4(text: string): AddressBytes | null {
  const parts = text.split(".");
  if (parts.length !== IPV4_BYTES) return null;
  const bytes: number[] = [];
  for (const part of parts) {
    // Not 010: to some that is ten, to others eight (RFC 6943 3.1.1).
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    bytes.push(Number(part));
  }
  return bytes;
}

function parseIpv6(text: string): AddressBytes | null {
  const [head = "", tail, third] = text.split("::");
  if (third !== undefined) return null;
  const front = parseGroups(head, tail === undefined);
  const back = parseGroups(tail ?? "", true);
  if (front === null || back === null) return null;
  const missing = IPV6_BYTES - front.length - back.length;
  // "::" stands for at least one group.
  if (tail === undefined ? missing !== 0 : missing < 2) return null;
  return [...front, ...new Array<number>(missing).fill(0), ...back];
}

/** Groups of one side of "::" as bytes; the last of an address may be a dotted IPv4 one. */
function parseGroups(text: string, isEnd: boolean): number[] | null {
  if (text === "") return [];
  const groups = text.split(":");
  if (groups.length > IPV6_GROUPS) return null;
  const bytes: number[] = [];
  for (const [i, group] of groups.entries()) {
    if (isEnd && i === groups.length - 1 && group.includes(".")) {
      const dotted = parseIpv4(group);
      if (dotted === null) return null;
      bytes.push(...dotted);
    } else if (/^[\da-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    } else return null;
  }
  return bytes;
}

const isMapped = (bytes: AddressBytes): boolean =>
  bytes.every((byte, i) => i >= 12 || byte === (i >= 10 ? 0xff : 0));
