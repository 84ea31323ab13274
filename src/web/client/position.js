/**
 * Position tokens, `<epoch>-<n>[,<n>…]`: where a connection stands in each of its channels, in path order. Positions of one
 * epoch only grow, so a token tells whether a message was already shown.
 */

/** @typedef {{ epoch: string, at: number[] }} Position */

/** @param {string | undefined} token @returns {Position | null} null: not a token of ours, e.g. a publisher's own Event-Id */
export function parsePosition(token) {
  const match = /^([0-9a-z]+)-(\d+(?:,\d+)*)$/.exec(token ?? "");
  if (!match?.[1] || !match[2]) return null;
  return { epoch: match[1], at: match[2].split(",").map(Number) };
}

/** @param {Position} position */
export function formatPosition(position) {
  return `${position.epoch}-${position.at.join(",")}`;
}

/**
 * Is `next` news to somebody who has seen `seen`? Across epochs (the server lost its store) everything is.
 * @param {Position} next @param {Position | null} seen
 */
export function isNews(next, seen) {
  if (!seen || seen.epoch !== next.epoch || seen.at.length !== next.at.length) return true;
  return next.at.some((n, i) => n > (seen.at[i] ?? 0));
}
