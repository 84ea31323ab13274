/**
 * Statistics as JSON, with the spaces and line ends clients compare (push-stream spec 5.3-5.5, appendix A.1).
 * Written by hand rather than with JSON.stringify for those bytes, and because 20,000 channels go straight
 * from name bytes into the answer.
 */
import type { ByteWriter } from "./byte-writer.ts";
import { pushJsonString } from "./json-string.ts";
import {
  type ChannelList,
  type ChannelStatistics,
  formatStatisticsTime,
  type StatisticsFormat,
  type SummaryStatistics,
  type WorkerStatistics,
  type ZoneStatistics,
} from "./statistics.ts";

const encoder = new TextEncoder();

/** JSON goes by two names (push-stream spec 5.2), which differ in nothing but the Content-Type. */
export function jsonStatistics(contentType: string): StatisticsFormat {
  return { contentType, single, group, summary };
}

const single = (writer: ByteWriter, channel: ChannelStatistics): void => {
  pushChannel(writer, channel);
  writer.pushLatin1("\r\n");
};

const group = (writer: ByteWriter, zone: ZoneStatistics, channels: ChannelList): void => {
  pushZone(writer, zone);
  pushNumber(writer, ', "uptime": ', zone.uptimeSec);
  writer.pushLatin1(', "infos": [\r\n');
  const start = writer.length;
  channels.forEach((channel) => {
    if (writer.length > start) writer.pushLatin1(",\r\n");
    pushChannel(writer, channel);
  });
  if (writer.length > start) writer.pushLatin1("\r\n");
  writer.pushLatin1("]}\r\n");
};

const summary = (writer: ByteWriter, totals: SummaryStatistics): void => {
  pushZone(writer, totals);
  pushNumber(writer, ', "published_messages": ', totals.published);
  pushNumber(writer, ', "stored_messages": ', totals.stored);
  pushNumber(writer, ', "messages_in_trash": ', totals.messagesInTrash);
  pushNumber(writer, ', "channels_in_delete": ', totals.channelsInDelete);
  pushNumber(writer, ', "channels_in_trash": ', totals.channelsInTrash);
  pushNumber(writer, ', "subscribers": ', totals.subscribers);
  pushNumber(writer, ', "uptime": ', totals.uptimeSec);
  writer.pushLatin1(', "by_worker": [\r\n');
  const start = writer.length;
  for (const worker of totals.workers) {
    if (writer.length > start) writer.pushLatin1(",\r\n");
    pushWorker(writer, worker);
  }
  if (writer.length > start) writer.pushLatin1("\r\n");
  writer.pushLatin1("]}\r\n");
};

const pushChannel = (writer: ByteWriter, channel: ChannelStatistics): void => {
  writer.pushLatin1('{"channel": ');
  pushJsonString(writer, channel.name, 0, channel.name.length);
  pushNumber(writer, ', "published_messages": ', channel.published);
  pushNumber(writer, ', "stored_messages": ', channel.stored);
  pushNumber(writer, ', "subscribers": ', channel.subscribers);
  writer.pushLatin1("}");
};

/** What group and summary start with. Host names are lower case (push-stream spec 5.4). */
const pushZone = (writer: ByteWriter, zone: ZoneStatistics): void => {
  const hostname = encoder.encode(zone.hostname.toLowerCase());
  writer.pushLatin1('{"hostname": ');
  pushJsonString(writer, hostname, 0, hostname.length);
  writer.pushLatin1(`, "time": "${formatStatisticsTime(zone.timeSec)}"`);
  pushNumber(writer, ', "channels": ', zone.channels);
  pushNumber(writer, ', "wildcard_channels": ', zone.wildcardChannels);
};

/** The pid is quoted, alone of all numbers (push-stream spec 5.5). */
const pushWorker = (writer: ByteWriter, worker: WorkerStatistics): void => {
  pushNumber(writer, '{"pid": "', worker.pid);
  pushNumber(writer, '", "subscribers": ', worker.subscribers);
  pushNumber(writer, ', "uptime": ', worker.uptimeSec);
  writer.pushLatin1("}");
};

const pushNumber = (writer: ByteWriter, label: string, value: number): void => {
  writer.pushLatin1(label);
  writer.pushInteger(value);
};
