/**
 * Whether a password belongs to a hash of a user file. Knows what htpasswd and nginx know: `$apr1$`, `$1$`, bcrypt, `{SHA}`, `{SSHA}` and
 * `{PLAIN}`. DES and the SHA-2 forms of crypt(3) are not among them: there is no library of the system in the binary that has them.
 */
import { timingSafeEqual } from "node:crypto";
import { md5Crypt } from "./md5-crypt.ts";

/** How a hash is checked: "instant" ones are one digest, "slow" ones block for milliseconds (bcrypt). */
export type HashKind = "instant" | "md5-crypt" | "bcrypt" | "unknown";

/** Longer ones no tool can set (htpasswd stops at 255); they would only make us work. */
const MAX_PASSWORD_BYTES = 255;
const SHA1_BYTES = 20;

export function hashKind(hash: string): HashKind {
  if (/^\$(?:apr1|1)\$/.test(hash)) return "md5-crypt";
  if (/^\$2[aby]\$\d\d\$/.test(hash)) return "bcrypt";
  return /^\{(?:SHA|SSHA|PLAIN)\}/.test(hash) ? "instant" : "unknown";
}

/** Not for bcrypt, whose work does not belong on the event loop: verifyBcrypt. Compared in constant time. */
export function verifyPassword(password: Uint8Array, hash: string): boolean {
  if (password.length > MAX_PASSWORD_BYTES) return false;
  const crypted = /^(\$(?:apr1|1)\$)([^$]*)\$/.exec(hash);
  if (crypted !== null) return sameText(md5Crypt(password, crypted[2] ?? "", crypted[1] ?? ""), hash);
  const value = hash.slice(hash.indexOf("}") + 1);
  if (hash.startsWith("{PLAIN}")) return same(password, Buffer.from(value, "latin1"));
  const stored = Buffer.from(value, "base64");
  if (hash.startsWith("{SHA}")) return same(sha1(password), stored);
  if (hash.startsWith("{SSHA}"))
    return same(sha1(Buffer.concat([password, stored.subarray(SHA1_BYTES)])), stored.subarray(0, SHA1_BYTES));
  return false;
}

/** Works in a thread of the runtime. */
export async function verifyBcrypt(password: Uint8Array, hash: string): Promise<boolean> {
  return isBcryptInput(password) && (await Bun.password.verify(password, asBun(hash)));
}

export const verifyBcryptNow = (password: Uint8Array, hash: string): boolean =>
  isBcryptInput(password) && Bun.password.verifySync(password, asBun(hash));

/** An empty password belongs to nobody; Bun throws on it. */
const isBcryptInput = ({ length }: Uint8Array): boolean => length > 0 && length <= MAX_PASSWORD_BYTES;

/** `$2y$` and `$2a$` are `$2b$` by another name for passwords of this length. */
const asBun = (hash: string): string => hash.replace(/^\$2[ay]\$/, "$2b$");

const sha1 = (bytes: Uint8Array): Uint8Array => Bun.CryptoHasher.hash("sha1", bytes);

const sameText = (left: string, right: string): boolean =>
  same(Buffer.from(left, "latin1"), Buffer.from(right, "latin1"));

/** Lengths are no secret: they are those of the method. */
const same = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && timingSafeEqual(left, right);
