// Template: one message rendered into a reused buffer, by template and size. `~text~` is the default and
// takes the short road; the second holds every token that the dialect knows.

import { bench, run } from "mitata";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { compileTemplate } from "../../src/wire/template.ts";
import { message, SIZES, text } from "./samples.ts";

const TEMPLATES = new Map([
  ["plain", "~text~"],
  [
    "all tokens",
    '{"id":~id~,"channel":"~channel~","time":"~time~","tag":~tag~,"eventid":"~event-id~","text":"~text~"}\r\n',
  ],
]);
const writer = new ByteWriter();

for (const [name, source] of TEMPLATES) {
  const template = compileTemplate(source);
  for (const size of SIZES) {
    const sample = message(text(size));
    bench(`${name}, ${size} bytes`, () => {
      writer.length = 0;
      template.render(writer, sample);
      if (writer.length < size) throw new Error("nothing was rendered");
    });
  }
}

await run();
