/**
 * One worker in this process, on a port of its own, configured by the servers of an nginx.conf. Used by the
 * suites of this folder.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WorkerOptions } from "../../src/app/running-worker.ts";
import { startWorker } from "../../src/app.ts";
import { loadConfig } from "../../src/config/load.ts";
import { openStore } from "../../src/store/opening.ts";
import { storePolicy, storeShape } from "../../src/supervisor/store/store-settings.ts";
import { freePort } from "../binary/running-server.ts";

export interface NginxWorker {
  readonly port: number;
  stop(): void;
}

/** A stream's location on each; the native one has none that begins with nothing. */
export const LISTENERS: readonly (readonly [listener: string, stream: string])[] = [
  ["native listener", "sluice_listener native;", 'push_stream_header_template "h";'],
  ["wire listener", "", ""],
].map(([listener = "", which = "", template = ""]) => [
  listener,
  `${which} location /sub { push_stream_subscriber; push_stream_channels_path a; ${template} }`,
]);

export function startNginxWorker(
  servers: (port: number) => string,
  options: Partial<WorkerOptions> = {},
): NginxWorker {
  const folder = mkdtempSync(join(tmpdir(), "sluice-listen-"));
  const port = freePort();
  const file = join(folder, "nginx.conf");
  writeFileSync(file, `events {} http { push_stream_shared_memory_size 4m; ${servers(port)} }`);
  const loaded = loadConfig({ file });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  const { config } = loaded;
  const storePath = join(folder, "store");
  const { store } = openStore(storeShape(config, storePath), storePolicy(config));
  const slot = store.workers.claimSlot(process.pid, Math.floor(Date.now() / 1000));
  const worker = startWorker({ config, store, slot, storePath, maxConnections: 0, ...options });
  return {
    port,
    stop() {
      worker.stop();
      store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
