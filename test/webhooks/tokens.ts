/** Signed tokens for the tests of this folder. */
import { createHmac } from "node:crypto";

export const HS_KEY = "a key of the tests with at least 32 bytes";

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

export function token(claims: object): string {
  const text = `${part({ alg: "HS256" })}.${part(claims)}`;
  return `${text}.${createHmac("sha256", HS_KEY).update(text).digest("base64url")}`;
}
