/**
 * Warnings and errors of a process's log, for the console: published to its internal channel beside the
 * samples. Used by every worker with a console; a log that storms costs it no more than a few lines a second.
 */
import { type LogFields, type LogLevel, watchLog } from "../log.ts";
import { Internal } from "../store/channel/internal-channels.ts";
import type { Store } from "../store/store.ts";
import { BOUNDS } from "./sampler.ts";

const LINES_A_SECOND = 5;
const MAX_TEXT = 600;
const EVENT_TYPE = new TextEncoder().encode("log");

/** Returns what ends it. */
export function tellWarnings(store: Store): () => void {
  let second = 0;
  let lines = 0;
  watchLog((level: LogLevel, process: string, message: string, fields: LogFields) => {
    const nowMs = Date.now();
    const now = Math.floor(nowMs / 1000);
    if (now !== second) [second, lines] = [now, 0];
    if (++lines > LINES_A_SECOND) return;
    const more = Object.entries(fields).map(([name, value]) => ` ${name}=${value}`);
    const text = `${message}${more.join("")}`.slice(0, MAX_TEXT);
    const data = new TextEncoder().encode(JSON.stringify({ at: nowMs, level, process, text }));
    store.internal.append(Internal.console, { data, eventId: null, eventType: EVENT_TYPE }, BOUNDS, nowMs);
  });
  return () => watchLog(null);
}
