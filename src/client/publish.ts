/**
 * Publishes until it is known to be published: by the open WebSocket where it has the channel, else by HTTP;
 * again after what may pass, and under one key, so that a message whose answer was lost is not published
 * twice. Called by client.ts.
 */
import { delayMs, mayPass } from "./delay.ts";
import { type End, type Frame, refusalOf } from "./pipe.ts";
import type { Options, Published, PublishOptions } from "./sluice.d.ts";
import { SluiceError } from "./subscription.ts";
import type { Token } from "./token.ts";

export interface Publication {
  readonly url: string;
  readonly channel: string;
  readonly data: string | Uint8Array;
  readonly credentials: Options["credentials"];
  readonly token: Token;
  /** null: there is no connection that could. Resolves to null: it ended. */
  readonly say: (channel: string, frame: object) => Promise<Frame | null> | null;
}

const TIMEOUT_MS = 30_000;
const LONGEST_DELAY_MS = 5_000;
const FORBIDDEN = 403;

export async function publish(what: Publication, options: PublishOptions): Promise<Published> {
  const key = options.key ?? randomKey();
  const signal = AbortSignal.timeout(options.timeout ?? TIMEOUT_MS);
  let isSaid = options.eventId === undefined && options.eventType === undefined;
  for (let tries = 0; ; tries++) {
    const said = isSaid ? what.say(what.channel, frameOf(what, key, options)) : null;
    const outcome = said
      ? outcomeOf(await Promise.race([said, aborted(signal)]))
      : await post(what, key, options, signal);
    if (!("reason" in outcome)) return outcome;
    // Clients may not publish there, but somebody may by HTTP.
    if (said && outcome.status === FORBIDDEN) {
      isSaid = false;
      continue;
    }
    const isUnauthorized = outcome.status === 401 && tries === 0 && what.token.isRenewable;
    if (isUnauthorized) what.token.drop();
    else if (!mayPass(outcome) || signal.aborted) throw new SluiceError(outcome.reason, outcome.status ?? 0);
    await new Promise((resolve) => setTimeout(resolve, delayMs(outcome, tries, LONGEST_DELAY_MS)));
  }
}

const aborted = (signal: AbortSignal): Promise<null> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(null)));

const frameOf = ({ channel, data }: Publication, key: string, { traceparent }: PublishOptions): object => ({
  kind: "publish",
  channel,
  key,
  traceparent,
  ...(typeof data === "string" ? { data } : { data_base64: btoa(binaryOf(data)) }),
});

function outcomeOf(frame: Frame | null): Published | End {
  if (frame === null) return { reason: "the connection ended" };
  const { kind, position = null, duplicate = false, status = 0, explain = "" } = frame;
  return kind === "refused" ? { status, reason: explain } : { position, duplicate };
}

async function post(
  { url, data, credentials, token }: Publication,
  key: string,
  { eventId, eventType, traceparent }: PublishOptions,
  signal: AbortSignal,
): Promise<Published | End> {
  const headers: Record<string, string> = { Accept: "application/vnd.sluice+json", "Idempotency-Key": key };
  if (eventId !== undefined) headers["Event-Id"] = octets(eventId);
  if (eventType !== undefined) headers["Event-Type"] = octets(eventType);
  if (traceparent !== undefined) headers["Traceparent"] = traceparent;
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
