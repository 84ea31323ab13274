// A bare Bun.serve as a contender: what the native door could cost at the very least. It takes POSTs in the
// row "publish", and hands them to subscribers beside the rows of one in flight.

import { join } from "node:path";
import { type Peer, Server, takePort } from "./peer.ts";

const bareServer = (file: string): Peer => ({
  name: "bare Bun.serve",
  async missing() {
    return null;
  },
  async start() {
    const port = takePort();
    const command = [process.execPath, join(import.meta.dir, file), String(port)];
    return new Server(port, command, () => undefined).ready(0);
  },
  subscribePath: (_, channel) => `/${channel}`,
});

export const bare = bareServer("bare-serve.ts");
export const bareFanout = bareServer("bare-fanout.ts");
