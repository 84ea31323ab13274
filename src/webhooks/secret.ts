/**
 * Secrets of webhooks, from where the configuration says. Used by the senders, and by check.ts before anybody
 * is served.
 */
import { readFileSync } from "node:fs";
import { LEAST_SECRET_BYTES } from "../config/checks/webhook-checks.ts";
import type { WebhookConfig } from "../config/model/webhooks.ts";

const MOST_SECRET_BYTES = 4096;

/** Throws with a sentence that says what is wrong, and nothing of what the secret is. */
export function secretOf({ secret: { kind, text } }: Pick<WebhookConfig, "secret">): Uint8Array {
  const secret = Buffer.from(kind === "text" ? text : kind === "file" ? ofFile(text) : ofVariable(text));
  if (secret.length < LEAST_SECRET_BYTES)
    throw new Error(`the secret must have at least ${LEAST_SECRET_BYTES} bytes, it has ${secret.length}`);
  if (secret.length > MOST_SECRET_BYTES)
    throw new Error(`the secret has more than ${MOST_SECRET_BYTES} bytes`);
  return secret;
}

/** An editor ends the last line; that is no part of a secret. */
const ofFile = (path: string): string => readFileSync(path, "utf8").replace(/\r?\n$/, "");

function ofVariable(name: string): string {
  const text = process.env[name];
  if (text === undefined || text === "") throw new Error(`the variable ${name} is not set`);
  return text;
}
