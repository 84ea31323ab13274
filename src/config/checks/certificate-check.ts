/**
 * Whether the certificate and key of a server can be served, found by `check` and not at the start: they are
 * there, they are PEM, they belong together, and the list of ciphers names some. Called by server-checks.ts.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Issue } from "../fault.ts";

export interface ServedPair {
  readonly certificate: string;
  readonly key: string;
  readonly ciphers: string | null;
}

/**
 * Suffixes are the options' names. What may not be read here may be where it is served: nothing is said of
 * that.
 */
export function certificateIssues({ certificate, key, ciphers }: ServedPair): readonly Issue[] {
  const issues: Issue[] = [];
  const note = (suffix: string, value: string, sentence: string): null => {
    issues.push({ suffix, value, sentence });
    return null;
  };
  const tried = <Made>(
    suffix: string,
    path: string,
    what: string,
    make: (text: string) => Made,
  ): Made | null => {
    const text = readText(path);
    if (text === "unreadable") return null;
    if (text === null) return note(suffix, path, "there is no such file.");
    try {
      return make(text.content);
    } catch (error) {
      return note(suffix, path, `${what}: ${reasonOf(error)}.`);
    }
  };
  const made = tried(
    "tls_certificate",
    certificate,
    "it is no certificate in PEM form",
    (text) => new X509Certificate(text),
  );
  const secret = tried("tls_certificate_key", key, "it is no private key in PEM form", (text) =>
    createPrivateKey(text),
  );
  if (made !== null && secret !== null && !made.checkPrivateKey(secret))
    note("tls_certificate_key", key, "it is not the key of the certificate.");
  if (ciphers !== null && issues.length === 0) {
    try {
      createSecureContext({ ciphers });
    } catch (error) {
      note("tls_ciphers", ciphers, `no ciphers: ${reasonOf(error)}.`);
    }
  }
  return issues;
}

function readText(path: string): { readonly content: string } | "unreadable" | null {
  try {
    return { content: readFileSync(path, "latin1") };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    return code === "ENOENT" || code === "ENOTDIR" ? null : "unreadable";
  }
}

/** Of "error:0900006e:PEM routines:OPENSSL_internal:NO_START_LINE" the end. */
const reasonOf = (error: unknown): string =>
  String(error instanceof Error ? error.message : error)
    .replace(/^.*:(?=[^:]+$)/, "")
    .toLowerCase()
    .replaceAll("_", " ");
