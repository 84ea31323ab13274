/**
 * Locations with `page`, `examples`, `sluice_client` or `pushstream_client`, as an Elysia plugin: the page a
 * newcomer sees first, the example pages, and the browser client.
 */
import { Elysia } from "elysia";
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { Locator } from "../config/location/locator.ts";
import type { Config } from "../config/model.ts";
import { errorPage } from "../front/error-page.ts";
import type { Front } from "../front/front.ts";
import { methodNotAllowed, SERVER } from "../http/answer.ts";
import { clientFile } from "./client-files.ts";
import type { Page } from "./document.ts";
import { examplePage } from "./examples.ts";
import { makePage, pageAt } from "./page.ts";
import { pushStreamScript } from "./pushstream-script.ts";

const SCRIPT_HEADERS = {
  ...SERVER,
  "Content-Type": "text/javascript; charset=utf-8",
  "X-Content-Type-Options": "nosniff",
  // As for the page: an upgraded binary must not meet yesterday's.
  "Cache-Control": "no-cache",
};

export const web = ({ locations }: Config, locator: Locator, front: Front) => {
  const page = makePage(locations.some(({ role }) => role.kind === "examples"));
  const script = { body: new TextEncoder().encode(pushStreamScript()), headers: SCRIPT_HEADERS };
  const documents = [
    ["page", (located: LocatedRequest) => pageAt(page, located.path)],
    ["examples", (located: LocatedRequest) => examplePage(located.path, originOf(located))],
    ["pushstream-client", () => script],
    ["sluice-client", clientFile],
  ] as const satisfies readonly (readonly [string, (located: LocatedRequest) => Page | undefined])[];
  return new Elysia({ name: "web" }).onRequest(({ request, server }) => {
    for (const [role, documentFor] of documents) {
      const located = locator.claim(role, request, server);
      if (located !== null) return front.finish(located, answer(located, documentFor(located)));
    }
    return undefined;
  });
};

/** What the client calls this server, if that is a plain host and port. */
function originOf(located: LocatedRequest): string {
  const host = located.header("host") ?? "";
  return `${located.scheme}://${/^[\w.:[\]-]{1,255}$/.test(host) ? host : "127.0.0.1:8080"}`;
}

/** RFC 9110 13.1.2, as far as caches go that keep what they were given. */
const isSame = (asked: string | null, tag: string | undefined): boolean =>
  asked !== null && tag !== undefined && asked.split(",").some((one) => one.trim() === tag);

function answer(located: LocatedRequest, document: Page | undefined): Response {
  const { method } = located;
  if (method !== "GET" && method !== "HEAD") return methodNotAllowed("GET, HEAD");
  if (document === undefined) return errorPage(404);
  const { body, headers } = document;
  const isKnown = isSame(located.header("if-none-match"), headers["ETag"]);
  return isKnown ? new Response(null, { status: 304, headers }) : new Response(body, { headers });
}
