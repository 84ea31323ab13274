/**
 * The key of an issuer, from a file or a variable: a public key (PEM or JSON Web Key), or the secret of HS
 * tokens. Used by issuer.ts to verify and by check.ts to say what is wrong before anything is served.
 *
 * Which of the two it may be follows from the algorithms of the issuer and never from the key or a token: a
 * public key that was taken for a secret would let everybody sign who has read it (RFC 8725 2.1).
 */
import { readFileSync } from "node:fs";
import { type CryptoKey, importJWK, importSPKI, importX509, type JWK } from "jose";
import { isSymmetric } from "../config/checks/access-checks.ts";
import type { IssuerConfig } from "../config/model/access.ts";

const MAX_KEY_BYTES = 64 * 1024;

/** Something that verifies with one algorithm. */
export type VerifyingKey = CryptoKey | Uint8Array;

/** By algorithm. */
export type IssuerKeys = ReadonlyMap<string, VerifyingKey>;

/** Throws with a sentence that says what is wrong, and nothing of what the key is. */
export async function keysOf(issuer: IssuerConfig): Promise<IssuerKeys> {
  const text = keyText(issuer);
  const keys = new Map<string, VerifyingKey>();
  for (const algorithm of issuer.algorithms) {
    const key = isSymmetric(algorithm) ? secretOf(text, algorithm) : await publicKeyOf(text, algorithm);
    if (key !== null) keys.set(algorithm, key);
  }
  if (keys.size === 0) throw new Error(`the key is for none of ${issuer.algorithms.join(", ")}`);
  return keys;
}

/** Throws when it cannot be had. */
export function keyText({ keyFile, keyVariable }: IssuerConfig): string {
  if (keyFile !== null) {
    const bytes = readFileSync(keyFile);
    if (bytes.length > MAX_KEY_BYTES) throw new Error(`${keyFile} has more than ${MAX_KEY_BYTES} bytes`);
    // An editor ends the last line; that is no part of a secret.
    return bytes.toString("utf8").replace(/\r?\n$/, "");
  }
  const text = process.env[keyVariable ?? ""];
  if (text === undefined || text === "") throw new Error(`the variable ${keyVariable} is not set`);
  return text;
}

/** The secret of an issuer of HS tokens. Throws as above. */
export const secretText = (issuer: IssuerConfig, algorithm: string): Uint8Array =>
  secretOf(keyText(issuer), algorithm);

const HASH_BYTES: Readonly<Record<string, number>> = { HS256: 32, HS384: 48, HS512: 64 };

/** RFC 7518 3.2: no shorter than what the hash gives. */
function secretOf(text: string, algorithm: string): Uint8Array {
  if (/-----BEGIN /.test(text) || isJson(text))
    throw new Error(`${algorithm} is signed with a secret, and this is a key of another kind`);
  const secret = new TextEncoder().encode(text);
  const least = HASH_BYTES[algorithm] ?? 0;
  if (secret.length < least)
    throw new Error(`the secret of ${algorithm} must have at least ${least} bytes, it has ${secret.length}`);
  return secret;
}

/** null: it is a good key, for another algorithm. */
async function publicKeyOf(text: string, algorithm: string): Promise<CryptoKey | null> {
  if (/-----BEGIN (?:[A-Z ]*)PRIVATE KEY-----/.test(text))
    throw new Error("this is a private key, which does not belong here; the public one verifies");
  try {
    if (text.includes("-----BEGIN CERTIFICATE-----")) return await importX509(text, algorithm);
    if (text.includes("-----BEGIN ")) return await importSPKI(text, algorithm);
  } catch {
    return null;
  }
  const jwk = jwkOf(text);
  if ("d" in jwk)
    throw new Error("this is a private key, which does not belong here; the public one verifies");
  if (jwk.kty === "oct") throw new Error(`${algorithm} is verified with a public key, and this is a secret`);
  if (jwk.alg !== undefined && jwk.alg !== algorithm) return null;
  try {
    const key = await importJWK(jwk, algorithm);
    return key instanceof Uint8Array ? null : key;
  } catch {
    return null;
  }
}

function jwkOf(text: string): JWK {
  if (isJson(text)) {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && "kty" in value) return { ...value } as JWK;
  }
  throw new Error("this is neither a public key in PEM form nor a JSON Web Key");
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}
