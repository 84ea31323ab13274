/**
 * Makes the npm package of the client out of src/client: dist/sluice-client-VERSION.tgz. Called by `bun run
 * package`; a test installs it in Node and Bun. It holds what a server has at /sluice.js, so whoever imports
 * from either has the same.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { license, version } from "../package.json";
import { bundleClient } from "../src/client/bundle.ts";
import { commitSeconds, root } from "./compile.ts";

const README = `# sluice-client

The client of sluice, a real-time push server in one file, for browsers, Node 22 and later, and Bun.
No dependencies.

\`\`\`js
import { Sluice } from "sluice-client";

const client = new Sluice("https://push.example.org/");
for await (const message of client.subscribe("news")) console.log(message.data);
\`\`\`

It comes back by itself, by WebSocket, Server-Sent Events or long polling, and goes on behind the last
message. All of it: docs/clients.md.
`;

const manifest = {
  name: "sluice-client",
  version,
  description:
    "Client of sluice: many channels over one connection that comes back and goes on where it was.",
  license,
  type: "module",
  exports: {
    ".": { types: "./sluice.d.ts", default: "./sluice.js" },
    "./shared": { types: "./sluice.shared.d.ts", default: "./sluice.shared.js" },
  },
  types: "./sluice.d.ts",
  sideEffects: false,
  engines: { node: ">=22", bun: ">=1.2" },
};

/** Returns the path of the tarball in `folder`. Throws with the packer's words when it fails. */
export function makeClientPackage(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const tree = mkdtempSync(join(folder, ".client-"));
  try {
    writeFileSync(join(tree, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    writeFileSync(join(tree, "README.md"), README);
    copyFileSync(join(root, "LICENSE"), join(tree, "LICENSE"));
    for (const [name, text] of Object.entries(bundleClient())) writeFileSync(join(tree, name), text);
    const run = Bun.spawnSync([process.execPath, "pm", "pack", "--destination", folder, "--quiet"], {
      cwd: tree,
      env: { ...process.env, SOURCE_DATE_EPOCH: String(commitSeconds()) },
    });
    if (!run.success) throw new Error(`bun pm pack: ${run.stderr}`);
    return join(folder, `sluice-client-${version}.tgz`);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}
