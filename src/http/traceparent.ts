/**
 * `traceparent` of W3C Trace Context (version 00, 3.2.2): which trace a publish belongs to. Read where
 * messages come in (publish/, subscribe/, handlers/); kept with the message and handed on to whoever reads
 * it.
 *
 * Only the form of version 00 is kept, whose length is fixed: what a later version may add behind it nobody
 * here could vouch for. Anything else is as if it were not there (3.2.2.2: a value that cannot be parsed is
 * ignored, and so is its tracestate).
 */
export const TRACEPARENT_BYTES = 55;

const FORM = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Its bytes; null: there is none, or it is none. */
export function traceOf(value: unknown): Uint8Array | null {
  // The length first: nobody has to look at what cannot be one.
  if (typeof value !== "string" || value.length !== TRACEPARENT_BYTES) return null;
  return FORM.test(value) ? Buffer.from(value, "latin1") : null;
}
