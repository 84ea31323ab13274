/**
 * `/sluice.js`, its source map and its types, for locations with `sluice_client`. Caches keep them and ask
 * whether they are still the same: a page must not meet a server with the client of another version.
 */
import { createHash } from "node:crypto";
import { bundleClient } from "../client/bundle.ts" with { type: "macro" };
import type { ClientFiles } from "../client/bundle.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { SERVER } from "../http/answer.ts";
import { acceptsGzip, gzipped } from "../http/content-coding.ts";
import type { Page } from "./document.ts";

const files = bundleClient();

/** The module, for a page that is to be whole by itself. */
export const clientScript = files["sluice.js"];

const TYPES: Readonly<Record<keyof ClientFiles, string>> = {
  "sluice.js": "text/javascript; charset=utf-8",
  "sluice.js.map": "application/json",
  "sluice.d.ts": "application/typescript; charset=utf-8",
  "sluice.shared.js": "text/javascript; charset=utf-8",
  "sluice.shared.js.map": "application/json",
  "sluice.shared.d.ts": "application/typescript; charset=utf-8",
};

const pages = new Map<string, { readonly plain: Page; readonly gzip: Page }>();
for (const [name, type] of Object.entries(TYPES)) {
  const body = new TextEncoder().encode(files[name as keyof ClientFiles]);
  const tag = createHash("sha256").update(body).digest("base64url").slice(0, 16);
  const headers = {
    ...SERVER,
    "Content-Type": type,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    Vary: "Accept-Encoding",
    // Modules are fetched with CORS; there is nothing secret in them.
    "Access-Control-Allow-Origin": "*",
  };
  pages.set(name, {
    plain: { body, headers: { ...headers, ETag: `"${tag}"` } },
    gzip: {
      body: gzipped(body, 9),
      headers: { ...headers, ETag: `"${tag}-gzip"`, "Content-Encoding": "gzip" },
    },
  });
}

/** undefined: the client has no file of that name. */
export function clientFile(located: LocatedRequest): Page | undefined {
  const page = pages.get(located.path.slice(located.path.lastIndexOf("/") + 1));
  return acceptsGzip(located.header("accept-encoding")) ? page?.gzip : page?.plain;
}
