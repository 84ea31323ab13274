/**
 * What the addresses of the configuration became: a port 0 is chosen by the kernel once, and stays that port
 * for every later worker and every reload. Used by supervisor.ts.
 */
import type { Config } from "../../config/model.ts";
import { probeAddresses, renameAddresses } from "./addresses.ts";

export class BoundPorts {
  /** As configured ("127.0.0.1:0") → as bound ("127.0.0.1:41234"). */
  readonly known = new Map<string, string>();

  /** Finds out whether the addresses are free, and remembers what they became; faults when one is not. */
  async probe(listen: readonly string[]): Promise<readonly string[] | null> {
    const probed = await probeAddresses(listen);
    if (!probed.ok) return probed.faults;
    for (const [index, text] of listen.entries()) this.known.set(text, probed.listen[index] ?? text);
    return null;
  }

  /** The configuration with the addresses that are bound. */
  name(config: Config): Config {
    return renameAddresses(config, (text) => this.known.get(text) ?? text);
  }
}
