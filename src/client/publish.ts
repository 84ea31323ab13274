/**
 * Publishes until it is known to be published: again after what may pass, and under one key, so that a message whose answer was lost is not
 * published twice. Called by client.ts.
 */
import { delayMs, mayPass } from "./delay.ts";
import { type End, type Frame, refusalOf } from "./pipe.ts";
import type { Options, Published, PublishOptions } from "./sluice.d.ts";
import { SluiceError } from "./subscription.ts";
import type { Token } from "./token.ts";

export interface Publication {
  readonly url: string;
  readonly data: string | Uint8Array;
  readonly credentials: Options["credentials"];
  readonly token: Token;
}

const TIMEOUT_MS = 30_000;
const LONGEST_DELAY_MS = 5_000;

export async function publish(what: Publication, options: PublishOptions): Promise<Published> {
  const key = options.key ?? randomKey();
  const signal = AbortSignal.timeout(options.timeout ?? TIMEOUT_MS);
  for (let tries = 0; ; tries++) {
    const outcome = await post(what, key, options, signal);
    if (!("reason" in outcome)) return outcome;
    const isUnauthorized = outcome.status === 401 && tries === 0 && what.token.isRenewable;
    if (isUnauthorized) what.token.drop();
    else if (!mayPass(outcome) || signal.aborted) throw new SluiceError(outcome.reason, outcome.status ?? 0);
    await new Promise((resolve) => setTimeout(resolve, delayMs(outcome, tries, LONGEST_DELAY_MS)));
  }
}

async function post(
  { url, data, credentials, token }: Publication,
  key: string,
  { eventId, eventType }: PublishOptions,
  signal: AbortSignal,
): Promise<Published | End> {
  const headers: Record<string, string> = { Accept: "application/vnd.sluice+json", "Idempotency-Key": key };
  if (eventId !== undefined) headers["Event-Id"] = octets(eventId);
  if (eventType !== undefined) headers["Event-Type"] = octets(eventType);
  try {
    const bearer = await token.get();
    if (bearer) headers["Authorization"] = `Bearer ${bearer}`;
    const answer = await fetch(url, {
      method: "POST",
      headers,
      signal,
      body: typeof data === "string" ? data : new Uint8Array(data),
      ...(credentials ? { credentials } : {}),
    });
    if (!answer.ok) return refusalOf(answer);
    const { position = null, duplicate = false } = (await answer.json()) as Frame;
    return { position, duplicate };
  } catch (error) {
    return { reason: String(error) };
  }
}

const binaryOf = (bytes: Uint8Array): string => {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return binary;
};

/** Header fields are bytes: UTF-8, a character each. */
const octets = (text: string): string => binaryOf(new TextEncoder().encode(text));

/** `crypto.randomUUID` is for pages of https only. */
const randomKey = (): string => btoa(binaryOf(crypto.getRandomValues(new Uint8Array(18))));
