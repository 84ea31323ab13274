/**
 * The close frame that refuses a WebSocket (push-stream spec 4.13.6): a refusal happens after the 101,
 * because a browser tells a page nothing of a handshake that failed; status and explanation travel as the
 * reason. Used by the websocket subscriber mode.
 */
import { CloseCode } from "../http/close-codes.ts";
import type { Refusal } from "../http/refusal.ts";

/** A control frame holds 125 bytes, two of them the code (RFC 6455 5.5, 5.5.1). */
const MAX_REASON_BYTES = 123;
const ELLIPSIS = "...";

const encoder = new TextEncoder();

/** 1008, as the dialect has it; a refusal that may pass is 1013, a fault is 1011 (RFC 6455 7.4.1). */
export function closeCode({ status }: Pick<Refusal, "status">): number {
  if (status === 503 || status === 429) return CloseCode.TRY_AGAIN;
  return status >= 500 ? CloseCode.INTERNAL : CloseCode.POLICY;
}

/**
 * `{"http_status": 403, "explain":"…"}`, at most 123 bytes of UTF-8: a long explanation ends at a word, with
 * `...`.
 */
export function closeReason(refusal: Pick<Refusal, "status" | "explain">): string {
  const explain = refusal.explain ?? "";
  const whole = reasonText(refusal.status, explain);
  if (fits(whole)) return whole;
  for (let kept = withoutLastWord(explain); kept !== ""; kept = withoutLastWord(kept)) {
    const text = reasonText(refusal.status, kept + ELLIPSIS);
    if (fits(text)) return text;
  }
  return reasonText(refusal.status, "");
}

const reasonText = (status: number, explain: string): string =>
  `{"http_status": ${status}, "explain":${JSON.stringify(explain)}}`;

const fits = (text: string): boolean => encoder.encode(text).length <= MAX_REASON_BYTES;

/** Also drops the comma or colon the word before was followed by; text of one word becomes empty. */
const withoutLastWord = (text: string): string => {
  const space = text.lastIndexOf(" ");
  return space < 0 ? "" : text.slice(0, space).replace(/[,:;]$/, "");
};
