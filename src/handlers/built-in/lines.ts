/**
 * `handler = "sluice:lines"`: a line a second, as many as `?count=` says, each sent at once. The example
 * "Streaming lines", and what `ngx.say`, `ngx.flush` and `ngx.sleep` are used for elsewhere.
 */
import type { Context } from "sluice";

const MOST_LINES = 3600;

export default async function* lines({ query, sleep, remoteAddress, log }: Context) {
  const count = Math.min(Number(query.get("count") ?? 10) || 0, MOST_LINES);
  try {
    for (let line = 1; line <= count; line++) {
      if (line > 1) await sleep(1000);
      yield `line ${line} of ${count}, ${new Date().toISOString()}\n`;
    }
  } finally {
    log("lines ended", { client: remoteAddress });
  }
}
