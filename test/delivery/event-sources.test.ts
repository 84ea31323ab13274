/**
 * Real event source libraries on the compiled binary: none sees where a stream begins as a message, and each
 * that comes back before it had any message gets what came meanwhile. Bun's fetch does not send what Fetch
 * 4.5 makes of cache mode "no-store"; here it is added.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { fetchEventSource } from "@microsoft/fetch-event-source";
import { EventSourcePolyfill } from "event-source-polyfill";
import { EventSource } from "eventsource";
import { standing } from "../binary/raw-client.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

type Open = (url: string, told: (data: string) => void) => () => void;

const BROWSER = { "Cache-Control": "no-cache", Pragma: "no-cache" };

const LIBRARIES: readonly (readonly [name: string, open: Open])[] = [
  [
    "eventsource",
    (url, told) => {
      const source = new EventSource(url, {
        fetch: (target, init) => fetch(target, { ...init, headers: { ...init.headers, ...BROWSER } }),
      });
      source.onmessage = ({ data }) => told(data);
      return () => source.close();
    },
  ],
  [
    "event-source-polyfill",
    (url, told) => {
      const source = new EventSourcePolyfill(url, { headers: BROWSER });
      source.onmessage = ({ data }: { data: string }) => told(data);
      return () => source.close();
    },
  ],
  [
    "fetch-event-source",
    (url, told) => {
      const abort = new AbortController();
      void fetchEventSource(url, {
        fetch,
        signal: abort.signal,
        openWhenHidden: true,
        onmessage: ({ data }) => told(data),
        // Left to itself it takes the end of a stream for the end.
        onclose: () => {
          throw new Error("again");
        },
      });
      return () => abort.abort();
    },
  ],
];

const had = new Map<string, unknown>();
let server: RunningServer;
beforeAll(async () => {
  // All that fetch-event-source wants of a page.
  const page = { window: globalThis, document: { removeEventListener: () => undefined } };
  for (const [name, value] of Object.entries(page)) {
    had.set(name, Reflect.get(globalThis, name));
    Reflect.set(globalThis, name, value);
  }
  server = await startServer({
    workers: 1,
    toml: layout("", { ev: 'event_ids = "auto"\nsubscriber_connection_ttl = "500ms"' }),
  });
});
afterAll(async () => {
  await server.stop();
  for (const [name, value] of had) {
    if (value === undefined) Reflect.deleteProperty(globalThis, name);
    else Reflect.set(globalThis, name, value);
  }
});

test.concurrent.each(LIBRARIES)(
  "%s: no empty message at the start, nothing lost before the first",
  async (name, open) => {
    const messages: string[] = [];
    const close = open(`${server.url}/ev/${name}`, (data) => messages.push(data));
    await standing(server.port, name);
    await standing(server.port, name, 0);
    await server.publish(name, "while it was away");
    await until(`${name} is back`, () => messages.length > 0);
    close();
    expect(messages).toEqual(["while it was away"]);
  },
);
