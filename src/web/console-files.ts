/**
 * The console's page and script, for the plugin in src/console. Made once; the compiled binary needs no file
 * beside it.
 */
import { createHash } from "node:crypto";
import { bundleConsole } from "./console/bundle.ts" with { type: "macro" };
import { contentSecurityPolicy, documentHeaders } from "./document.ts";

const { page: html, script, style } = bundleConsole();
const page = html.replace("/* style sheets */", () => style);
// uPlot sets sizes by way of the style object, which a policy allows; nothing else runs or is asked for
// elsewhere.
const headers = documentHeaders(
  contentSecurityPolicy(
    style,
    script,
    ["img-src data:", "require-trusted-types-for 'script'", "trusted-types 'none'"],
    " 'self'",
  ),
);
const tag = `"${createHash("sha256").update(script).digest("base64url").slice(0, 16)}"`;

/** The file of this name below the console's location; null: there is none. */
export function consoleFile(name: string): Response | null {
  if (name === "") return new Response(page, { headers });
  if (name !== "console.js") return null;
  return new Response(script, {
    headers: {
      "Content-Type": "text/javascript; charset=utf-8",
      "X-Content-Type-Options": "nosniff",
      "Cache-Control": "no-cache",
      ETag: tag,
    },
  });
}
