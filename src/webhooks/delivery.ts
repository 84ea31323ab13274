/**
 * One request to a receiver: POST, signed, to the address that the configuration names and to no other. Only
 * 2xx says that it was taken; redirects are not followed. Neither the time nor the size of the answer is the
 * receiver's to choose. Used by the senders and by `sluice webhook test`.
 */
import type { WebhookConfig } from "../config/model/webhooks.ts";
import { SIGNATURE_HEADER, signatureOf } from "./signature.ts";

export interface Delivery {
  readonly isTaken: boolean;
  /** 0: no answer came. */
  readonly status: number;
  /** What is wrong; "" when it was taken. */
  readonly why: string;
  /** The beginning of the answer's body. */
  readonly answer: string;
  readonly tookMs: number;
}

/** Of the answer, as much as somebody may want to read. */
const MOST_ANSWER_BYTES = 1024;

export interface Request {
  readonly hook: Pick<WebhookConfig, "name" | "url" | "timeoutMs">;
  readonly secret: Uint8Array;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Ends it early. */
  readonly signal?: AbortSignal;
}

/** Never rejects. */
export async function deliver({ hook, secret, body, signal }: Request): Promise<Delivery> {
  const beganMs = performance.now();
  const timeout = AbortSignal.timeout(hook.timeoutMs);
  try {
    const response = await fetch(hook.url, {
      method: "POST",
      body,
      redirect: "manual",
      headers: {
        "Content-Type": "application/json",
        "User-Agent": "sluice",
        "X-Sluice-Webhook": hook.name,
        [SIGNATURE_HEADER]: signatureOf(secret, Math.floor(Date.now() / 1000), body),
      },
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    });
    const answer = await beginningOf(response);
    const { status, ok: isTaken } = response;
    return { isTaken, status, why: isTaken ? "" : whyOf(status), answer, tookMs: since(beganMs) };
  } catch (error) {
    const why = timeout.aborted
      ? `no answer within ${hook.timeoutMs} ms`
      : firstSentence(error instanceof Error ? error.message : String(error));
    return { isTaken: false, status: 0, why, answer: "", tookMs: since(beganMs) };
  }
}

const since = (beganMs: number): number => performance.now() - beganMs;

const whyOf = (status: number): string =>
  status >= 300 && status < 400
    ? `it answered ${status}, and redirects are not followed`
    : `it answered ${status}`;

/** What the runtime asks its reader behind it is no cause. */
const firstSentence = (text: string): string => text.split(/\. |\n/)[0] ?? text;

/** A receiver that talks on is not listened to; its status is what counts. */
async function beginningOf({ body }: Response): Promise<string> {
  if (body === null) return "";
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  for (let length = 0; length < MOST_ANSWER_BYTES; ) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    length += value.length;
  }
  // Nobody waits for how its end is taken.
  reader.cancel().catch(() => undefined);
  return Buffer.concat(chunks).subarray(0, MOST_ANSWER_BYTES).toString("utf8");
}
