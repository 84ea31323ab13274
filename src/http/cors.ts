/**
 * The CORS headers (push-stream spec 4.11), on every answer of a publisher or subscriber location (not
 * WebSocket) whose `allowed_origins` comes out non-empty. A leaf: publish/ and subscribe/ both send them and
 * must not know each other.
 *
 * The module has three of them, and a list of headers that leaves out what a page needs to send a token or
 * JSON. It lets no page of another origin read the position of a poll either. A location that does not ask
 * for the module's own fields has more.
 *
 * The request's Origin is not consulted and there is no Vary: the option alone decides, as in the module.
 */

/** What browsers may send along: the position headers of subscribers and the names of a publish. */
const MODULE_HEADERS = "If-Modified-Since,If-None-Match,Etag,Event-Id,Event-Type,Last-Event-Id";
const OUR_HEADERS = "Authorization,Content-Type,Idempotency-Key,Traceparent,X-Nginx-PushStream-Mode";
const ALLOW_HEADERS = `${MODULE_HEADERS},${OUR_HEADERS}`;

/**
 * What a page may read beside the few that it always may (Fetch, 2.2.2): where to go on, what is missing, why
 * it was refused.
 */
const EXPOSE_HEADERS =
  "Etag,Last-Modified,Date,Sluice-Gap,Retry-After,Allow,X-Nginx-PushStream-Explain,X-Sluice-Error-Id";

/**
 * Field values as RFC 9110 5.5 has them, without tab: nothing in it can end a line. The value may come from a
 * request.
 */
const FIELD_VALUE = /^[\x20-\x7e\x80-\xff]+$/;

/** A page that is listed may ask with its user's cookies, and an answer to it is no answer to the next. */
const WITH_COOKIES = { "Access-Control-Allow-Credentials": "true", Vary: "Origin" };

const NO_FIELDS: Readonly<Record<string, string>> = {};

/**
 * The header fields for an evaluated `allowed_origins` (a binary string) and the methods of the location
 * ("GET"); `hasCookies`: they decide there. None when it is empty, or could not stand in a header: leaving
 * bytes out would allow an origin that nobody configured.
 */
export function corsFields(
  origin: string,
  methods: string,
  isModules: boolean,
  hasCookies = false,
): Readonly<Record<string, string>> {
  if (!FIELD_VALUE.test(origin)) return NO_FIELDS;
  const fields = { "Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": methods };
  if (isModules) return { ...fields, "Access-Control-Allow-Headers": MODULE_HEADERS };
  return {
    ...fields,
    "Access-Control-Allow-Headers": ALLOW_HEADERS,
    "Access-Control-Expose-Headers": EXPOSE_HEADERS,
    ...(hasCookies && origin !== "*" ? WITH_COOKIES : NO_FIELDS),
  };
}
