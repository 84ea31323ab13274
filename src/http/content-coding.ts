/**
 * Whether and how a body goes out compressed (push-stream spec 4.15): nginx's rules for `gzip`. A leaf, used
 * by every role that answers with a body; the caller knows the location's options.
 */
import { gzipSync } from "node:zlib";

/** A field longer than this lists no codings that a client really takes. */
const MAX_FIELD_LENGTH = 1024;
const ALWAYS = "text/html";

/**
 * Whether an Accept-Encoding field takes gzip: named (RFC 9110 12.5.3), and not with a weight of 0. "*" alone
 * is not enough, as in nginx.
 */
export function acceptsGzip(field: string | null): boolean {
  if (field === null || field.length > MAX_FIELD_LENGTH) return false;
  for (const item of field.split(",")) {
    const [name = "", ...parameters] = item.split(";");
    if (name.trim().toLowerCase() === "gzip") return !parameters.some(isZeroWeight);
  }
  return false;
}

const isZeroWeight = (parameter: string): boolean => /^\s*q\s*=\s*0(?:\.0*)?\s*$/i.test(parameter);

/**
 * Whether `gzip_types` names the content type, with or without its parameters. text/html needs no naming; "*"
 * is all.
 */
export function isGzipType(types: readonly string[], contentType: string): boolean {
  const whole = contentType.toLowerCase();
  const bare = whole.split(";", 1)[0]?.trim() ?? whole;
  if (bare === ALWAYS) return true;
  return types.some((type) => type === "*" || type.toLowerCase() === whole || type.toLowerCase() === bare);
}

/** A whole body as one gzip member (RFC 1952). Level 1 to 9. */
export const gzipped = (body: Uint8Array, level: number): Uint8Array<ArrayBuffer> =>
  gzipSync(body, { level });
