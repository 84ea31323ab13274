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
  readonly workers: readonly WorkerStatistics[];
}

/** Each method appends a whole answer body. */
export interface StatisticsFormat {
  readonly contentType: string;
  single(writer: ByteWriter, channel: ChannelStatistics): void;
  group(writer: ByteWriter, zone: ZoneStatistics, channels: ChannelList): void;
  summary(writer: ByteWriter, summary: SummaryStatistics): void;
}

/** `2024-05-09T21:16:33`: UTC, whole seconds, no zone letter (push-stream spec 5.4). */
export function formatStatisticsTime(sec: number): string {
  return new Date(sec * 1000).toISOString().slice(0, 19);
}
