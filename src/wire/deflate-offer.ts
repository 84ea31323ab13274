/**
 * What a WebSocket client offers of permessage-deflate (RFC 7692), and what is agreed on. Asked by
 * subscribe/websocket.ts.
 *
 * Agreed is compression without context takeover, both ways: each message stands for itself, so that one
 * compressed frame serves all who subscribe, and nothing is kept for a socket between two messages. Where a
 * client insists on a smaller window than ours, nothing is: its frames would have to be made for it alone.
 */
const NAME = "permessage-deflate";
const AGREED = `${NAME}; server_no_context_takeover; client_no_context_takeover`;
const LARGEST_WINDOW = 15;
/** Longer fields, and more offers, are nobody's. */
const MAX_FIELD = 1024;
const MAX_OFFERS = 8;
/** RFC 6455 9.1: a token, or one in quotes. */
const PARAMETER = /^([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"([\w!#$%&'*+.^`|~-]+)"|([\w!#$%&'*+.^`|~-]+)))?$/;
const WINDOW = /^(?:[89]|1[0-5])$/;

/**
 * The field of the answer; null: there is nothing to agree on. The first good offer counts (RFC 7692 5.1).
 */
export function agreedDeflate(field: string | null): string | null {
  if (field === null || field.length > MAX_FIELD) return null;
  for (const offer of field.split(",", MAX_OFFERS)) {
    const [name = "", ...parameters] = offer.split(";").map((part) => part.trim());
    const answer = name === NAME ? answerTo(parameters) : null;
    if (answer !== null) return answer;
  }
  return null;
}

/**
 * null: declined, for a parameter that is unknown, comes twice, or has a value that it may not have (RFC 7692
 * 7.1).
 */
function answerTo(parameters: readonly string[]): string | null {
  const values = new Map<string, string | null>();
  for (const parameter of parameters) {
    const [, name, quoted, bare] = PARAMETER.exec(parameter) ?? [];
    if (name === undefined || values.has(name)) return null;
    values.set(name, quoted ?? bare ?? null);
  }
  for (const [name, value] of values) if (!isAllowed(name, value)) return null;
  return values.has("server_max_window_bits")
    ? `${AGREED}; server_max_window_bits=${LARGEST_WINDOW}`
    : AGREED;
}

function isAllowed(name: string, value: string | null): boolean {
  switch (name) {
    case "server_no_context_takeover":
    case "client_no_context_takeover":
      return value === null;
    case "server_max_window_bits":
      return value === String(LARGEST_WINDOW);
    case "client_max_window_bits":
      return value === null || WINDOW.test(value);
    default:
      return false;
  }
}
