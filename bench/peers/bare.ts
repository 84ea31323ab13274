// A bare Bun.serve as a contender of the row "publish": what the native door could cost at the very least.

import { join } from "node:path";
import { type Peer, Server, takePort } from "./peer.ts";

export const bare: Peer = {
  name: "bare Bun.serve",
  async missing() {
    return null;
  },
  async start() {
    const port = takePort();
    const command = [process.execPath, join(import.meta.dir, "bare-serve.ts"), String(port)];
    return new Server(port, command, () => undefined).ready(0);
  },
  subscribePath: (_, channel) => `/${channel}`,
};
