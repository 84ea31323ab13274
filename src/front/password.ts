/**
 * Whether a password belongs to a hash of a user file. Knows what htpasswd and nginx know: `$apr1$`, `$1$`,
 * bcrypt, `{SHA}`, `{SSHA}` and `{PLAIN}`. DES and the SHA-2 forms of crypt(3) are not among them: there is
 * no library of the system in the binary that has them.
 */
import { timingSafeEqual } from "node:crypto";
import { md5Crypt } from "./md5-crypt.ts";

/** How a hash is checked: "instant" ones are one digest, "slow" ones are made to be slow. */
export type HashKind = "instant" | "slow" | "unknown";

/** Longer ones no tool can set (htpasswd stops at 255); they would only make us work. */
const MAX_PASSWORD_BYTES = 255;
const SHA1_BYTES = 20;

const MD5_CRYPT = /^(\$(?:apr1|1)\$)([^$]*)\$/;
/** With the costs that htpasswd sets; 17 takes seconds, and each one more twice as long. */
const BCRYPT = /^\$2[aby]\$(?:0[4-9]|1[0-7])\$[./A-Za-z0-9]{53}$/;

/**
 * Work on the event loop between two pauses, and a pause: guessing takes a tenth of a worker, however much is
 * guessed.
 */
const PIECE_MS = 0.1;
const PAUSE_MS = 1;

export function hashKind(hash: string): HashKind {
  if (MD5_CRYPT.test(hash) || BCRYPT.test(hash)) return "slow";
  return /^\{(?:SHA|SSHA|PLAIN)\}/.test(hash) ? "instant" : "unknown";
}

/** For hashes of this kind. Compared in constant time. */
export function verifyInstantly(password: Uint8Array, hash: string): boolean {
  if (password.length > MAX_PASSWORD_BYTES) return false;
  const value = hash.slice(hash.indexOf("}") + 1);
  if (hash.startsWith("{PLAIN}")) return same(password, Buffer.from(value, "latin1"));
  const stored = Buffer.from(value, "base64");
  if (hash.startsWith("{SHA}")) return same(sha1(password), stored);
  if (hash.startsWith("{SSHA}"))
    return same(sha1(Buffer.concat([password, stored.subarray(SHA1_BYTES)])), stored.subarray(0, SHA1_BYTES));
  return false;
}

/** bcrypt in a thread of the runtime, MD5-crypt, for which it has none, a piece at a time. */
export async function verifySlowly(password: Uint8Array, hash: string): Promise<boolean> {
  if (password.length > MAX_PASSWORD_BYTES) return false;
  const [, magic = "", salt = ""] = MD5_CRYPT.exec(hash) ?? [];
  if (magic !== "") return sameText(await inPieces(md5Crypt(password, salt, magic)), hash);
  // An empty password belongs to nobody; Bun throws on it. `$2y$` and `$2a$` are `$2b$` by another name for
  // passwords of this length.
  return password.length > 0 && (await Bun.password.verify(password, hash.replace(/^\$2[ay]\$/, "$2b$")));
}

async function inPieces<Result>(work: Generator<undefined, Result, undefined>): Promise<Result> {
  for (;;) {
    const endMs = performance.now() + PIECE_MS;
    do {
      const piece = work.next();
      if (piece.done === true) return piece.value;
    } while (performance.now() < endMs);
    await Bun.sleep(PAUSE_MS);
  }
}

const sha1 = (bytes: Uint8Array): Uint8Array => Bun.CryptoHasher.hash("sha1", bytes);

const sameText = (left: string, right: string): boolean =>
  same(Buffer.from(left, "latin1"), Buffer.from(right, "latin1"));

/** Lengths are no secret: they are those of the method. */
const same = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && timingSafeEqual(left, right);
