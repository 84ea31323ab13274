// Event stream: one event encoded into a reused buffer, data in one line and in lines of 64 bytes (each needs
// its `data:`).

import { bench, run } from "mitata";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { compileEventStream } from "../../src/wire/event-stream.ts";
import { message, SIZES, text } from "./samples.ts";

const writer = new ByteWriter();
const format = compileEventStream("~text~");

for (const lines of [false, true]) {
  for (const size of SIZES) {
    const sample = message(text(size, lines));
    bench(`${size} bytes${lines ? " in lines of 64" : ""}`, () => {
      writer.length = 0;
      format.render(writer, sample, null);
      if (writer.length < size) throw new Error("nothing was encoded");
    });
  }
}

await run();
