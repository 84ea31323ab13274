/**
 * The page at `/`: one HTML document with its style and script inside, made once at start. plugin.ts serves
 * it for every location with `page = true`.
 *
 * The parts are plain files in client/, embedded as text, so that the compiled binary needs no file beside it
 * and a reader sees in the browser what is in the repository. They are joined here rather than by a bundler:
 * Bun's HTML imports make several outside files, and a build step would make the page differ between `bun
 * src/main.ts` and the binary.
 */
import channelJs from "./client/channel.js" with { type: "text" };
import feedJs from "./client/feed.js" with { type: "text" };
import formsCss from "./client/forms.css" with { type: "text" };
import laneJs from "./client/lane.js" with { type: "text" };
import lanesCss from "./client/lanes.css" with { type: "text" };
import mainJs from "./client/main.js" with { type: "text" };
import pageCss from "./client/page.css" with { type: "text" };
import html from "./client/page.html" with { type: "text" };
import publishJs from "./client/publish.js" with { type: "text" };
import shellJs from "./client/shell.js" with { type: "text" };
import siblingsJs from "./client/siblings.js" with { type: "text" };
import { clientScript } from "./client-files.ts";
import { contentSecurityPolicy, documentHeaders, type Page } from "./document.ts";

/** Trusted Types with no policy makes `innerHTML` throw, whoever writes it: messages are untrusted text. */
const STRICT = ["img-src data:", "require-trusted-types-for 'script'", "trusted-types 'none'"];

/** Dependencies first, as the imports in each file ask for. */
const modules = [channelJs, feedJs, laneJs, publishJs, shellJs, siblingsJs, mainJs];

/**
 * Makes one script of the modules: each becomes a function of its own scope that returns what the file
 * exports, and the imports go, since exported names are in reach. It relies on the habits of client/: imports
 * stand at the start of a line and rename nothing, exports are `export const|function|class name`.
 */
function joinModules(sources: readonly string[]): string {
  return sources
    .map((source) => {
      const names = [...source.matchAll(/^export (?:async )?(?:const|function|class) (\w+)/gm)].map(
        (match) => match[1],
      );
      const code = source.replace(/^import [^;]*? from "\.\/[\w-]+\.js";\n/gm, "").replace(/^export /gm, "");
      return `const { ${names.join(", ")} } = (() => {\n${code}return { ${names.join(", ")} };\n})();\n`;
    })
    .join("\n");
}

/**
 * As joinModules does with the others. The bundle of the client is a module as well, whose end is `export{a
 * as Sluice,…}`.
 */
function clientModule(bundle: string): string {
  const [code = "", names = ""] = bundle.split(/\bexport\s*\{/);
  const members = names.replace(/\}[\s\S]*/, "").replace(/([\w$]+) as (\w+)/g, "$2: $1");
  return `const { Sluice } = (() => {\n${code}return { ${members} };\n})();\n`;
}

/** For a server that has the example pages. */
const EXAMPLES = `  <section aria-labelledby="examples-title">
    <h2 id="examples-title">Examples</h2>
    <p class="note"><a href="./examples/">A page for each way to use it</a>, with its source: a chat,
    a dashboard, EventSource, long polling and more.</p>
  </section>`;

/**
 * The page as it is to be served at `/`. All of its addresses are relative, as a proxy may have the server
 * below a path of its own; at a path that is deeper they have to begin further up (pageAt).
 */
export function makePage(hasExamples: boolean): Page {
  const style = `\n${[pageCss, formsCss, lanesCss].join("\n")}`;
  const script = `\n${clientModule(clientScript)}\n${joinModules(modules)}`;
  // Replacer functions, because `$&` and friends in a replacement string would be expanded.
  const document = html
    .replace("<!-- examples -->\n", () => (hasExamples ? `${EXAMPLES}\n` : ""))
    .replace("/* style sheets */", () => style)
    .replace("/* client modules */", () => script);
  return {
    body: new TextEncoder().encode(document),
    headers: documentHeaders(contentSecurityPolicy(style, script, STRICT)),
  };
}

/**
 * The page for a path such as "/demo/page": relative addresses in it lead from there to what lies below the
 * server's root.
 */
export function pageAt(page: Page, path: string): Page {
  const root = rootFrom(path);
  if (root === "./") return page;
  const text = new TextDecoder().decode(page.body);
  const moved = text
    .replace('data-root="./"', `data-root="${root}"`)
    .replace('href="./examples/"', `href="${root}examples/"`);
  return { ...page, body: new TextEncoder().encode(moved) };
}

const MOST_STEPS = 32;

/** "./" from "/" and "/page", "../" from "/demo/" and "/demo/page". */
function rootFrom(path: string): string {
  const steps = path.split("/", MOST_STEPS).length - 2;
  return steps > 0 ? "../".repeat(steps) : "./";
}
