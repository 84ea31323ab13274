/**
 * The JSON answers of the publisher and statistics locations (push-stream spec 5.3 to 5.5), read into checked
 * shapes. Used by pub and stats.
 */
export interface ChannelInfo {
  readonly channel: string;
  readonly publishedMessages: number;
  readonly storedMessages: number;
  readonly subscribers: number;
  /** null: nobody counts them. */
  readonly members: number | null;
}

export interface WorkerInfo {
  readonly pid: string;
  readonly subscribers: number;
  /** Seconds. */
  readonly uptime: number;
}

/** Statistics of the whole server (spec 5.5). */
export interface Summary {
  readonly hostname: string;
  readonly channels: number;
  readonly publishedMessages: number;
  readonly storedMessages: number;
  readonly subscribers: number;
  /** Seconds. */
  readonly uptime: number;
  readonly workers: readonly WorkerInfo[];
}

type Fields = Readonly<Record<string, unknown>>;

/** One channel or a group of them; null when the value is neither. */
export function readChannelInfos(value: unknown): ChannelInfo[] | null {
  if (!isFields(value)) return null;
  const list = Array.isArray(value["infos"]) ? value["infos"] : [value];
  const infos: ChannelInfo[] = [];
  for (const item of list) {
    const info = isFields(item) ? channelInfo(item) : null;
    if (info === null) return null;
    infos.push(info);
  }
  return infos;
}

/** Null when the value is no summary. */
export function readSummary(value: unknown): Summary | null {
  if (!isFields(value) || !Array.isArray(value["by_worker"])) return null;
  return {
    hostname: String(value["hostname"] ?? ""),
    channels: count(value["channels"]),
    publishedMessages: count(value["published_messages"]),
    storedMessages: count(value["stored_messages"]),
    subscribers: count(value["subscribers"]),
    uptime: count(value["uptime"]),
    workers: value["by_worker"].filter(isFields).map((worker) => ({
      pid: String(worker["pid"] ?? ""),
      subscribers: count(worker["subscribers"]),
      uptime: count(worker["uptime"]),
    })),
  };
}

/** JSON text as a value; undefined when it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function channelInfo(fields: Fields): ChannelInfo | null {
  const channel = fields["channel"];
  if (typeof channel !== "string") return null;
  return {
    channel,
    publishedMessages: count(fields["published_messages"]),
    storedMessages: count(fields["stored_messages"]),
    members: fields["members"] === undefined ? null : count(fields["members"]),
    subscribers: count(fields["subscribers"]),
  };
}

/** The module prints numbers, but some of its versions quoted them. */
const count = (value: unknown): number => (Number.isFinite(Number(value)) ? Number(value) : 0);
const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null;
