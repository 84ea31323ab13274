/**
 * MD5-crypt as Apache's htpasswd writes it (`$apr1$salt$hash`) and as crypt(3) does (`$1$salt$hash`): the two
 * differ in the magic only. Written here because no library of npm that does this is kept up, and the method
 * is fixed for ever. Called by password.ts.
 *
 * Half a millisecond of work, which whoever guesses passwords can ask for as often as he likes: so it is done
 * in pieces, and other requests come between them.
 */

const ROUNDS = 1000;
/** A piece: about 20 us. */
const ROUNDS_A_PIECE = 32;
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

/**
 * The whole line, `$apr1$salt$hash`, for this password; salts are cut at eight characters. `magic` is
 * "$apr1$" or "$1$". Yields between two pieces of the work.
 */
export function* md5Crypt(
  password: Uint8Array,
  saltText: string,
  magic: string,
): Generator<undefined, string, undefined> {
  const salt = Buffer.from(saltText.slice(0, MAX_SALT), "latin1");
  const digest = firstDigest(password, salt, magic);
  const text = new Uint8Array(2 * password.length + salt.length + digest.length);
  for (let round = 0; round < ROUNDS; round++) {
    if (round % ROUNDS_A_PIECE === 0) yield undefined;
    const isOdd = (round & 1) === 1;
    let length = put(text, 0, isOdd ? password : digest);
    if (round % 3 !== 0) length = put(text, length, salt);
    if (round % 7 !== 0) length = put(text, length, password);
    length = put(text, length, isOdd ? digest : password);
    Bun.MD5.hash(text.subarray(0, length), digest);
  }
  return `${magic}${salt.toString("latin1")}$${encode(digest)}`;
}

/** Where the next part goes. */
function put(text: Uint8Array, at: number, part: Uint8Array): number {
  text.set(part, at);
  return at + part.length;
}

function firstDigest(password: Uint8Array, salt: Uint8Array, magic: string): Uint8Array<ArrayBuffer> {
  const inner = md5([password, salt, password]);
  const parts: Uint8Array[] = [password, Buffer.from(magic, "latin1"), salt];
  for (let left = password.length; left > 0; left -= inner.length)
    parts.push(inner.subarray(0, Math.min(left, inner.length)));
  // The bits of the length choose between a NUL and the first byte: a slip of the first implementation that
  // everyone keeps.
  for (let bits = password.length; bits > 0; bits >>= 1)
    parts.push((bits & 1) === 1 ? NUL : password.subarray(0, 1));
  return md5(parts);
}

const md5 = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Bun.CryptoHasher.hash("md5", Buffer.concat(parts)));

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
