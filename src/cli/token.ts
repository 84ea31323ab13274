/**
 * `sluice token make` and `check`: a token of an issuer of the configuration, and what one grants there, or
 * why not.
 */
import { readFileSync } from "node:fs";
import { type CryptoKey, importJWK, importPKCS8, type JWK, SignJWT } from "jose";
import { Issuer } from "../access/issuer.ts";
import { secretText } from "../access/key-material.ts";
import { readToken } from "../access/token-text.ts";
import { toBinary } from "../config/binary-text.ts";
import { isSymmetric } from "../config/checks/access-checks.ts";
import type { Grant } from "../config/grant/grant.ts";
import { patternFault } from "../config/grant/patterns.ts";
import { loadConfig } from "../config/load.ts";
import type { IssuerConfig } from "../config/model/access.ts";
import type { Config } from "../config/model.ts";
import { parseDuration } from "../config/units.ts";
import { CommandFailure, ExitCode, usageFault } from "./failure.ts";
import { writeOut } from "./output.ts";

export interface TokenMakeOptions {
  readonly config: string;
  readonly issuer?: string;
  readonly sub?: string;
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
  readonly for: string;
  readonly jti?: string;
  readonly kid?: string;
  readonly key?: string;
}

export interface TokenCheckOptions {
  readonly config: string;
  readonly channel?: readonly string[];
}

// --- make --------------------------------------------------------------------------------------------------

/** Resolves to the exit code. */
export async function tokenMakeCommand(options: TokenMakeOptions): Promise<number> {
  const { subscribe = [], publish = [], sub, jti, kid } = options;
  for (const pattern of [...subscribe, ...publish]) {
    const sentence = patternFault(pattern);
    if (sentence !== null) throw usageFault(`${pattern}: ${sentence}`);
  }
  const lifeMs = parseDuration(options.for);
  if (lifeMs === null || lifeMs < 1000)
    throw usageFault(`--for is a time such as 10m or 1h, not ${options.for}.`);
  const issuer = chosenIssuer(configOf(options.config), options.issuer);
  const { algorithm, key } = await signingKey(issuer, options.key);
  const issuedSec = Math.floor(Date.now() / 1000);
  const claims = {
    ...(issuer.issuer === null ? {} : { iss: issuer.issuer }),
    ...(issuer.audience.length === 0 ? {} : { aud: [...issuer.audience] }),
    ...(sub === undefined ? {} : { sub }),
    ...(jti === undefined ? {} : { jti }),
    iat: issuedSec,
    exp: issuedSec + Math.floor(lifeMs / 1000),
    channels: { subscribe, publish },
  };
  const header = { alg: algorithm, typ: "JWT", ...(kid === undefined ? {} : { kid }) };
  writeOut(`${await new SignJWT(claims).setProtectedHeader(header).sign(key)}\n`);
  return ExitCode.OK;
}

function chosenIssuer({ issuers }: Config, name: string | undefined): IssuerConfig {
  const names = issuers.map((issuer) => issuer.name).join(", ");
  if (issuers.length === 0) throw usageFault("the configuration has no [[issuer]].");
  if (name === undefined && issuers.length > 1) throw usageFault(`which issuer? There are ${names}.`);
  const chosen = name === undefined ? issuers[0] : issuers.find((issuer) => issuer.name === name);
  if (chosen === undefined) throw usageFault(`there is no issuer ${name}; there are ${names}.`);
  return chosen;
}

interface SigningKey {
  readonly algorithm: string;
  readonly key: CryptoKey | Uint8Array;
}

/** The secret is in the configuration; a private key never is. */
async function signingKey(issuer: IssuerConfig, file: string | undefined): Promise<SigningKey> {
  const [first = ""] = issuer.algorithms;
  if (isSymmetric(first)) return { algorithm: first, key: secretOf(issuer, first) };
  if (file === undefined)
    throw usageFault(`${issuer.name} signs with a private key, which no configuration has: say --key.`);
  const text = readKey(file);
  for (const algorithm of issuer.algorithms) {
    const key = await privateKey(text, algorithm);
    if (key !== null) return { algorithm, key };
  }
  throw usageFault(`${file} is no private key for ${issuer.algorithms.join(", ")}.`);
}

function secretOf(issuer: IssuerConfig, algorithm: string): Uint8Array {
  try {
    return secretText(issuer, algorithm);
  } catch (error) {
    throw usageFault(`${issuer.name}: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

async function privateKey(text: string, algorithm: string): Promise<CryptoKey | null> {
  try {
    if (text.includes("-----BEGIN ")) return await importPKCS8(text, algorithm);
    const key = await importJWK(JSON.parse(text) as JWK, algorithm);
    return key instanceof Uint8Array || key.type !== "private" ? null : key;
  } catch {
    // For another algorithm, or no key at all.
    return null;
  }
}

function readKey(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw usageFault(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

// --- check -------------------------------------------------------------------------------------------------

/**
 * Resolves to the exit code: 0 when it is good, and for every channel that was asked about good for
 * something.
 */
export async function tokenCheckCommand(
  text: string,
  { config, channel = [] }: TokenCheckOptions,
): Promise<number> {
  const token = (text === "-" ? readFileSync(0, "utf8") : text).trim();
  const { issuers } = configOf(config);
  if (issuers.length === 0) throw usageFault("the configuration has no [[issuer]].");
  const read = readToken(token);
  if (read === null) {
    writeOut(
      "This is no signed token (three parts of base64url with dots between, of two JSON objects and a " +
        "signature).\n",
    );
    return ExitCode.FAILURE;
  }
  writeOut(`header  ${shown(read.header)}\nclaims  ${shown(read.claims)}\n`);
  let isGood = false;
  for (const issuer of issuers) {
    const outcome = await new Issuer(issuer).explain(read);
    if (typeof outcome === "string") {
      writeOut(`issuer ${issuer.name}: not good: ${outcome}.\n`);
      continue;
    }
    writeOut(`issuer ${issuer.name}: good\n${grantText(outcome)}`);
    const answers = channel.map((name) => ({ name, text: channelText(outcome, name) }));
    for (const { name, text: said } of answers) writeOut(`  channel ${name}: ${said}\n`);
    isGood ||= answers.every(({ text: said }) => said !== NOTHING);
  }
  return isGood ? ExitCode.OK : ExitCode.FAILURE;
}

const NOTHING = "nothing";

function channelText({ subscribe, publish }: Grant, name: string): string {
  const binary = toBinary(name);
  const may = [
    ...(subscribe.covers(binary) ? ["subscribe"] : []),
    ...(publish.covers(binary) ? ["publish"] : []),
  ];
  return may.length === 0 ? NOTHING : may.join(", ");
}

function grantText({ sub, subscribe, publish, expiresSec, endMs }: Grant): string {
  const until =
    expiresSec === null
      ? "it has no end"
      : `${new Date(expiresSec * 1000).toISOString()} (counts until ${new Date(endMs).toISOString()})`;
  const list = (texts: readonly string[]): string => texts.join(" ") || "-";
  return (
    `  for ${sub ?? "nobody in particular"}, until ${until}\n  subscribe ${list(subscribe.texts)}\n  ` +
    `publish ${list(publish.texts)}\n`
  );
}

const MAX_SHOWN = 600;
const shown = (object: Readonly<Record<string, unknown>>): string => {
  const text = JSON.stringify(object);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
};

function configOf(file: string): Config {
  const outcome = loadConfig({ file });
  if (outcome.ok) return outcome.config;
  throw new CommandFailure(ExitCode.USAGE, `${file} has faults; see \`sluice check\`.`);
}
