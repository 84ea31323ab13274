// The ceiling as a contender: ceiling.c, or ceiling-bun.ts where there is no compiler (then "ceiling" means
// the least that Bun's own socket loop can do, and the table says so).

import { join } from "node:path";
import { compileC } from "../compile.ts";
import { type Peer, Server, takePort } from "./peer.ts";

const root = join(import.meta.dir, "..");

export const ceiling: Peer = {
  name: "ceiling",
  async missing() {
    return null;
  },
  async start() {
    const port = takePort();
    const executable = await compileC(join(root, "ceiling.c"));
    const command = executable === null ? [process.execPath, join(root, "ceiling-bun.ts")] : [executable];
    return new Server(port, [...command, String(port)], () => undefined).ready(0);
  },
  subscribePath: (transport, channel) => `/${transport}/${channel}`,
};
