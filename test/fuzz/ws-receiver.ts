/** What the `ws` package's own decoder hears of a client's bytes, in the words of heard-frames.ts. */
import { createRequire } from "node:module";
import type { Writable } from "node:stream";

interface ReceiverOptions {
  readonly isServer: boolean;
  readonly maxPayload: number;
}

/** By its file: the package's name is Bun's own implementation. */
const Receiver: new (options: ReceiverOptions) => Writable = createRequire(import.meta.url)(
  "../../node_modules/ws/lib/receiver.js",
);

export async function wsHeard(bytes: Buffer, maxPayload: number): Promise<string[]> {
  const receiver = new Receiver({ isServer: true, maxPayload });
  const said: string[] = [];
  const over = Promise.withResolvers<void>();
  receiver.on("message", (data: Buffer, isBinary: boolean) => {
    said.push(isBinary ? `binary ${data.toString("hex")}` : `text ${data.toString()}`);
  });
  receiver.on("ping", (data: Buffer) => said.push(`ping ${data.toString("latin1")}`));
  receiver.on("pong", (data: Buffer) => said.push(`pong ${data.toString("latin1")}`));
  receiver.on("conclude", (code: number, reason: Buffer) => {
    said.push(`close ${code} ${reason.toString()}`);
    over.resolve();
  });
  receiver.on("error", (error: Error) => {
    const symbol = Object.getOwnPropertySymbols(error).find((each) => each.description === "status-code");
    said.push(`fault ${symbol === undefined ? error.message : Reflect.get(error, symbol)}`);
    over.resolve();
  });
  receiver.write(bytes, () => over.resolve());
  await over.promise;
  return said;
}
