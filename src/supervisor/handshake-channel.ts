/**
 * The handshake's messages as they travel, and what is believed of what arrives. Used by both ends: main's
 * (worker/worker-process.ts) and the worker's (worker/worker-life.ts).
 *
 * They travel as JSON. Bun's other form, structured clones, throws in main, where nobody can catch it, when a
 * worker's bytes are none; with JSON it closes that worker's channel, and the worker is replaced. A
 * configuration holds maps, which JSON would turn into empty objects in silence, so it goes as the text of a
 * structured clone: from main, whom a worker has to believe.
 *
 * Main does not have to believe a worker. Code of the operator runs in it, and a fault of the runtime may
 * strike there, so every word is looked at: what is not of the handshake is null.
 */
import { deserialize, serialize } from "node:v8";
import type { Drain } from "../app/running-worker.ts";
import type { Config } from "../config/model.ts";
import type { FromWorker, StartMessage, ToWorker } from "./handshake.ts";
import type { ListeningSocket } from "./sockets/listening-sockets.ts";
import type { Steering } from "./sockets/socket-groups.ts";

export const CHANNEL_FORM = "json";

/** Far more than addresses or faults there are. */
const MOST_ITEMS = 4096;

type Words = Readonly<Record<string, unknown>>;

/** As it is put into the channel. */
export function packed(message: ToWorker): Words {
  if (message.kind !== "start") return { ...message };
  return { ...message, config: Buffer.from(serialize(message.config)).toString("base64") };
}

export function readToWorker(value: unknown): ToWorker | null {
  if (!isWords(value)) return null;
  const { kind } = value;
  switch (kind) {
    case "start":
      return startMessage(value);
    case "drain": {
      const { how, awaitsWord } = value;
      return isDrain(how) && typeof awaitsWord === "boolean" ? { kind, how, awaitsWord } : null;
    }
    case "close":
      return typeof value["again"] === "boolean" ? { kind, again: value["again"] } : null;
    case "steer": {
      const { steering, untilMs } = value;
      return isCount(untilMs) && isListOf(steering, isSteering) ? { kind, steering, untilMs } : null;
    }
    case "quit":
    case "reopen":
      return { kind };
    default:
      return null;
  }
}

export function readFromWorker(value: unknown): FromWorker | null {
  if (!isWords(value)) return null;
  const { kind } = value;
  switch (kind) {
    case "ready": {
      const { addresses, sockets } = value;
      const isFit = isListOf(addresses, isText) && isListOf(sockets, isSocket);
      return isFit ? { kind, addresses, sockets } : null;
    }
    case "steered": {
      const { untilMs, fault } = value;
      return isCount(untilMs) && (fault === null || isText(fault)) ? { kind, untilMs, fault } : null;
    }
    case "failed":
      return isListOf(value["faults"], isText) ? { kind, faults: value["faults"] } : null;
    case "leaving":
    case "quiet":
    case "deaf":
    case "drained":
      return { kind };
    default:
      return null;
  }
}

function startMessage({ config, storePath, slot, generation }: Words): StartMessage | null {
  if (!(isText(config) && isText(storePath) && isCount(slot) && isCount(generation))) return null;
  const read = configOf(config);
  return read === null ? null : { kind: "start", config: read, storePath, slot, generation };
}

/** null: it is no structured clone of an object. */
function configOf(text: string): Config | null {
  try {
    const read: unknown = deserialize(Buffer.from(text, "base64"));
    return isConfig(read) ? read : null;
  } catch {
    return null;
  }
}

/** Main checked it when it read it; here it only has to be one. */
const isConfig = (value: unknown): value is Config =>
  isWords(value) && Array.isArray(value["listen"]) && Array.isArray(value["locations"]);

const isWords = (value: unknown): value is Words =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === "string";
const isCount = (value: unknown): value is number => Number.isFinite(value) && Number(value) >= 0;
const isPlace = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

const isListOf = <T>(value: unknown, is: (item: unknown) => item is T): value is readonly T[] =>
  Array.isArray(value) && value.length <= MOST_ITEMS && value.every(is);

const isSocket = (value: unknown): value is ListeningSocket =>
  isWords(value) && isText(value["local"]) && isText(value["inode"]);
const isSteering = (value: unknown): value is Steering =>
  isWords(value) && isText(value["local"]) && isListOf(value["places"], isPlace);
const isDrain = (value: unknown): value is Drain =>
  isWords(value) &&
  isCount(value["deadlineMs"]) &&
  isCount(value["perSecond"]) &&
  typeof value["isReload"] === "boolean";
