/**
 * `sluice key`, `sluice token`, and what `sluice check` says of keys: over the compiled binary. No output has
 * a secret that nobody asked for.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportJWK, exportPKCS8 } from "jose";
import { runSluice } from "../cli/run-sluice.ts";
import { folderWith, removeFolders } from "../handlers/handler-server.ts";
import { newPair, nowSec, type Pair, pemOf, SECRET, signed, withSecret } from "./issuing.ts";

afterAll(removeFolders);

const HASH = /[A-Za-z0-9_-]{43}/;

describe("sluice key", () => {
  const folder = folderWith({
    "c.toml":
      '[[location]]\nmatch = "= /p"\npublisher = "normal"\nchannels_path = "a"\n' +
      'publisher_keys_file = "keys"\n',
  });
  const keys = join(folder, "keys");
  const config = join(folder, "c.toml");

  test("a key is shown once; the file has its hash, and list shows neither", async () => {
    const added = await runSluice([
      "key",
      "add",
      "back-end",
      "--file",
      keys,
      "--publish",
      "news-*",
      "--publish",
      "a b,c%",
      "--subscribe",
      `inbox-\${sub}`,
    ]);
    expect({ code: added.code, key: added.out }).toEqual({
      code: 0,
      key: expect.stringMatching(/^slk_[a-z0-9]{12}_[\w-]{43}\n$/),
    });
    const second = await runSluice(["key", "add", "back-end", "--config", config, "--publish", "*"]);
    expect(second.code).toBe(0);
    const text = readFileSync(keys, "utf8");
    expect(statSync(keys).mode & 0o777).toBe(0o640);
    for (const { out } of [added, second]) expect(text).not.toContain(out.trim().slice(-43));
    const listed = await runSluice(["key", "list", "--file", keys, "--json"]);
    const lines = listed.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ name, publish, subscribe }) => ({ name, publish, subscribe }))).toEqual([
      { name: "back-end", publish: ["news-*", "a b,c%"], subscribe: [`inbox-\${sub}`] },
      { name: "back-end", publish: ["*"], subscribe: [] },
    ]);
    expect(listed.out).not.toMatch(HASH);
    // Root makes it for the group of the folder, as /etc/sluice has it.
    expect(statSync(keys).gid).toBe(statSync(folder).gid);
    chmodSync(keys, 0o600);
    const one = await runSluice(["key", "revoke", lines[0].id, "--config", config]);
    expect({ code: one.code, said: one.err }).toEqual({ code: 0, said: `1 key taken out of ${keys}.\n` });
    expect(statSync(keys).mode & 0o777).toBe(0o600);
    expect((await runSluice(["key", "list", "--file", keys])).out).toContain("publish *");
    expect((await runSluice(["key", "revoke", "back-end", "--file", keys])).code).toBe(0);
    expect((await runSluice(["key", "revoke", "back-end", "--file", keys])).code).toBe(1);
    expect(readFileSync(keys, "utf8")).toStartWith("# Keys of sluice");
  });

  test.each([
    [["add", "a b", "--publish", "x"], 2, "letters, digits"],
    [["add", "a"], 2, "opens nothing"],
    [["add", "a", "--publish", "x*y"], 2, "at its end"],
    [["add", "a", "--publish", "x/y"], 2, "one channel"],
    [["list"], 1, "cannot be read"],
  ])("key %j: exit code %d", async (args, code, said) => {
    const outcome = await runSluice(["key", ...args, "--file", join(folder, "none")]);
    expect({ code: outcome.code, out: outcome.out }).toEqual({ code, out: "" });
    expect(outcome.err).toContain(said);
  });

  test("two who change the file at once do not lose each other's keys", async () => {
    const both = await Promise.all(
      Array.from({ length: 6 }, (_, at) =>
        runSluice(["key", "add", `n${at}`, "--file", keys, "--publish", "*"]),
      ),
    );
    const listed = (await runSluice(["key", "list", "--file", keys])).out;
    for (const [at, { code }] of both.entries())
      expect([at, code, listed.includes(`n${at} `)]).toEqual([at, 0, true]);
  });
});

describe("sluice token", () => {
  let folder: string;
  let ec: Pair;
  let config: string;
  beforeAll(async () => {
    ec = await newPair("ES256");
    folder = folderWith({
      "ec.pub": await pemOf(ec),
      "ec.key": await exportPKCS8(ec.privateKey),
      "ec.jwk": JSON.stringify(await exportJWK(ec.privateKey)),
      "c.toml": `
[[issuer]]
name = "app"
issuer = "https://example.com"
audience = "https://push.example.com"
algorithms = ["HS256"]
key = "env:HUB_KEY"
[[issuer]]
name = "pair"
algorithms = ["RS256", "ES256"]
key_file = "ec.pub"
[[location]]
match = "/"
page = true
`,
    });
    config = join(folder, "c.toml");
  });
  const env = { HUB_KEY: SECRET };
  const run = (args: readonly string[], input = "") =>
    runSluice(["token", ...args, "--config", config], input, env);

  test("what make makes, check takes, and says what it grants", async () => {
    for (const more of [
      ["--issuer", "app"],
      ["--issuer", "pair", "--key", join(folder, "ec.key")],
      ["--issuer", "pair", "--key", join(folder, "ec.jwk")],
    ]) {
      const made = await run([
        "make",
        ...more,
        "--sub",
        "alice",
        "--subscribe",
        "news-*",
        "--publish",
        "a",
        "--for",
        "10m",
        "--jti",
        "j",
      ]);
      expect(made.code).toBe(0);
      const checked = await run(["check", "-", "--channel", "news-1", "--channel", "a"], made.out);
      expect(checked.out).toContain(`issuer ${more[1]}: good\n  for alice, until `);
      expect(checked.out).toContain(
        "  subscribe news-*\n  publish a\n  channel news-1: subscribe\n  channel a: publish\n",
      );
      expect(checked.code).toBe(0);
      const other = await run(["check", made.out.trim(), "--channel", "secret"]);
      expect({ code: other.code, out: other.out }).toEqual({
        code: 1,
        out: expect.stringContaining("channel secret: nothing"),
      });
      expect(made.err + checked.out + checked.err).not.toContain(SECRET);
    }
  });

  test("check says why one is not good", async () => {
    const cases: readonly (readonly [string, string])[] = [
      ["nonsense", "This is no signed token"],
      [await withSecret({ exp: nowSec() - 600 }), "issuer app: not good: it has expired."],
      [
        await withSecret({ aud: "https://other.example" }),
        'issuer app: not good: unexpected "aud" claim value.',
      ],
      [
        await withSecret({ iss: "https://evil.example" }),
        'its iss is "https://evil.example", and not "https://example.com".',
      ],
      [
        await signed(new TextEncoder().encode(SECRET.toUpperCase()), "HS256"),
        "its signature was not made with the issuer's key.",
      ],
      [await withSecret({ channels: { subscribe: "a" } }), "a claim is of another type than it should be"],
      [
        await withSecret({}),
        'issuer pair: not good: its algorithm is "HS256", and the issuer signs with RS256, ES256.',
      ],
    ];
    for (const [token, said] of cases) {
      const { out, err } = await run(["check", token]);
      expect(out).toContain(said);
      expect(out + err).not.toContain(SECRET);
    }
  });

  test.each([
    [["make"], "which issuer? There are app, pair."],
    [["make", "--issuer", "none"], "there is no issuer none; there are app, pair."],
    [["make", "--issuer", "pair"], "say --key"],
    [["make", "--issuer", "app", "--for", "soon"], "--for is a time"],
    [["make", "--issuer", "app", "--subscribe", "a*b"], "at its end"],
  ])("token %j: exit code 2", async (args, said) => {
    const outcome = await run(args);
    expect({ code: outcome.code, out: outcome.out }).toEqual({ code: 2, out: "" });
    expect(outcome.err).toContain(said);
  });
});

describe("sluice check, of keys", () => {
  let folder: string;
  beforeAll(async () => {
    const [ec, rsa] = (await Promise.all(["ES256", "RS256"].map(newPair))) as [Pair, Pair];
    folder = folderWith({
      "ec.pub": await pemOf(ec),
      "rsa.pub": await pemOf(rsa),
      "ec.key": await exportPKCS8(ec.privateKey),
      short: "short secret",
      "set.json": '{"keys":{}}',
      keys: "# a comment\nnot a key\n",
    });
  });

  test.each([
    ['algorithms = ["ES256"]\nkey_file = "ec.pub"', "OK"],
    ['algorithms = ["RS256", "PS256"]\nkey_file = "rsa.pub"', "OK"],
    [
      'algorithms = ["RS256"]\nkey_file = "ec.pub"',
      "issuer[0].key_file: the key is of kind ec prime256v1, which is for none of RS256.",
    ],
    [
      'algorithms = ["ES256"]\nkey_file = "ec.key"',
      "issuer[0].key_file: this is a private key, which does not belong here; the public one verifies.",
    ],
    [
      'algorithms = ["HS256"]\nkey_file = "ec.pub"',
      "issuer[0].key_file: HS256 is signed with a secret, and this is a key of another kind.",
    ],
    [
      'algorithms = ["HS256"]\nkey_file = "short"',
      "issuer[0].key_file: the secret of HS256 must have at least 32 bytes, it has 12.",
    ],
    [
      'algorithms = ["HS512"]\nkey = "env:HUB_KEY"',
      "issuer[0].key: the secret of HS512 must have at least 64 bytes, it has 43.",
    ],
    ['algorithms = ["HS256"]\nkey = "env:NOT_THERE"', "issuer[0].key: the variable NOT_THERE is not set."],
    [
      'algorithms = ["ES256"]\njwks = "set.json"',
      "issuer[0].jwks: it is no key set: there is no list of keys in it.",
    ],
    ['algorithms = ["ES256"]\njwks = "https://example.com/keys"', "OK"],
    [
      'algorithms = ["ES256"]\njwks = "http://example.com/keys"',
      "issuer[0].jwks",
      "keys are fetched by https, except from this machine.",
    ],
    [
      'algorithms = ["ES256"]\njwks = "https://me:pw@example.com/keys"',
      "issuer[0].jwks",
      "must not have a password in it.",
    ],
    ['algorithms = ["HS256"]\njwks = "https://example.com/keys"', "a key set has public keys"],
    ['algorithms = ["ES256", "HS256"]\nkey_file = "ec.pub"', "are two issuers."],
    ['algorithms = ["none"]\nkey_file = "ec.pub"', "there is no such algorithm"],
    ['algorithms = ["ES256"]', "an issuer has one of jwks, key_file and key."],
    [
      'algorithms = ["HS256"]\nkey = "a secret that somebody wrote here by mistake"',
      'issuer[0].key = "…": key is env:NAME',
    ],
  ] as [string, ...string[]][])("%s: %s", async (lines, ...said) => {
    const config = join(folder, "c.toml");
    writeFileSync(config, `[[issuer]]\nname = "a"\n${lines}\n[[location]]\nmatch = "/"\npage = true\n`);
    const { out, err } = await runSluice(["check", config], "", { HUB_KEY: SECRET });
    for (const text of said) expect(out + err).toContain(text);
    expect(out + err).not.toMatch(/short secret|by mistake|secret of the tests/);
  });

  test.each([
    [
      'publisher_keys_file = "keys"',
      'publisher_keys_file "',
      "line 2: there is no id and hash of a key in it",
    ],
    ['token_issuers = ["b"]', 'there is no [[issuer]] "b".'],
    [
      'token = ["cookie:s"]\ntoken_issuers = ["a"]\nallowed_origins = "*"',
      "a cookie is not for the pages of everybody",
    ],
    ['token = ["cookie:s"]\ntoken_issuers = ["a"]\ncheck_origin = false', "check_origin must be on."],
    ['auth_request = "http://127.0.0.1:1/"\nallowed_origins = "*"', "it tells of cookies"],
    ['token = ["body"]\ntoken_issuers = ["a"]', 'a place is "header"'],
    ['public = ["a"]', "public needs one of token_issuers"],
    ['auth_request = "/nowhere"', "there is no location with a handler at that path."],
    ['auth_request = "ftp://x/"', "the URL must begin with https:// or http://."],
    ['auth_request = "auth"', "auth_request is a URL, or the path of a location."],
    ['rate = "fast"', 'a rate is "100/s"'],
    ['public = ["a*b"]\ntoken_issuers = ["a"]', "a pattern has one *, at its end."],
  ] as [string, ...string[]][])("a location with %s", async (lines, ...said) => {
    const config = join(folder, "c.toml");
    const issuer = '[[issuer]]\nname = "a"\nalgorithms = ["ES256"]\nkey_file = "ec.pub"\n';
    writeFileSync(
      config,
      `${issuer}[[location]]\nmatch = "/p"\npublisher = "normal"\nchannels_path = "a"\n${lines}\n`,
    );
    const { code, err } = await runSluice(["check", config]);
    expect(code).toBe(2);
    for (const text of said) expect(err).toContain(text);
  });

  test("a location that takes grants back is for somebody", async () => {
    const config = join(folder, "c.toml");
    writeFileSync(config, '[[location]]\nmatch = "/r"\nrevoke = true\n');
    expect((await runSluice(["check", config])).err).toContain("anybody could shut out everybody");
  });
});
