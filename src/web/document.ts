/**
 * What all HTML documents of ours have in common: their headers, and a policy that lets nothing but
 * themselves run.
 */
import { createHash } from "node:crypto";
import { SERVER } from "../http/answer.ts";

export interface Page {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

export const sourceHash = (text: string): string =>
  `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/**
 * Nothing but this document's own style and script runs (CSP Level 3, hash sources), and it may talk to this
 * origin only; `'self'` covers ws: of the same host and port. `more` are further directives, `scripts`
 * further sources of scripts.
 */
export function contentSecurityPolicy(
  style: string,
  script: string,
  more: readonly string[],
  scripts = "",
): string {
  return [
    "default-src 'none'",
    `style-src ${sourceHash(style)}`,
    `script-src ${sourceHash(script)}${scripts}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    ...more,
  ].join("; ");
}

export const documentHeaders = (policy: string): Readonly<Record<string, string>> => ({
  ...SERVER,
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy": policy,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  // An upgraded binary must not meet yesterday's page; it is a few kilobytes from the same machine.
  "Cache-Control": "no-cache",
});
