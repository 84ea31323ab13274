/** The inputs of push-stream spec appendix A.1, and what a format makes of them as a binary string. */
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import type {
  ChannelStatistics,
  StatisticsFormat,
  SummaryStatistics,
  ZoneStatistics,
} from "../../src/wire/statistics.ts";
import { asLatin1, latin1 } from "./inputs.ts";

/** The appendix says `box1`: host names are shown in lower case. */
export const ZONE: ZoneStatistics = {
  hostname: "Box1",
  timeSec: 1715289393,
  channels: 2,
  wildcardChannels: 0,
  uptimeSec: 42,
};
export const A: ChannelStatistics = { name: latin1("A"), published: 1, stored: 2, subscribers: 3 };
export const B: ChannelStatistics = { name: latin1("B"), published: 4, stored: 5, subscribers: 6 };
export const SUMMARY: SummaryStatistics = {
  ...ZONE,
  published: 5,
  stored: 7,
  messagesInTrash: 8,
  channelsInDelete: 9,
  channelsInTrash: 10,
  subscribers: 11,
  workers: [
    { pid: 123, subscribers: 6, uptimeSec: 42 },
    { pid: 124, subscribers: 5, uptimeSec: 41 },
  ],
};

export function written(write: (writer: ByteWriter) => void): string {
  const writer = new ByteWriter(16);
  write(writer);
  return asLatin1(writer.view());
}

/** The single-channel body of a channel with this name, given and answered as binary strings. */
export const singleOf = (format: StatisticsFormat, name: string): string =>
  written((writer) => format.single(writer, { ...A, name: latin1(name) }));
