// The same tokens as a plain stream of a handler, and as answers that survive a reconnect: `?n=200&ms=50`,
// and `/answer?...&ch=NAME`.
import type { Context } from "sluice";

const DATA = `id: 1ycev2yffz-12345\ndata: token-of-a-word\n\n`;

export default async function* plain({ query, sleep }: Context) {
  const [count, ms] = [Number(query.get("n")), Number(query.get("ms"))];
  yield "retry: 1000\n\n";
  for (let at = 0; at < count; at++) {
    yield DATA;
    await sleep(ms);
  }
  yield "event: end\ndata: done\n\n";
}
