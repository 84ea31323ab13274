/**
 * What becomes of requests of which nobody can say whose they are. Called by app.ts. Those of a trusted proxy
 * that names no client are a fault of a configuration, the proxy's or ours, and its operator has to hear of
 * it: in the answer, and in the log at most once in ten seconds.
 */

import { UnknownClient, type UnknownPeer } from "../config/server/door.ts";
import { headerOnly, refuse } from "../http/answer.ts";
import { Refusals } from "../http/errors.ts";
import { peerText } from "../http/peer.ts";
import { log } from "../log.ts";

const LOG_EVERY_MS = 10_000;

export class UnknownClients {
  #nextLogMs = 0;
  /** Since the last line. */
  #count = 0;

  /** null: the path was at fault. */
  refuse(error: UnknownPeer | null): Response {
    if (!(error instanceof UnknownClient)) return headerOnly(400);
    this.#count++;
    const nowMs = performance.now();
    if (nowMs >= this.#nextLogMs) this.#tell(error, nowMs);
    return refuse(Refusals.unknownClient);
  }

  #tell({ silence: { proxy, header, fault } }: UnknownClient, nowMs: number): void {
    log("warn", "a trusted proxy does not say who its client is: refused", {
      proxy: peerText(proxy),
      header,
      fault,
      requests: this.#count,
    });
    this.#nextLogMs = nowMs + LOG_EVERY_MS;
    this.#count = 0;
  }
}
