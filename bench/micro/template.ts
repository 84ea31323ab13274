// Template: one message rendered into a reused buffer, by template and size. `~text~` is the default and
// takes the short road; the second holds every token that the dialect knows.

import { bench, do_not_optimize, run, summary } from "mitata";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { compileTemplate } from "../../src/wire/template.ts";
import { type Arguments, message, SIZES, text } from "./samples.ts";

const TEMPLATES = new Map([
  ["plain", "~text~"],
  [
    "all tokens",
    '{"id":~id~,"channel":"~channel~","time":"~time~","tag":~tag~,' +
      '"eventid":"~event-id~","text":"~text~"}\r\n',
  ],
]);
const writer = new ByteWriter();

summary(() => {
  for (const [name, source] of TEMPLATES) {
    const template = compileTemplate(source);
    bench(`${name}, $size bytes`, function* (state: Arguments) {
      const sample = message(text(state.get("size")));
      yield () => {
        writer.length = 0;
        template.render(writer, sample);
        do_not_optimize(writer.length);
      };
    }).args("size", SIZES);
  }
});

await run({ throw: true });
