/**
 * The page at `/` leads to the example pages where the server has them, and nowhere else; no built-in page
 * has an address from the root.
 */
import { expect, test } from "bun:test";
import { examplePage } from "../../src/web/examples.ts";
import { makePage, pageAt } from "../../src/web/page.ts";

const linksOf = (hasExamples: boolean): readonly (string | undefined)[] =>
  [...new TextDecoder().decode(makePage(hasExamples).body).matchAll(/<a href="([^"]*)"/g)].map(
    ([, target]) => target,
  );

test("relative links, so that they hold below the path of a proxy", () => {
  expect({ withExamples: linksOf(true), without: linksOf(false) }).toEqual({
    withExamples: ["./examples/"],
    without: [],
  });
});

const textOf = (page: { readonly body: Uint8Array } | undefined): string =>
  new TextDecoder().decode(page?.body ?? new Uint8Array());

test.each([
  ["/", "./"],
  ["/page", "./"],
  ["/demo/", "../"],
  ["/demo/page", "../"],
  ["/a/b/c/page", "../../../"],
  [`/${"a/".repeat(40)}`, "../".repeat(30)],
])("from %s everything is at %s", (path, root) => {
  const html = textOf(pageAt(makePage(true), path));
  expect(/<html [^>]*data-root="([^"]*)"/.exec(html)?.[1]).toBe(root);
  expect(html).toContain(`<a href="${root}examples/">`);
});

/** As attributes, and as what scripts open. */
const FROM_ROOT =
  /(?:href|src|action)="\/|(?:fetch|EventSource|WebSocket|URL)\(["'`]\/|(?:src|href) = ["'`]\//g;

test("no page of ours has an address that begins at the root: a proxy may have it below a path", () => {
  const index = textOf(examplePage("/examples/", "http://x"));
  const names = [...index.matchAll(/<li><a href="([\w-]+)">/g)].map(([, name]) => name ?? "");
  expect(names.length).toBeGreaterThan(5);
  const pages = names.map((name) => textOf(examplePage(`/examples/${name}`, "http://x")));
  for (const html of [textOf(makePage(true)), index, ...pages]) expect(html.match(FROM_ROOT)).toBeNull();
});
