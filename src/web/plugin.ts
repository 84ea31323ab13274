/** Locations with `page = true` or `pushstream_client = true`, as an Elysia plugin: the page a newcomer sees first, and the browser client. */
import { Elysia } from "elysia";
import { methodNotAllowed, SERVER } from "../answer.ts";
import type { Locator } from "../config/located-request.ts";
import type { Front } from "../front/front.ts";
import { page } from "./page.ts";
import { pushStreamScript } from "./pushstream-script.ts";

export const web = (locator: Locator, front: Front) => {
  const script = {
    body: new TextEncoder().encode(pushStreamScript()),
    headers: {
      ...SERVER,
      "Content-Type": "text/javascript; charset=utf-8",
      "X-Content-Type-Options": "nosniff",
      // As for the page: an upgraded binary must not meet yesterday's.
      "Cache-Control": "no-cache",
    },
  };
  const documents = { page, "pushstream-client": script } as const;
  return new Elysia({ name: "web" }).onRequest(({ request, server }) => {
    for (const role of ["page", "pushstream-client"] as const) {
      const located = locator.claim(role, request, server);
      if (located === null) continue;
      if (request.method !== "GET" && request.method !== "HEAD")
        return front.finish(located, methodNotAllowed("GET, HEAD"));
      const { body, headers } = documents[role];
      return front.finish(located, new Response(body, { headers }));
    }
    return undefined;
  });
};
