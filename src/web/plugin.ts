/** Locations with `page = true`, as an Elysia plugin: the page a newcomer sees first. */
import { Elysia } from "elysia";
import { methodNotAllowed } from "../answer.ts";
import type { Locator } from "../config/located-request.ts";
import { page } from "./page.ts";

export const web = (locator: Locator) =>
  new Elysia({ name: "web" }).onRequest(({ request, server }) => {
    if (locator.claim("page", request, server) === null) return undefined;
    if (request.method !== "GET" && request.method !== "HEAD") return methodNotAllowed("GET, HEAD");
    return new Response(page.body, { headers: page.headers });
  });
