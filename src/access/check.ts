/**
 * What can be known of keys before anybody is served: that they are there, of the kind that the algorithms of
 * their issuer want, and long enough. Called by `sluice check` and `sluice serve`. Says what is wrong with a
 * key, and nothing of what it is.
 */
import { createPublicKey, type JsonWebKeyInput, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { isSymmetric, isUrl } from "../config/checks/access-checks.ts";
import type { Fault } from "../config/fault.ts";
import type { IssuerConfig } from "../config/model/access.ts";
import type { Config } from "../config/model.ts";
import { keyText, secretText } from "./key-material.ts";
import { keySetOf } from "./key-set.ts";
import { readKeyLine } from "./key-text.ts";

/** `file` is the configuration's; undefined: the embedded one, which has none of this. */
export function checkAccess(
  { issuers, locations }: Pick<Config, "issuers" | "locations">,
  file = "",
): readonly Fault[] {
  const faults: Fault[] = [];
  const note = (path: string, sentence: string | null): void => {
    if (sentence !== null) faults.push({ place: file, path, value: "", sentence: `${sentence}.` });
  };
  issuers.forEach((issuer, i) => {
    const key = issuer.jwks !== null ? "jwks" : issuer.keyFile !== null ? "key_file" : "key";
    note(
      `issuer[${i}].${key}`,
      thrown(() => checkIssuer(issuer)),
    );
  });
  const files = new Set(locations.flatMap(({ grants }) => grants?.keysFile ?? []));
  for (const path of files)
    note(
      `publisher_keys_file "${path}"`,
      thrown(() => checkKeys(path)),
    );
  return faults;
}

/** What was thrown, as a sentence without its end; null: nothing was. */
function thrown(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
  }
}

function checkIssuer(issuer: IssuerConfig): void {
  const { jwks, algorithms } = issuer;
  // Whether an address answers is known when it is asked, and that is no fault of the configuration.
  if (jwks !== null) {
    if (!isUrl(jwks)) keySetOf(readFileSync(jwks, "utf8"));
    return;
  }
  const [first = ""] = algorithms;
  if (isSymmetric(first)) {
    for (const algorithm of algorithms) secretText(issuer, algorithm);
    return;
  }
  const key = publicKey(keyText(issuer));
  if (!algorithms.some((algorithm) => fits(key, algorithm)))
    throw new Error(`the key is of kind ${kindOf(key)}, which is for none of ${algorithms.join(", ")}`);
}

function publicKey(text: string): KeyObject {
  if (/PRIVATE KEY-----/.test(text)) throw new Error(PRIVATE);
  if (text.includes("-----BEGIN ")) return readable(() => createPublicKey(text));
  const jwk = readable(() => JSON.parse(text) as JsonWebKeyInput["key"]);
  if (typeof jwk !== "object" || jwk === null || jwk.kty === undefined || jwk.kty === "oct")
    throw new Error(NEITHER);
  if (jwk.d !== undefined) throw new Error(PRIVATE);
  return readable(() => createPublicKey({ key: jwk, format: "jwk" }));
}

const PRIVATE = "this is a private key, which does not belong here; the public one verifies";
const NEITHER = "this is neither a public key in PEM form nor a JSON Web Key";

/** What the library says of a key that it cannot read may have some of it in it. */
function readable<Value>(read: () => Value): Value {
  try {
    return read();
  } catch {
    throw new Error(NEITHER);
  }
}

const CURVES: Readonly<Record<string, string>> = {
  ES256: "prime256v1",
  ES384: "secp384r1",
  ES512: "secp521r1",
};

function fits(key: KeyObject, algorithm: string): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (/^[RP]S/.test(algorithm)) return type === "rsa" && (details?.modulusLength ?? 2048) >= 2048;
  if (algorithm.startsWith("ES"))
    return type === "ec" && (details?.namedCurve ?? CURVES[algorithm]) === CURVES[algorithm];
  return type === "ed25519";
}

const kindOf = ({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string =>
  [type, details?.namedCurve ?? details?.modulusLength].filter((part) => part !== undefined).join(" ");

function checkKeys(path: string): void {
  readFileSync(path, "utf8")
    .split("\n")
    .forEach((line, i) => {
      const read = readKeyLine(line);
      if (typeof read === "string") throw new Error(`line ${i + 1}: ${read}`);
    });
}
