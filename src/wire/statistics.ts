/**
 * Channel statistics as data, and what a format of them has to do (push-stream spec 2.6, 5.3-5.5). Filled in
 * by admin and publish; each format is one file next to this one.
 */
import type { ByteWriter } from "./byte-writer.ts";

export interface ChannelStatistics {
  readonly name: Uint8Array;
  /** The channel's message counter since it was created. */
  readonly published: number;
  readonly stored: number;
  /** Subscriptions, not connections (push-stream spec 4.16). */
  readonly subscribers: number;
  /** Where presence counts them; in JSON alone, which readers take new fields in. Absent: it does not. */
  readonly members?: number;
}

/** Anything that can be walked once: an array, or the store's channels seen through one reused object. */
export interface ChannelList {
  forEach(visit: (channel: ChannelStatistics) => void): void;
}

export interface ZoneStatistics {
  readonly hostname: string;
  /** Now, seconds since 1970. */
  readonly timeSec: number;
  readonly channels: number;
  readonly wildcardChannels: number;
  readonly uptimeSec: number;
}

export interface WorkerStatistics {
  readonly pid: number;
  readonly subscribers: number;
  readonly uptimeSec: number;
}

export interface SummaryStatistics extends ZoneStatistics {
  readonly published: number;
  readonly stored: number;
  readonly messagesInTrash: number;
  readonly channelsInDelete: number;
  readonly channelsInTrash: number;
  readonly subscribers: number;
  /** Of a cluster; absent: this is one machine. */
  readonly nodes?: number;
  readonly workers: readonly WorkerStatistics[];
}

/** What a file of one format provides: bodies in one piece, and the three pieces of a group. */
export interface StatisticsParts {
  single(writer: ByteWriter, channel: ChannelStatistics): void;
  summary(writer: ByteWriter, summary: SummaryStatistics): void;
  groupHead(writer: ByteWriter, zone: ZoneStatistics): void;
  /** `isFirst`: there is nothing to separate it from. */
  groupItem(writer: ByteWriter, channel: ChannelStatistics, isFirst: boolean): void;
  groupTail(writer: ByteWriter, isEmpty: boolean): void;
}

/**
 * A format as endpoints see it; each method appends to the writer. `single`, `group` and `summary` make a
 * whole answer body; the pieces of a group are for lists that are too long to be written in one turn of the
 * event loop.
 */
export interface StatisticsFormat extends StatisticsParts {
  readonly contentType: string;
  group(writer: ByteWriter, zone: ZoneStatistics, channels: ChannelList): void;
}

/** Two content types may share their parts (push-stream spec 5.2: json and x-json, yaml and x-yaml). */
export function statisticsFormat(contentType: string, parts: StatisticsParts): StatisticsFormat {
  const group = (writer: ByteWriter, zone: ZoneStatistics, channels: ChannelList): void => {
    parts.groupHead(writer, zone);
    let isFirst = true;
    channels.forEach((channel) => {
      parts.groupItem(writer, channel, isFirst);
      isFirst = false;
    });
    parts.groupTail(writer, isFirst);
  };
  return { contentType, ...parts, group };
}

/**
 * The names and the order of the numbers, which all formats but plain's last channel line share (push-stream
 * spec 5.3-5.5).
 */
export const ZONE_NUMBERS = [
  ["channels", "channels"],
  ["wildcard_channels", "wildcardChannels"],
  ["uptime", "uptimeSec"],
] as const satisfies readonly (readonly [string, keyof ZoneStatistics])[];

const SUMMARY_NUMBERS = [
  ["channels", "channels"],
  ["wildcard_channels", "wildcardChannels"],
  ["published_messages", "published"],
  ["stored_messages", "stored"],
  ["messages_in_trash", "messagesInTrash"],
  ["channels_in_delete", "channelsInDelete"],
  ["channels_in_trash", "channelsInTrash"],
  ["subscribers", "subscribers"],
  ["uptime", "uptimeSec"],
] as const satisfies readonly (readonly [string, keyof SummaryStatistics])[];

/** The same with their values, and what only a cluster has behind them. */
export function summaryNumbers(
  summary: SummaryStatistics,
): readonly (readonly [name: string, value: number])[] {
  const numbers = SUMMARY_NUMBERS.map(([name, field]) => [name, summary[field]] as const);
  return summary.nodes === undefined ? numbers : [...numbers, ["nodes", summary.nodes]];
}

const encoder = new TextEncoder();

/** Host names are lower case (push-stream spec 5.4). As bytes, because they are escaped like channel ids. */
export const hostnameBytes = (zone: ZoneStatistics): Uint8Array =>
  encoder.encode(zone.hostname.toLowerCase());

/** A label and a decimal number: what statistics are made of in every format. */
export function pushNumber(writer: ByteWriter, label: string, value: number): void {
  writer.pushLatin1(label);
  writer.pushInteger(value);
}

/** `2024-05-09T21:16:33`: UTC, whole seconds, no zone letter (push-stream spec 5.4). */
export function formatStatisticsTime(sec: number): string {
  return new Date(sec * 1000).toISOString().slice(0, 19);
}
