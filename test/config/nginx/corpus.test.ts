/** Realistic configurations parse, includes and all. What they mean is for the tests of the translation. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Directive, diskReader, parseNginxFile } from "../../../src/config/nginx/tree.ts";

const CORPUS = join(import.meta.dir, "corpus");

/** How many of each there are, so that a part that silently falls out of the tree is noticed. */
const COUNTS: readonly (readonly [file: string, servers: number, locations: number, push: number])[] = [
  ["bitrix24.conf", 2, 5, 28],
  ["chat-iframe.conf", 1, 4, 23],
  ["conditions.conf", 1, 5, 16],
  ["debian.conf", 2, 3, 11],
  ["included.conf", 1, 4, 15],
  ["long-polling.conf", 1, 4, 27],
  ["seed.conf", 1, 3, 7],
  ["several-servers.conf", 4, 10, 6],
  ["websocket-events.conf", 1, 4, 22],
];

const all = (directives: readonly Directive[]): Directive[] =>
  directives.flatMap((one) => [one, ...all(one.block ?? [])]);

test.each(COUNTS)("%s", (file, servers, locations, push) => {
  const outcome = parseNginxFile(join(CORPUS, file), diskReader);
  expect(outcome).toMatchObject({ ok: true });
  const names = outcome.ok ? all(outcome.directives).map(({ name }) => name) : [];
  const count = (pattern: RegExp) => names.filter((name) => pattern.test(name)).length;
  expect([count(/^server$/), count(/^location$/), count(/^push_stream_/)]).toEqual([
    servers,
    locations,
    push,
  ]);
});

test("every file of the corpus is in the table", () => {
  expect(diskReader.glob(join(CORPUS, "*.conf"))).toEqual(COUNTS.map(([file]) => join(CORPUS, file)));
});

test("templates keep every character", () => {
  const outcome = parseNginxFile(join(CORPUS, "bitrix24.conf"), diskReader);
  const templates = (outcome.ok ? all(outcome.directives) : [])
    .filter(({ name }) => name === "push_stream_message_template")
    .map(({ args }) => args[0]?.text);
  const expected =
    '#!NGINXNMS!#{"id":~id~,"channel":"~channel~","tag":"~tag~","time":"~time~","eventid":"~event-id~",' +
    '"text":~text~}#!NGINXNME!#';
  expect(templates).toEqual([expected, expected]);
});
