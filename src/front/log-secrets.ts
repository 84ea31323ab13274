/**
 * Keeps tokens and keys out of access logs, where a location takes them: whoever reads a log could use them.
 * By where they stand and not by what they are: a client that could have any text of a line masked would
 * choose its own address. Called by log-format.ts.
 */
import type { LocationConfig } from "../config/model.ts";
import type { LogValue } from "./log-variables.ts";

const HIDDEN = "***";

/** Fields that have tokens or keys in them wherever they are taken. */
const FIELDS: ReadonlySet<string> = new Set([
  "http_authorization",
  "http_x_api_key",
  "http_cookie",
  "http_sec_websocket_protocol",
]);

/** The value of a variable of a log line, without what is secret in it. */
export function hiding(name: string, { grants }: LocationConfig, value: LogValue): LogValue {
  if (grants === null) return value;
  const lower = name.toLowerCase();
  const isSecret =
    FIELDS.has(lower) ||
    grants.places.some(({ kind, name: own }) => {
      if (kind === "cookie") return lower === `cookie_${own.toLowerCase()}`;
      return kind === "query" && lower === `arg_${own.toLowerCase()}`;
    });
  if (isSecret) return (answered) => (value(answered) === "" ? "" : HIDDEN);
  const names = grants.places.filter(({ kind }) => kind === "query").map(({ name: own }) => literal(own));
  if (names.length === 0) return value;
  // Of a request line, a URI, its query alone, a referring page of ours: each ends an argument at one of
  // these.
  const argument = new RegExp(`((?:^|[?&])(?:${names.join("|")})=)[^&\\s#"]*`, "gi");
  return (answered) => value(answered).replace(argument, `$1${HIDDEN}`);
}

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
