/**
 * One `[[issuer]]`: whether a token is its, and what it grants. Verified tokens are remembered, so a client
 * that comes back costs a hash. Signatures are jose's; which algorithm and which key is ours to say, and
 * never the token's. Used by the gates, and by `sluice token check`.
 */
import { errors, jwtVerify } from "jose";
import type { Grant } from "../config/grant/grant.ts";
import type { IssuerConfig } from "../config/model/access.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { log } from "../log.ts";
import { grantOfClaims } from "./claims.ts";
import { digestOf } from "./digest.ts";
import { GrantCache } from "./grant-cache.ts";
import { type IssuerKeys, keysOf, type VerifyingKey } from "./key-material.ts";
import { KeySet, NoKeys } from "./key-set.ts";
import { readToken, type TokenText } from "./token-text.ts";

/** Verified at a time; more wait for nobody and are told to come again. */
const MOST_AT_ONCE = 512;

export class Issuer {
  readonly config: IssuerConfig;
  readonly #cache = new GrantCache();
  readonly #underWay = new Map<string, Promise<Grant | Refusal>>();
  readonly #set: KeySet | null;
  readonly #keys: Promise<IssuerKeys | null>;

  constructor(config: IssuerConfig) {
    this.config = config;
    this.#set = config.jwks === null ? null : new KeySet(config.jwks);
    this.#keys = config.jwks === null ? keysOf(config).catch(tell(config.name)) : Promise.resolve(null);
  }

  /** Verified before, and still good. */
  known(digest: string): Grant | null {
    return this.#cache.get(digest, Date.now());
  }

  /** Whether it can be one of its tokens at all; nothing of that is believed. */
  claimsToIssue({ header, claims }: TokenText): boolean {
    const { issuer, algorithms } = this.config;
    if (typeof header["alg"] !== "string" || !algorithms.includes(header["alg"])) return false;
    return issuer === null || claims["iss"] === issuer;
  }

  /** Tokens that come twice at the same time are verified once. */
  verify(token: TokenText, digest: string): Promise<Grant | Refusal> {
    const same = this.#underWay.get(digest);
    if (same !== undefined) return same;
    if (this.#underWay.size >= MOST_AT_ONCE) return Promise.resolve(Refusals.accessBusy);
    const outcome = this.#verify(token, digest).finally(() => this.#underWay.delete(digest));
    this.#underWay.set(digest, outcome);
    return outcome;
  }

  /** The grant, or why it is not good, for whoever has both the token and the configuration. */
  async explain(token: TokenText): Promise<Grant | string> {
    const { issuer, algorithms } = this.config;
    const { alg } = token.header;
    if (typeof alg !== "string" || !algorithms.includes(alg))
      return `its algorithm is ${JSON.stringify(alg)}, and the issuer signs with ${algorithms.join(", ")}`;
    if (issuer !== null && token.claims["iss"] !== issuer)
      return `its iss is ${JSON.stringify(token.claims["iss"] ?? null)}, and not ${JSON.stringify(issuer)}`;
    try {
      const claims = await this.#claims(token);
      if (claims === null) return "no key of the issuer is for its algorithm";
      const grant = grantOfClaims(claims, this.config);
      return grant ?? "a claim is of another type than it should be, or a pattern is none";
    } catch (error) {
      return reasonOf(error);
    }
  }

  async #verify(token: TokenText, digest: string): Promise<Grant | Refusal> {
    try {
      const claims = await this.#claims(token);
      const grant = claims === null ? null : grantOfClaims(claims, this.config);
      if (grant === null) return Refusals.invalidToken;
      this.#cache.set(digest, grant);
      return grant;
    } catch (error) {
      return refusalOf(error);
    }
  }

  /** Rejects as jose does. null: no key of the issuer is for its algorithm. */
  async #claims({ text }: TokenText): Promise<Readonly<Record<string, unknown>> | null> {
    const { issuer, audience, algorithms, skewSec } = this.config;
    const options = {
      algorithms: [...algorithms],
      clockTolerance: skewSec,
      ...(issuer === null ? {} : { issuer }),
      ...(audience.length === 0 ? {} : { audience: [...audience] }),
    };
    let failure: unknown = null;
    for (const key of await this.#keysFor(text)) {
      try {
        return (await jwtVerify(text, key, options)).payload;
      } catch (error) {
        failure = error;
        // Of several keys that fit one may still have signed it.
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      }
    }
    if (failure !== null) throw failure;
    return null;
  }

  async #keysFor(text: string): Promise<readonly VerifyingKey[]> {
    const [protectedHeader = "", payload = "", signature = ""] = text.split(".");
    const header = readToken(text)?.header ?? {};
    const algorithm = header["alg"];
    if (typeof algorithm !== "string" || !this.config.algorithms.includes(algorithm)) return [];
    if (this.#set !== null) {
      const kid = header["kid"];
      const wanted = { alg: algorithm, ...(typeof kid === "string" ? { kid } : {}) };
      return await this.#set.find(wanted, { protected: protectedHeader, payload, signature });
    }
    const keys = await this.#keys;
    if (keys === null) throw new NoKeys();
    const key = keys.get(algorithm);
    return key === undefined ? [] : [key];
  }
}

/** What somebody is told of a token that does not pass: what helps a client, and nothing about keys. */
function refusalOf(error: unknown): Refusal {
  if (error instanceof NoKeys) return Refusals.noIssuerKeys;
  if (error instanceof errors.JWTExpired) return Refusals.tokenExpired;
  return Refusals.invalidToken;
}

function reasonOf(error: unknown): string {
  if (error instanceof NoKeys) return "the keys of the issuer cannot be read";
  if (error instanceof errors.JWTExpired) return "it has expired";
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return "its signature was not made with the issuer's key";
  if (error instanceof errors.JWKSNoMatchingKey) return "the key set has no key by its name and algorithm";
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
}

/** `check` has told of it before, or the file has changed since. */
const tell =
  (name: string) =>
  (error: unknown): null => {
    log("error", "the key of an issuer cannot be used: its tokens are refused", {
      issuer: name,
      error: error instanceof Error ? error.message : String(error),
    });
    return null;
  };

/** What a token gives with these issuers, in the order of the list. */
export function grantOfToken(
  text: string,
  issuers: readonly Issuer[],
): Grant | Refusal | Promise<Grant | Refusal> {
  const digest = digestOf(text);
  for (const issuer of issuers) {
    const known = issuer.known(digest);
    if (known !== null) return known;
  }
  const token = readToken(text);
  if (token === null) return Refusals.invalidToken;
  const candidates = issuers.filter((issuer) => issuer.claimsToIssue(token));
  return firstGood(candidates, token, digest);
}

/**
 * What the last of them says, unless one before says yes: issuers that say no `iss` share their tokens'
 * looks.
 */
async function firstGood(
  candidates: readonly Issuer[],
  token: TokenText,
  digest: string,
): Promise<Grant | Refusal> {
  let refusal: Refusal = Refusals.invalidToken;
  for (const issuer of candidates) {
    const outcome = await issuer.verify(token, digest);
    if (!("status" in outcome)) return outcome;
    refusal = outcome;
  }
  return refusal;
}
