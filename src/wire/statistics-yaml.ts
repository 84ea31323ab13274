/**
 * Statistics as YAML (push-stream spec 5.3-5.5, appendix A.1): block style, two spaces, CRLF. Chosen by
 * statistics-format.ts.
 */
import type { ByteWriter } from "./byte-writer.ts";
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
import { pushYamlScalar } from "./statistics-yaml-scalar.ts";

const single = (writer: ByteWriter, channel: ChannelStatistics): void => {
  pushChannel(writer, channel);
  writer.pushLatin1("\r\n");
};

/** At the margin, unlike the summary. */
const groupHead = (writer: ByteWriter, zone: ZoneStatistics): void => {
  pushZone(writer, zone, "");
  for (const [name, field] of ZONE_NUMBERS) pushNumber(writer, `\r\n${name}: `, zone[field]);
  writer.pushLatin1("\r\ninfos: \r\n");
};

const groupItem = (writer: ByteWriter, channel: ChannelStatistics, isFirst: boolean): void => {
  writer.pushLatin1(isFirst ? " -\r\n" : "\r\n -\r\n");
  pushChannel(writer, channel);
};

const groupTail = (writer: ByteWriter): void => writer.pushLatin1("\r\n");

const summary = (writer: ByteWriter, totals: SummaryStatistics): void => {
  pushZone(writer, totals, "  ");
  for (const [name, value] of summaryNumbers(totals)) pushNumber(writer, `\r\n  ${name}: `, value);
  writer.pushLatin1("\r\n  by_worker:\r\n");
  for (const [i, worker] of totals.workers.entries()) {
    writer.pushLatin1(i === 0 ? "   -\r\n" : "\r\n   -\r\n");
    pushWorker(writer, worker);
  }
  writer.pushLatin1("\r\n");
};

const pushChannel = (writer: ByteWriter, channel: ChannelStatistics): void => {
  writer.pushLatin1("  channel: ");
  pushYamlScalar(writer, channel.name);
  pushNumber(writer, "\r\n  published_messages: ", channel.published);
  pushNumber(writer, "\r\n  stored_messages: ", channel.stored);
  pushNumber(writer, "\r\n  subscribers: ", channel.subscribers);
};

const pushZone = (writer: ByteWriter, zone: ZoneStatistics, indent: string): void => {
  writer.pushLatin1(`${indent}hostname: `);
  pushYamlScalar(writer, hostnameBytes(zone));
  writer.pushLatin1(`\r\n${indent}time: ${formatStatisticsTime(zone.timeSec)}`);
};

const pushWorker = (writer: ByteWriter, worker: WorkerStatistics): void => {
  pushNumber(writer, "    pid: ", worker.pid);
  pushNumber(writer, "\r\n    subscribers: ", worker.subscribers);
  pushNumber(writer, "\r\n    uptime: ", worker.uptimeSec);
};

/** YAML goes by two names (push-stream spec 5.2), which differ in nothing but the Content-Type. */
export const YAML_STATISTICS: StatisticsParts = { single, summary, groupHead, groupItem, groupTail };
