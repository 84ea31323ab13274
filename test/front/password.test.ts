/** Hashes of user files, as htpasswd, openssl and others write them. */
import { expect, test } from "bun:test";
import { Passed } from "../../src/front/passed.ts";
import { hashKind, verifyInstantly, verifySlowly } from "../../src/front/password.ts";
import { parseUsers } from "../../src/front/user-file.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

const verify = async (password: string, hash: string): Promise<boolean> =>
  hashKind(hash) === "slow"
    ? await verifySlowly(bytes(password), hash)
    : verifyInstantly(bytes(password), hash);

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
])("%s is the password of %s", async (password, hash) => {
  expect(await verify(password, hash)).toBeTrue();
  expect(await verify(`${password}x`, hash)).toBeFalse();
  if (password !== "") expect(await verify(password.slice(1), hash)).toBeFalse();
});

test.each([
  ["$apr1$x$y", "slow"],
  ["$1$x$y", "slow"],
  [`$2y$05$${"x".repeat(53)}`, "slow"],
  [`$2b$17$${"x".repeat(53)}`, "slow"],
  // Cut short, and one that takes days.
  ["$2y$05$x", "unknown"],
  [`$2b$31$${"x".repeat(53)}`, "unknown"],
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

test("a hash that is cut short or empty belongs to no password", async () => {
  for (const hash of ["{SHA}", "{SSHA}", "$apr1$$", "$apr1$", "{SHA}!!!!", "$1$"]) {
    expect(await verify("", hash)).toBeFalse();
    expect(await verify("x", hash)).toBeFalse();
  }
});

test("bcrypt, with the prefix htpasswd -B writes", async () => {
  const hash = Bun.password.hashSync("secret", { algorithm: "bcrypt", cost: 4 });
  for (const prefix of ["$2b$", "$2y$", "$2a$"]) {
    const known = prefix + hash.slice(4);
    expect(await verify("secret", known)).toBeTrue();
    expect(await verify("Secret", known)).toBeFalse();
    expect(await verify("", known)).toBeFalse();
  }
});

test("a password that is absurdly long is refused without work", async () => {
  const long = "x".repeat(256);
  expect(verifyInstantly(bytes(long), `{PLAIN}${long}`)).toBeFalse();
  expect(await verifySlowly(bytes(long), "$2b$31$nonsense")).toBeFalse();
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

test("the event loop turns while a password is verified", async () => {
  for (const hash of [
    "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/",
    Bun.password.hashSync("secret", { algorithm: "bcrypt", cost: 8 }),
  ]) {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    expect(await verify("secret", hash)).toBeTrue();
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
  }
});

test("what passed is asked for again after some minutes, and the oldest goes first", () => {
  const passed = new Passed();
  passed.add("a", 0);
  expect([passed.has("a", 0), passed.has("a", 299_999), passed.has("a", 300_000)]).toEqual([
    true,
    true,
    false,
  ]);
  for (let i = 0; i <= 1000; i++) passed.add(`d${i}`, i);
  expect([passed.has("d0", 2000), passed.has("d1", 2000), passed.has("d1000", 2000)]).toEqual([
    false,
    true,
    true,
  ]);
});
