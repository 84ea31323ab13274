// One worker inside a process that can be asked what is on its heap: started by bench/idle-memory.ts as `bun
// worker.ts FOLDER DOOR`. Commands and answers go over IPC. The same code as in the binary (app.ts), with the
// configuration of the bench.

import { heapStats } from "bun:jsc";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startWorker } from "../../src/app.ts";
import { loadConfig } from "../../src/config/load.ts";
import { openStore } from "../../src/store/opening.ts";
import { storePolicy, storeShape } from "../../src/supervisor/store/store-settings.ts";
import { configuration, type Door } from "../peers/sluice-config.ts";

export type Question = "heap";

/**
 * What one class of objects amounts to; bytes as the engine counts cells, without what they own outside of
 * the heap.
 */
export interface ClassTotal {
  readonly objects: number;
  readonly bytes: number;
}

export interface Reading {
  /** Bytes of the engine's heap: cells, and what cells say they own outside of it. */
  readonly heapBytes: number;
  readonly classes: Readonly<Record<string, ClassTotal>>;
}

/** A snapshot is two lists of fours: id, size, class, flags; and from, to, kind, name. */
const FOUR = 4;
const PROPERTY = 1;
const VARIABLE = 3;
/** Of what is called so one wants to know whose it is. */
const NAMELESS: ReadonlySet<string> = new Set([
  "Object",
  "Array",
  "Function",
  "Promise",
  "JSLexicalEnvironment",
]);

function classesOf(): Record<string, ClassTotal> {
  const snapshot = Bun.generateHeapSnapshot();
  const { nodes, nodeClassNames, edges, edgeNames } = snapshot as Snapshot;
  const classOf = new Map<number, string>();
  for (let at = 0; at < nodes.length; at += FOUR)
    classOf.set(nodes[at] ?? 0, nodeClassNames[nodes[at + 2] ?? 0] ?? "?");
  const owners = new Map<number, string>();
  for (let at = 0; at < edges.length; at += FOUR) {
    const kind = edges[at + 2];
    const name = kind === PROPERTY || kind === VARIABLE ? `.${edgeNames[edges[at + 3] ?? 0]}` : "";
    const to = edges[at + 1] ?? 0;
    const isNameless = NAMELESS.has(classOf.get(to) ?? "");
    // A name says more than none.
    if (isNameless && (name !== "" || !owners.has(to)))
      owners.set(to, ` of ${classOf.get(edges[at] ?? 0)}${name}`);
  }
  const totals: Record<string, { objects: number; bytes: number }> = {};
  for (let at = 0; at < nodes.length; at += FOUR) {
    const id = nodes[at] ?? 0;
    const name = `${classOf.get(id)}${owners.get(id) ?? ""}`;
    totals[name] ??= { objects: 0, bytes: 0 };
    totals[name].objects++;
    totals[name].bytes += nodes[at + 1] ?? 0;
  }
  return totals;
}

/** Bun's types have only the nodes. */
interface Snapshot {
  readonly nodes: readonly number[];
  readonly nodeClassNames: readonly string[];
  readonly edges: readonly number[];
  readonly edgeNames: readonly string[];
}

function read(): Reading {
  Bun.gc(true);
  const { heapSize, extraMemorySize } = heapStats();
  return { heapBytes: heapSize + extraMemorySize, classes: classesOf() };
}

function serve(folder: string, door: Door): void {
  const file = join(folder, "sluice.toml");
  writeFileSync(file, configuration({ listen: "127.0.0.1:0", door }));
  const loaded = loadConfig({ file, overrides: { workers: 1 } });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  const { config } = loaded;
  const storePath = join(folder, "store");
  const { store } = openStore(storeShape(config, storePath), storePolicy(config));
  const slot = store.workers.claimSlot(process.pid, Math.floor(Date.now() / 1000));
  const { addresses } = startWorker({ config, store, slot, storePath, maxConnections: 0 });
  process.on("message", () => process.send?.(read()));
  process.on("disconnect", () => process.exit(0));
  process.send?.(Number(new URL(addresses[0] ?? "").port));
}

serve(process.argv[2] ?? "", process.argv[3] === "wire" ? "wire" : "native");
