/**
 * What the client commands show of who they are: a signed token or a key, from a file or from the
 * environment, never from the command line, where every user of the machine could read it. Used by pub, sub,
 * stats, presence and top.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { usageFault } from "../failure.ts";

export interface CredentialOptions {
  /** A file with the token or key; nothing: $SLUICE_TOKEN. */
  readonly tokenFile?: string;
}

export const TOKEN_VARIABLE = "SLUICE_TOKEN";
/** More than servers take as a head. */
const MAX_BYTES = 16 * 1024;

/** Empty when there is none. Throws a usage fault that never has the token in it. */
export function tokenOf({ tokenFile }: CredentialOptions): string {
  const place = tokenFile ?? `$${TOKEN_VARIABLE}`;
  const token = (
    tokenFile === undefined ? (process.env[TOKEN_VARIABLE] ?? "") : firstBytes(tokenFile)
  ).trim();
  if (token === "" && tokenFile !== undefined) throw usageFault(`${place} is empty.`);
  // The characters of a token68 (RFC 9110 11.2), among them those of a JWT and of a key.
  if (token.length > MAX_BYTES || !/^[A-Za-z0-9._~+/=-]*$/.test(token))
    throw usageFault(`${place} holds no token and no key: one line without blanks is wanted.`);
  return token;
}

/** As headers of a request. */
export const bearer = (token: string): Readonly<Record<string, string>> =>
  token === "" ? {} : { Authorization: `Bearer ${token}` };

/** No more than is looked at: the file may be a device. */
function firstBytes(path: string): string {
  const bytes = Buffer.alloc(MAX_BYTES + 1);
  try {
    const file = openSync(path, "r");
    try {
      return bytes.toString("latin1", 0, readSync(file, bytes, 0, bytes.length, null));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw usageFault(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
