/**
 * `sluice cluster status`: the nodes of a cluster as a table, or as JSON. Asks the engine, so it works where
 * no node runs. Called by program.ts.
 */
import { type ClusterStatus, clusterStatus } from "../cluster/status.ts";
import { formatFault } from "../config/fault.ts";
import { loadConfig } from "../config/load.ts";
import { CommandFailure, ExitCode } from "./failure.ts";
import { writeOut } from "./output.ts";
import { printable } from "./style.ts";

export async function clusterStatusCommand({
  config: file,
  json,
}: {
  config: string;
  json?: boolean;
}): Promise<number> {
  const loaded = loadConfig({ file });
  if (!loaded.ok) throw new CommandFailure(ExitCode.USAGE, loaded.faults.map(formatFault).join("\n"));
  const { cluster } = loaded.config;
  if (!cluster) throw new CommandFailure(ExitCode.USAGE, `${file} has no [cluster].`);
  let status: ClusterStatus;
  try {
    status = await clusterStatus(cluster);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(ExitCode.FAILURE, `the engine cannot be asked: ${cause}`);
  }
  writeOut(json === true ? `${JSON.stringify(status)}\n` : table(cluster.name, status));
  return ExitCode.OK;
}

function table(name: string, { epoch, term, entries, messages, nodes }: ClusterStatus): string {
  const head = ["node", "version", "subscribers", "connections", "workers", "lag", "heard"];
  const rows = nodes.map((node) => [
    printable(node.node),
    printable(node.version),
    String(node.subscribers),
    String(node.connections),
    String(node.workers),
    String(node.lag),
    `${node.heardSec} s ago`,
  ]);
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  const since = term === 0 ? "never written to" : `since ${new Date(term / 1000).toISOString()}`;
  return `${[
    `cluster ${name}: epoch ${epoch}, term ${term} (${since}), ${messages} messages published, ` +
      `${entries} entries in the log`,
    "",
    line(head),
    ...rows.map(line),
  ].join("\n")}\n`;
}
