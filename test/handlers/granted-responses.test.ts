/**
 * A handler's own Response ends with the grant of its client, as every other held answer does. The compiled
 * binary, both listeners.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { handlerLocations, startHandlers } from "./handler-server.ts";

setDefaultTimeout(30_000);

const FILES = {
  "stream.ts": `
    export const authorize = ({ query }) =>
      ({ sub: "anna", exp: Math.floor(Date.now() / 1000) + Number(query.get("sec")) });
    export default ({ query, signal }) => {
      if (query.has("short")) return new Response("short", { status: 201, headers: { "X-Own": "yes" } });
      let timer;
      return new Response(new ReadableStream({
        start(controller) {
          const say = (text) => controller.enqueue(new TextEncoder().encode(text));
          timer = setInterval(() => say("tick\\n"), 50);
          if (query.has("deaf")) return;
          signal.addEventListener("abort", () => {
            clearInterval(timer);
            say("bye\\n");
            controller.close();
          });
        },
        cancel() { clearInterval(timer); console.error("closed", query.get("name")); },
      }), { headers: { "Content-Type": "text/x-ticks" } });
    };`,
};

const TOML = handlerLocations(["stream"], 'authorize = "stream.ts"');

/** Both doors at once: it is mostly waiting. */
test("an endless one ends with the grant, listening to its signal or not; short ones stay", async () => {
  await Promise.all((["native", "wire"] as const).map(endsWithGrant));
});

async function endsWithGrant(listener: "native" | "wire"): Promise<void> {
  const server = await startHandlers({ workers: 1, listener }, { files: FILES, toml: TOML });
  const [polite, deaf] = await Promise.all([
    server.request("/stream?sec=2"),
    server.request("/stream?sec=1&deaf&name=deaf"),
  ]);
  expect(polite.text).toMatch(/^(tick\n)+bye\n$/);
  expect(polite.headers.get("content-type")).toBe("text/x-ticks");
  expect(deaf.text).toMatch(/^(tick\n)+$/);
  expect(server.log).toContain("closed deaf");
  const short = await server.request("/stream?sec=60&short");
  expect([short.status, short.text, short.headers.get("x-own")]).toEqual([201, "short", "yes"]);
  await server.stop();
}
