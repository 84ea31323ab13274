/** How long to wait before the next try. Used by client.ts for connections and by publisher.ts. */
import type { End } from "./pipe.ts";

const FIRST_MS = 1000;
/** Others serve already; a new main needs a second or two. */
const RELOADED = 1012;
const GOING_AWAY = 1001;

/** Full jitter: those who lost their connections in one moment must not come back in one. */
export function delayMs({ code, retryMs }: End, tries: number, longestMs: number): number {
  const random = Math.random();
  if (retryMs !== undefined) return retryMs + random * Math.min(retryMs, FIRST_MS);
  if (tries === 0 && code === RELOADED) return random * FIRST_MS;
  if (tries === 0 && code === GOING_AWAY) return 1500 + random * 2000;
  return random * Math.min(longestMs, FIRST_MS * 2 ** tries);
}

/** What may pass by itself. */
export const mayPass = ({ status = 0 }: End): boolean =>
  status < 400 || status >= 500 || status === 408 || status === 425 || status === 429;
