/** The page at `/` leads to the example pages where the server has them, and nowhere else. */
import { expect, test } from "bun:test";
import { makePage } from "../../src/web/page.ts";

const linksOf = (hasExamples: boolean): readonly (string | undefined)[] =>
  [...new TextDecoder().decode(makePage(hasExamples).body).matchAll(/<a href="([^"]*)"/g)].map(
    ([, target]) => target,
  );

test("relative links, so that they hold below the path of a proxy", () => {
  expect({ withExamples: linksOf(true), without: linksOf(false) }).toEqual({
    withExamples: ["examples/"],
    without: [],
  });
});
