// Publish from Node, with nothing but Node: node publish.mjs URL CHANNEL TEXT.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

export async function publish(url, channel, text) {
  // Known before the first try: who gets no answer may send it again, and it is there once.
  const headers = { "Idempotency-Key": randomUUID(), "Content-Type": "application/octet-stream" };
  const address = `${url}/pub?id=${encodeURIComponent(channel)}`;
  for (let attempt = 0; attempt < 6; attempt++) {
    const answer = await fetch(address, {
      method: "POST",
      body: text,
      headers,
      signal: AbortSignal.timeout(10_000),
    }).catch(
      () => null, // nobody knows: again, with the same key
    );
    if (answer?.ok) return await answer.json();
    if (answer !== null && answer.status !== 503) throw new Error(`not published: ${answer.status}`);
    await sleep(200 * 2 ** attempt);
  }
  throw new Error("not published");
}

const [url, channel, text] = process.argv.slice(2);
console.log(JSON.stringify(await publish(url, channel, text)));
