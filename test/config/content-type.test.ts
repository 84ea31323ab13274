/** Content types by extension: push-stream spec 4.3, as nginx looks them up. */
import { expect, test } from "bun:test";
import { contentTypeOf } from "../../src/config/location/content-type.ts";
import { decodePath } from "../../src/config/location/uri-path.ts";
import { locationWith } from "../location.ts";

const location = locationWith({
  defaultType: "custom content type",
  types: new Map([
    ["html", "text/html"],
    ["gif", "image/gif"],
    [`${"x".repeat(33)}`, "too/long"],
  ]),
});

test.each([
  ["/sub/ch1", "custom content type"],
  ["/sub/ch1.html", "text/html"],
  ["/sub/ch1.HTML", "text/html"],
  ["/sub/ch1.b5.gif", "image/gif"],
  ["/sub/ch1.b5", "custom content type"],
  ["/sub/ch1%2ehtm%6c", "text/html"],
  ["/sub.html/ch1", "custom content type"],
  ["/sub/.html", "custom content type"],
  ["/.html", "custom content type"],
  ["/a.html", "text/html"],
  ["/sub/ch1.", "custom content type"],
  ["/sub/a.html%2fb", "custom content type"],
  [`/sub/a.${"x".repeat(33)}`, "custom content type"],
])("%s: %s", (path, type) => {
  expect(contentTypeOf(location, decodePath(path) ?? "")).toBe(type);
});

test("without types it is the default", () => {
  expect(contentTypeOf(locationWith(), "/a.gif")).toBe("text/html");
});
