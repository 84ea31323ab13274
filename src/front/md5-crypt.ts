/**
 * MD5-crypt as Apache's htpasswd writes it (`$apr1$salt$hash`) and as crypt(3) does (`$1$salt$hash`): the two differ in the magic only.
 * Written here because no library of npm that does this is kept up, and the method is fixed for ever. Called by password.ts.
 */

const ROUNDS = 1000;
const MAX_SALT = 8;
const ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** Bytes of the digest in the order they are written, three to four characters. */
const TRIPLES: readonly (readonly [number, number, number])[] = [
  [0, 6, 12],
  [1, 7, 13],
  [2, 8, 14],
  [3, 9, 15],
  [4, 10, 5],
];
const LAST_BYTE = 11;

const NUL = Uint8Array.of(0);

/** The whole line, `$apr1$salt$hash`, for this password; salts are cut at eight characters. `magic` is "$apr1$" or "$1$". */
export function md5Crypt(password: Uint8Array, saltText: string, magic: string): string {
  const salt = Buffer.from(saltText.slice(0, MAX_SALT), "latin1");
  let digest = firstDigest(password, salt, magic);
  for (let round = 0; round < ROUNDS; round++) {
    const isOdd = (round & 1) === 1;
    const parts = [isOdd ? password : digest];
    if (round % 3 !== 0) parts.push(salt);
    if (round % 7 !== 0) parts.push(password);
    parts.push(isOdd ? digest : password);
    digest = md5(parts);
  }
  return `${magic}${salt.toString("latin1")}$${encode(digest)}`;
}

function firstDigest(password: Uint8Array, salt: Uint8Array, magic: string): Uint8Array {
  const inner = md5([password, salt, password]);
  const parts: Uint8Array[] = [password, Buffer.from(magic, "latin1"), salt];
  for (let left = password.length; left > 0; left -= inner.length)
    parts.push(inner.subarray(0, Math.min(left, inner.length)));
  // The bits of the length choose between a NUL and the first byte: a slip of the first implementation that everyone keeps.
  for (let bits = password.length; bits > 0; bits >>= 1)
    parts.push((bits & 1) === 1 ? NUL : password.subarray(0, 1));
  return md5(parts);
}

const md5 = (parts: readonly Uint8Array[]): Uint8Array =>
  new Uint8Array(Bun.CryptoHasher.hash("md5", Buffer.concat(parts)).buffer);

function encode(digest: Uint8Array): string {
  let text = "";
  for (const [high, middle, low] of TRIPLES)
    text += characters((byteAt(digest, high) << 16) | (byteAt(digest, middle) << 8) | byteAt(digest, low), 4);
  return text + characters(byteAt(digest, LAST_BYTE), 2);
}

const byteAt = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0;

/** Six bits a character, the lowest first. */
function characters(value: number, count: number): string {
  let text = "";
  for (let i = 0, left = value; i < count; i++, left >>= 6) text += ALPHABET[left & 0x3f];
  return text;
}
