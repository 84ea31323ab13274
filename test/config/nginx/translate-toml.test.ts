/**
 * Documents as TOML: printed and read back they are equal, for the corpus and for texts that are hard to
 * print.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readDocument } from "../../../src/config/document.ts";
import { formatFault } from "../../../src/config/fault.ts";
import { loadNginxDocument } from "../../../src/config/nginx/load.ts";
import { documentToToml } from "../../../src/config/nginx/print-toml.ts";
import { diskReader } from "../../../src/config/nginx/tree.ts";
import { readToml } from "../../../src/config/toml.ts";
import { documentOf, withPush } from "./translated.ts";

const CORPUS = join(import.meta.dir, "corpus");

const reread = (document: Readonly<Record<string, unknown>>): unknown =>
  Bun.TOML.parse(documentToToml(document, (path) => `${path}\nand \x00`));

test.each(diskReader.glob(join(CORPUS, "*.conf")).map((path) => path.slice(CORPUS.length + 1)))(
  "%s: translated, printed and read back it means the same",
  (file) => {
    const path = join(CORPUS, file);
    const { document, faults } = loadNginxDocument(readFileSync(path, "utf8"), path);
    expect(faults.map(formatFault)).toEqual([]);
    expect(reread(document)).toEqual(document);
    const direct = readDocument(document, () => "");
    expect(direct.faults.map(formatFault)).toEqual([]);
    const printed = readToml(documentToToml(document), "printed.toml");
    expect(printed.ok ? printed.values : printed.faults.map(formatFault)).toEqual(direct.values);
  },
);

test.each([
  'quotes " and \\ and \\" and \'',
  "\r\n\t\b\f\v",
  "\x00\x01\x1f\x7f\x80\x9f",
  "é €\u{1f389}\u2028\uFEFF",
  "'''\"\"\"",
  "# [x] = 1",
  "",
  "x".repeat(300),
])("the text %j", (text) => {
  const document = {
    a: text,
    list: [text, "b"],
    "odd key.": { n: 1, f: -1.5, "": true },
    server: [{ location: [{ match: text, step: [{ set: [text] }] }, { match: "b" }] }, { location: [] }],
  };
  expect(reread(document)).toEqual(document);
});

test("templates of an nginx.conf survive, control characters and all", () => {
  const template = "<script>p(~id~,'~channel~');</script>\u007f\u0001\r\n";
  const document = documentOf(withPush(`push_stream_message_template "${template}";`));
  expect(reread(document)).toEqual(document);
});

test("a value that TOML has no form for is refused", () => {
  expect(() => documentToToml({ a: null })).toThrow("a document has no value like null");
  expect(() => documentToToml({ a: Number.NaN })).toThrow("NaN");
});
