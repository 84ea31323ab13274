// Event stream: one event encoded into a reused buffer, data in one line and in lines of 64 bytes (each needs
// its `data:`).

import { bench, do_not_optimize, run, summary } from "mitata";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { compileEventStream } from "../../src/wire/event-stream.ts";
import { type Arguments, message, SIZES, text } from "./samples.ts";

const writer = new ByteWriter();
const format = compileEventStream("~text~");

summary(() => {
  for (const lines of [false, true]) {
    bench(`$size bytes${lines ? " in lines of 64" : ""}`, function* (state: Arguments) {
      const sample = message(text(state.get("size"), lines));
      yield () => {
        writer.length = 0;
        format.render(writer, sample, null);
        do_not_optimize(writer.length);
      };
    }).args("size", SIZES);
  }
});

await run({ throw: true });
