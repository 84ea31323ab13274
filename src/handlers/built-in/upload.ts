/**
 * `handler = "sluice:upload"`: reads a file as it comes, keeps none of it, and tells a channel how far it is.
 * The example "An upload with progress". Its location says `body = "stream"`.
 */
import type { Context } from "sluice";

const NAME = /^[\w-]{1,40}$/;
const TELL_MS = 100;

export default async function upload({ request, query, headers, publish }: Context) {
  const name = query.get("name") ?? "";
  if (!NAME.test(name))
    return new Response("an upload's name has 1 to 40 letters and digits\n", { status: 400 });
  const total = Number(headers.get("content-length") ?? 0);
  const hash = new Bun.CryptoHasher("sha256");
  let bytes = 0;
  let toldMs = 0;
  for await (const chunk of request.body ?? []) {
    hash.update(chunk);
    bytes += chunk.length;
    if (performance.now() - toldMs < TELL_MS) continue;
    toldMs = performance.now();
    await publish(`example-upload-${name}`, JSON.stringify({ bytes, total }), { stored: false });
  }
  const done = { bytes, total: bytes, sha256: hash.digest("hex") };
  await publish(`example-upload-${name}`, JSON.stringify(done));
  return Response.json(done);
}
