/**
 * What a token says of itself before anybody believes it: called by the gate to choose an issuer, and to
 * refuse at once what is no token at all.
 *
 * Members that stand twice are refused (RFC 7519 4): of two readers one takes the first and one the last, and
 * a token must not mean two things. So is what is nested deeply: nothing of that has a meaning here.
 */
const MAX_TOKEN_CHARS = 8192;
const MAX_DEPTH = 8;

export interface TokenText {
  readonly text: string;
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

const PART = /^[A-Za-z0-9_-]+$/;

/** null: it is none (RFC 7515 7.1, compact form, with JSON objects in both of its first parts). */
export function readToken(text: string): TokenText | null {
  if (text.length > MAX_TOKEN_CHARS) return null;
  const parts = text.split(".", 4);
  const [head = "", body = "", signature = ""] = parts;
  if (parts.length !== 3 || ![head, body, signature].every((part) => PART.test(part))) return null;
  const header = objectOf(head);
  const claims = objectOf(body);
  return header === null || claims === null ? null : { text, header, claims };
}

function objectOf(part: string): TokenText["header"] | null {
  try {
    const json = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(part, "base64url"));
    const value: unknown = JSON.parse(json);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject && isPlain(json) ? { ...value } : null;
  } catch {
    // No UTF-8, or no JSON: no token.
    return null;
  }
}

/**
 * Whether valid JSON is not too deep and no object in it has a member twice. One pass, as it comes from
 * anybody.
 */
export function isPlain(json: string): boolean {
  const open: (Set<string> | null)[] = [];
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (char === "{" || char === "[") {
      open.push(char === "{" ? new Set() : null);
      if (open.length > MAX_DEPTH) return false;
    } else if (char === "}" || char === "]") open.pop();
    else if (char === '"') {
      const end = endOfText(json, at);
      const members = open.at(-1) ?? null;
      if (members !== null && isMember(json, end)) {
        const name = JSON.parse(json.slice(at, end)) as string;
        if (members.has(name)) return false;
        members.add(name);
      }
      at = end - 1;
    }
  }
  return true;
}

/** Behind the closing quote. */
function endOfText(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** In valid JSON a text before a colon is the name of a member. */
function isMember(json: string, end: number): boolean {
  let at = end;
  while (at < json.length && " \t\r\n".includes(json[at] ?? "")) at++;
  return json[at] === ":";
}
