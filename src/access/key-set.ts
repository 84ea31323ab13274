/**
 * The public keys of an issuer as a JSON Web Key Set (RFC 7517 5), by URL or from a file. It is read at the
 * start, again when it is old, and when a token names a key that is not in it: keys rotate. That last is
 * anybody's to cause, so it happens every half minute at most. When it cannot be read, the last good set
 * stays. Used by issuer.ts.
 *
 * Only `kid`, `alg`, `kty`, `use` and the key itself mean something: addresses in a set (x5u, jku) are
 * followed by nobody.
 */
import { readFile } from "node:fs/promises";
import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from "jose";
import { isUrl } from "../config/checks/access-checks.ts";
import { log } from "../log.ts";
import { boundedFetch } from "./bounded-fetch.ts";

const READ_AGAIN_MS = 30_000;
/** While there is no set at all. */
const FIRST_AGAIN_MS = 2000;
const OLD_MS = 10 * 60_000;
const BOUNDS = { timeoutMs: 5000, maxBytes: 256 * 1024 };
const MAX_KEYS = 100;

/** There is no set, and so nobody can say whether a token is good. */
export class NoKeys extends Error {}

type Finder = ReturnType<typeof createLocalJWKSet>;
type FlattenedToken = Parameters<Finder>[1];

export class KeySet {
  readonly #source: string;
  readonly #nowMs: () => number;
  #find: Finder | null = null;
  #readMs = Number.NEGATIVE_INFINITY;
  #triedMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | null = null;
  #hasFailed = false;

  constructor(source: string, nowMs: () => number = () => performance.now()) {
    this.#source = source;
    this.#nowMs = nowMs;
    void this.#read();
  }

  /**
   * Resolves to the keys the token may be signed with: one, unless it names none. Rejects with NoKeys, or
   * with what jose says.
   */
  async find(header: JWSHeaderParameters, token: FlattenedToken): Promise<readonly CryptoKey[]> {
    if (this.#find === null && this.#mayRead(FIRST_AGAIN_MS)) await this.#read();
    else if (this.#find === null && this.#reading !== null) await this.#reading;
    else if (this.#nowMs() - this.#readMs > OLD_MS && this.#mayRead(READ_AGAIN_MS)) void this.#read();
    try {
      return await this.#matching(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if (this.#reading !== null) await this.#reading;
      else if (this.#mayRead(READ_AGAIN_MS)) await this.#read();
      else throw error;
      return await this.#matching(header, token);
    }
  }

  async #matching(header: JWSHeaderParameters, token: FlattenedToken): Promise<readonly CryptoKey[]> {
    if (this.#find === null) throw new NoKeys();
    try {
      return [await this.#find(header, token)];
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      const keys: CryptoKey[] = [];
      for await (const key of error) keys.push(key);
      return keys;
    }
  }

  #mayRead(everyMs: number): boolean {
    return this.#reading === null && this.#nowMs() - this.#triedMs >= everyMs;
  }

  #read(): Promise<void> {
    this.#triedMs = this.#nowMs();
    this.#reading = this.#readNow().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #readNow(): Promise<void> {
    try {
      this.#find = createLocalJWKSet(keySetOf(await this.#text()));
      this.#readMs = this.#nowMs();
      if (this.#hasFailed) log("info", "a key set can be read again", { from: placeOf(this.#source) });
      this.#hasFailed = false;
    } catch (error) {
      // Said once, not with each of the readings that fail until somebody mends it.
      if (!this.#hasFailed)
        log("error", "a key set cannot be read; the last good one stays, if there is one", {
          from: placeOf(this.#source),
          error: error instanceof Error ? error.message : String(error),
        });
      this.#hasFailed = true;
    }
  }

  async #text(): Promise<string> {
    if (!isUrl(this.#source)) {
      const bytes = await readFile(this.#source);
      if (bytes.length > BOUNDS.maxBytes) throw new Error(`it has more than ${BOUNDS.maxBytes} bytes`);
      return bytes.toString("utf8");
    }
    const { status, body } = await boundedFetch(
      this.#source,
      new Headers({ Accept: "application/json" }),
      BOUNDS,
    );
    if (status !== 200) throw new Error(`it was answered with ${status}`);
    return Buffer.from(body).toString("utf8");
  }
}

/** Throws when it is none. */
export function keySetOf(text: string): JSONWebKeySet {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    throw new Error("it is no JSON");
  }
  const keys = typeof set === "object" && set !== null && "keys" in set ? set.keys : null;
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === "object" && key !== null))
    throw new Error("it is no key set: there is no list of keys in it");
  if (keys.length > MAX_KEYS) throw new Error(`it has more than ${MAX_KEYS} keys`);
  return { keys };
}

/** A URL without what may be secret in it. */
const placeOf = (source: string): string =>
  isUrl(source) ? new URL(source).origin + new URL(source).pathname : source;
