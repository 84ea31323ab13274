/**
 * Issuers for tests: keys, a server of key sets that can be told to misbehave, and tokens of every kind, good
 * and bad.
 */
import {
  exportJWK,
  exportSPKI,
  type GenerateKeyPairResult,
  generateKeyPair,
  type JWTPayload,
  SignJWT,
} from "jose";

export const ISSUER = "https://example.com";
export const AUDIENCE = "https://push.example.com";
export const SECRET = "a secret of the tests, of 32 bytes and more";

export type Pair = GenerateKeyPairResult;

export const newPair = (alg: string): Promise<Pair> => generateKeyPair(alg, { extractable: true });
export const pemOf = (pair: Pair): Promise<string> => exportSPKI(pair.publicKey);

export async function keySet(
  ...pairs: readonly (readonly [kid: string, alg: string, Pair])[]
): Promise<string> {
  const keys = [];
  for (const [kid, alg, { publicKey }] of pairs)
    keys.push({ ...(await exportJWK(publicKey)), kid, alg, use: "sig" });
  return JSON.stringify({ keys });
}

export const nowSec = (): number => Math.floor(Date.now() / 1000);

/** A token for alice that is good for an hour; `claims` undefined: left out. */
export function signed(
  key: Parameters<SignJWT["sign"]>[0],
  alg: string,
  claims: JWTPayload = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  const all = { iss: ISSUER, aud: AUDIENCE, sub: "alice", iat: nowSec(), exp: nowSec() + 3600, ...claims };
  return new SignJWT(all).setProtectedHeader({ alg, ...header }).sign(key);
}

export const withSecret = (claims: JWTPayload = {}, header: Record<string, unknown> = {}): Promise<string> =>
  signed(new TextEncoder().encode(SECRET), "HS256", claims, header);

/** Parts as they come, signed or not. */
export const encoded = (part: unknown): string =>
  Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");

export interface KeyServer {
  readonly url: string;
  asked: number;
  /** What it answers from now on. */
  answer: () => Response | Promise<Response>;
  stop(): void;
}

export function serveKeys(text: string): KeyServer {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => {
      served.asked++;
      return served.answer();
    },
  });
  const served: KeyServer = {
    url: `http://127.0.0.1:${server.port}/jwks.json`,
    asked: 0,
    answer: () => new Response(text),
    stop: () => void server.stop(true),
  };
  return served;
}
