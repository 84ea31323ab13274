/**
 * The signature of a webhook's request: `t=1700000000,v1=<hex>`, where v1 is the HMAC-SHA256 of `<t>.<body>`.
 * Time stands in it, so that a request that somebody has overheard is good for minutes and not for ever.
 * docs/webhooks.md shows how receivers verify it.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

export const SIGNATURE_HEADER = "x-sluice-signature";

export function signatureOf(secret: Uint8Array, timeSec: number, body: Uint8Array): string {
  const mac = createHmac("sha256", secret).update(`${timeSec}.`).update(body).digest("hex");
  return `t=${timeSec},v1=${mac}`;
}

const FORM = /^t=(\d{1,12}),v1=[0-9a-f]{64}$/;

/** Whether a header was made with this secret for this body, however long ago. */
export function isSignedBy(secret: Uint8Array, header: string, body: Uint8Array): boolean {
  const [, time] = FORM.exec(header) ?? [];
  if (time === undefined) return false;
  const right = Buffer.from(signatureOf(secret, Number(time), body));
  const given = Buffer.from(header);
  return right.length === given.length && timingSafeEqual(right, given);
}
