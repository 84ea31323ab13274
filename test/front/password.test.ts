/** Hashes of user files, as htpasswd, openssl and others write them. */
import { expect, test } from "bun:test";
import { hashKind, verifyBcrypt, verifyBcryptNow, verifyPassword } from "../../src/front/password.ts";
import { parseUsers } from "../../src/front/user-file.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

// Made with `openssl passwd -apr1|-1 -salt SALT PASSWORD` and by hand for the digests.
test.each([
  ["myPassword", "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"],
  ["secret", "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/"],
  ["", "$apr1$abcdefgh$L.PT565ESX4Tp2bqNs7Ie."],
  ["a password of more than sixteen bytes, and then some", "$apr1$s$YesWqaSqogwTLHutvpnxI."],
  ["secret", "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1"],
  ["caf\xe9", "{SHA}0vUrxEBomPxyLAtOMU+bRvyFzeQ="],
  ["secret", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="],
  ["secret", "{SSHA}UgCJjM+VJJYduihDuk0aPpDtY9RzYWx0eQ=="],
  ["se cret", "{PLAIN}se cret"],
])("%s is the password of %s", (password, hash) => {
  expect(verifyPassword(bytes(password), hash)).toBeTrue();
  expect(verifyPassword(bytes(`${password}x`), hash)).toBeFalse();
  if (password !== "") expect(verifyPassword(bytes(password.slice(1)), hash)).toBeFalse();
});

test.each([
  ["$apr1$x$y", "md5-crypt"],
  ["$1$x$y", "md5-crypt"],
  ["$2y$05$x", "bcrypt"],
  ["$2b$10$x", "bcrypt"],
  ["{SHA}x", "instant"],
  ["{SSHA}x", "instant"],
  ["{PLAIN}x", "instant"],
  ["rqXexS6ZhobKA", "unknown"],
  ["$6$salt$hash", "unknown"],
  ["{MD5}x", "unknown"],
  ["plain", "unknown"],
] as const)("%s is %s", (hash, kind) => {
  expect(hashKind(hash)).toBe(kind);
});

test("a hash that is cut short or empty belongs to no password", () => {
  for (const hash of ["{SHA}", "{SSHA}", "$apr1$$", "$apr1$", "{SHA}!!!!", "$1$"]) {
    expect(verifyPassword(bytes(""), hash)).toBeFalse();
    expect(verifyPassword(bytes("x"), hash)).toBeFalse();
  }
});

test("bcrypt, with the prefix htpasswd -B writes", async () => {
  const hash = Bun.password.hashSync("secret", { algorithm: "bcrypt", cost: 4 });
  for (const prefix of ["$2b$", "$2y$", "$2a$"]) {
    const known = prefix + hash.slice(4);
    expect(await verifyBcrypt(bytes("secret"), known)).toBeTrue();
    expect(verifyBcryptNow(bytes("secret"), known)).toBeTrue();
    expect(await verifyBcrypt(bytes("Secret"), known)).toBeFalse();
    expect(await verifyBcrypt(bytes(""), known)).toBeFalse();
  }
});

test("a password that is absurdly long is refused without work", async () => {
  const long = "x".repeat(256);
  expect(verifyPassword(bytes(long), `{PLAIN}${long}`)).toBeFalse();
  expect(await verifyBcrypt(bytes(long), "$2b$31$nonsense")).toBeFalse();
});

test("lines of a user file", () => {
  const users = parseUsers(
    "# comment\n\nann:{PLAIN}a\r\nbob:{PLAIN}b:a comment\nann:{PLAIN}second\nnohash:\n:x\nnocolon",
  );
  expect([...users]).toEqual([
    ["ann", "{PLAIN}a"],
    ["bob", "{PLAIN}b"],
  ]);
});
