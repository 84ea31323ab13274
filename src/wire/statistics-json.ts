/**
 * Statistics as JSON, with the spaces and line ends clients compare (push-stream spec 5.3-5.5, appendix A.1).
 * Written by hand rather than with JSON.stringify for those bytes, and because 20,000 channels go straight
 * from name bytes into the answer.
 */
import type { ByteWriter } from "./byte-writer.ts";
import { pushJsonString } from "./json-string.ts";
import {
  type ChannelStatistics,
  formatStatisticsTime,
  hostnameBytes,
  pushNumber,
  type StatisticsParts,
  type SummaryStatistics,
  summaryNumbers,
  type WorkerStatistics,
  ZONE_NUMBERS,
  type ZoneStatistics,
} from "./statistics.ts";

const single = (writer: ByteWriter, channel: ChannelStatistics): void => {
  pushChannel(writer, channel);
  writer.pushLatin1("\r\n");
};

const groupHead = (writer: ByteWriter, zone: ZoneStatistics): void => {
  pushZone(writer, zone);
  for (const [name, field] of ZONE_NUMBERS) pushNumber(writer, `, "${name}": `, zone[field]);
  writer.pushLatin1(', "infos": [\r\n');
};

const groupItem = (writer: ByteWriter, channel: ChannelStatistics, isFirst: boolean): void => {
  if (!isFirst) writer.pushLatin1(",\r\n");
  pushChannel(writer, channel);
};

const groupTail = (writer: ByteWriter, isEmpty: boolean): void => {
  writer.pushLatin1(isEmpty ? "]}\r\n" : "\r\n]}\r\n");
};

const summary = (writer: ByteWriter, totals: SummaryStatistics): void => {
  pushZone(writer, totals);
  for (const [name, value] of summaryNumbers(totals)) pushNumber(writer, `, "${name}": `, value);
  writer.pushLatin1(', "by_worker": [\r\n');
  const start = writer.length;
  for (const worker of totals.workers) {
    if (writer.length > start) writer.pushLatin1(",\r\n");
    pushWorker(writer, worker);
  }
  groupTail(writer, writer.length === start);
};

const pushChannel = (writer: ByteWriter, channel: ChannelStatistics): void => {
  writer.pushLatin1('{"channel": ');
  pushJsonString(writer, channel.name, 0, channel.name.length);
  pushNumber(writer, ', "published_messages": ', channel.published);
  pushNumber(writer, ', "stored_messages": ', channel.stored);
  pushNumber(writer, ', "subscribers": ', channel.subscribers);
  if (channel.members !== undefined) pushNumber(writer, ', "members": ', channel.members);
  writer.pushLatin1("}");
};

/** What group and summary start with. */
const pushZone = (writer: ByteWriter, zone: ZoneStatistics): void => {
  const hostname = hostnameBytes(zone);
  writer.pushLatin1('{"hostname": ');
  pushJsonString(writer, hostname, 0, hostname.length);
  writer.pushLatin1(`, "time": "${formatStatisticsTime(zone.timeSec)}"`);
};

/** The pid is quoted, alone of all numbers (push-stream spec 5.5). */
const pushWorker = (writer: ByteWriter, worker: WorkerStatistics): void => {
  pushNumber(writer, '{"pid": "', worker.pid);
  pushNumber(writer, '", "subscribers": ', worker.subscribers);
  pushNumber(writer, ', "uptime": ', worker.uptimeSec);
  writer.pushLatin1("}");
};

/** JSON goes by two names (push-stream spec 5.2), which differ in nothing but the Content-Type. */
export const JSON_STATISTICS: StatisticsParts = { single, summary, groupHead, groupItem, groupTail };
