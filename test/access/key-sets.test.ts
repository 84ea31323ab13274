/**
 * Key sets by URL: when they are read, what becomes of bad ones, and that keys rotate. A real server of sets,
 * and a clock of the test's own.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { errors } from "jose";
import { KeySet, NoKeys } from "../../src/access/key-set.ts";
import { encoded, type KeyServer, keySet, newPair, type Pair, serveKeys, signed } from "./issuing.ts";

let one: Pair;
let two: Pair;
let server: KeyServer;
let nowMs = 0;
const clock = (): number => nowMs;

beforeAll(async () => {
  [one, two] = (await Promise.all(["ES256", "ES256"].map(newPair))) as [Pair, Pair];
  server = serveKeys(await keySet(["1", "ES256", one]));
});
afterAll(() => server.stop());

/** What the set makes of a token that names this key. */
async function find(set: KeySet, kid: string | null, alg = "ES256"): Promise<unknown> {
  const [header = "", payload = "", signature = ""] = (await signed(one.privateKey, "ES256")).split(".");
  const wanted = { alg, ...(kid === null ? {} : { kid }) };
  try {
    return (await set.find(wanted, { protected: header, payload, signature })).length;
  } catch (error) {
    return error instanceof NoKeys ? "no keys" : error instanceof errors.JOSEError ? error.code : error;
  }
}

const UNKNOWN = "ERR_JWKS_NO_MATCHING_KEY";

test("it is read at the start, and again for an unknown key, every half minute at most", async () => {
  const rotated = await keySet(["1", "ES256", one], ["2", "ES256", two]);
  server.asked = 0;
  nowMs = 0;
  const set = new KeySet(server.url, clock);
  expect(await find(set, "1")).toBe(1);
  for (let asked = 0; asked < 20; asked++) expect(await find(set, "2")).toBe(UNKNOWN);
  expect(server.asked).toBe(1);
  server.answer = () => new Response(rotated);
  nowMs = 29_999;
  expect(await find(set, "2")).toBe(UNKNOWN);
  nowMs = 30_000;
  // Whoever asks meanwhile waits for the same reading.
  expect(await Promise.all([find(set, "2"), find(set, "2"), find(set, "3")])).toEqual([1, 1, UNKNOWN]);
  expect(server.asked).toBe(2);
  // Two keys fit a token that names none: both are tried.
  expect(await find(set, null)).toBe(2);
  // A key that is no longer in the set is good no more.
  server.answer = async () => new Response(await keySet(["2", "ES256", two]));
  nowMs += 11 * 60_000;
  expect(await find(set, "2")).toBe(1);
  while (server.asked < 3 || (await find(set, "1")) !== UNKNOWN) await Bun.sleep(2);
  expect(server.asked).toBeLessThanOrEqual(4);
});

test("what cannot be read, or is no set, leaves the last good one; no redirect is followed", async () => {
  const good = await keySet(["1", "ES256", one]);
  server.answer = () => new Response(good);
  nowMs = 0;
  const set = new KeySet(server.url, clock);
  expect(await find(set, "1")).toBe(1);
  const elsewhere = serveKeys(await keySet(["2", "ES256", two]));
  const bad: Record<string, () => Response | Promise<Response>> = {
    "500": () => new Response("x", { status: 500 }),
    "a redirect": () => Response.redirect(elsewhere.url),
    "no JSON": () => new Response("<html>"),
    "a list": () => new Response("[]"),
    "no list of keys": () => new Response('{"keys":{}}'),
    "keys that are texts": () => new Response('{"keys":["a"]}'),
    "a thousand keys": () => Response.json({ keys: new Array(1000).fill({ kty: "EC" }) }),
    "10 MB": () => new Response(`{"keys":[${" ".repeat(10 * 1024 * 1024)}]}`),
    "10 MB that came small": () =>
      new Response(Bun.gzipSync(`{"keys":[${" ".repeat(10 * 1024 * 1024)}]}`), {
        headers: { "Content-Encoding": "gzip" },
      }),
  };
  for (const [what, answer] of Object.entries(bad)) {
    server.answer = answer;
    nowMs += 60_000;
    expect([what, await find(set, "2")]).toEqual([what, UNKNOWN]);
    expect([what, await find(set, "1")]).toEqual([what, 1]);
  }
  expect(elsewhere.asked).toBe(0);
  elsewhere.stop();
});

test("a set whose entries point elsewhere, or are secrets and private keys, gives no key", async () => {
  const { privateKey } = one;
  const secret = await crypto.subtle.exportKey("jwk", privateKey);
  const entries = [
    { kty: "oct", kid: "1", k: encoded("a secret"), alg: "HS256" },
    { ...secret, kid: "1", alg: "ES256", key_ops: undefined },
    { kty: "EC", kid: "1", x5u: server.url, jku: server.url },
    { kty: "EC", kid: "1", crv: "P-256", x: "AA", y: "AA" },
    { kty: "RSA", kid: "1", n: "AA", e: "AQAB" },
    {},
  ];
  for (const entry of entries) {
    server.answer = () => Response.json({ keys: [entry] });
    nowMs = 0;
    const set = new KeySet(server.url, clock);
    for (const alg of ["ES256", "HS256", "RS256"]) {
      const found = await find(set, "1", alg);
      // An RSA key that small is refused when it is used.
      if (alg !== "RS256" || entry.kty !== "RSA")
        expect([entry, alg, typeof found]).not.toEqual([entry, alg, "number"]);
    }
  }
});

test("without any set nobody can say, and it is asked for again soon", async () => {
  server.answer = () => new Response("x", { status: 503 });
  server.asked = 0;
  nowMs = 0;
  const set = new KeySet(server.url, clock);
  for (let asked = 0; asked < 10; asked++) expect(await find(set, "1")).toBe("no keys");
  expect(server.asked).toBe(1);
  server.answer = async () => new Response(await keySet(["1", "ES256", one]));
  nowMs = 2000;
  expect(await Promise.all([find(set, "1"), find(set, "1")])).toEqual([1, 1]);
  expect(server.asked).toBe(2);
});
