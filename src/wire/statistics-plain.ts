/**
 * Statistics as plain text for people and shell scripts, line by line (push-stream spec 5.3-5.5, appendix
 * A.1). Chosen by statistics-format.ts. The last line of a channel has another name than in the other
 * formats: `active_subscribers`.
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

const FIRST_PRINTABLE = 0x20;
const DELETE = 0x7f;

const single = (writer: ByteWriter, channel: ChannelStatistics): void => {
  pushChannel(writer, channel);
  writer.pushLatin1("\r\n");
};

/** All on one line, unlike the summary. */
const groupHead = (writer: ByteWriter, zone: ZoneStatistics): void => {
  pushZone(writer, zone, ", ");
  for (const [name, field] of ZONE_NUMBERS) pushNumber(writer, `, ${name}: `, zone[field]);
  writer.pushLatin1(", infos: \r\n");
};

const groupItem = (writer: ByteWriter, channel: ChannelStatistics, isFirst: boolean): void => {
  if (!isFirst) writer.pushLatin1(",\r\n");
  pushChannel(writer, channel);
};

const groupTail = (writer: ByteWriter): void => writer.pushLatin1("\r\n");

const summary = (writer: ByteWriter, totals: SummaryStatistics): void => {
  pushZone(writer, totals, "\r\n");
  for (const [name, value] of summaryNumbers(totals)) pushNumber(writer, `\r\n${name}: `, value);
  writer.pushLatin1("\r\nby_worker:\r\n");
  for (const [i, worker] of totals.workers.entries()) {
    if (i > 0) writer.pushLatin1(",\r\n");
    pushWorker(writer, worker);
  }
  writer.pushLatin1("\r\n");
};

const pushChannel = (writer: ByteWriter, channel: ChannelStatistics): void => {
  writer.pushLatin1("channel: ");
  pushText(writer, channel.name);
  pushNumber(writer, "\r\npublished_messages: ", channel.published);
  pushNumber(writer, "\r\nstored_messages: ", channel.stored);
  pushNumber(writer, "\r\nactive_subscribers: ", channel.subscribers);
};

const pushZone = (writer: ByteWriter, zone: ZoneStatistics, separator: string): void => {
  writer.pushLatin1("hostname: ");
  pushText(writer, hostnameBytes(zone));
  writer.pushLatin1(`${separator}time: ${formatStatisticsTime(zone.timeSec)}`);
};

const pushWorker = (writer: ByteWriter, worker: WorkerStatistics): void => {
  pushNumber(writer, "  pid: ", worker.pid);
  pushNumber(writer, "\r\n  subscribers: ", worker.subscribers);
  pushNumber(writer, "\r\n  uptime: ", worker.uptimeSec);
};

/**
 * Bytes as they are, but control characters as JSON spells them: an id can neither forge a line nor send
 * commands to the terminal that shows the answer. Backslashes stay single, because plain text has no escapes
 * that a reader would undo.
 */
function pushText(writer: ByteWriter, bytes: Uint8Array): void {
  let kept = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= FIRST_PRINTABLE && byte !== DELETE) continue;
    writer.pushRange(bytes, kept, at - kept);
    writer.pushLatin1(byte === DELETE ? "\\u007f" : JSON.stringify(String.fromCharCode(byte)).slice(1, -1));
    kept = at + 1;
  }
  writer.pushRange(bytes, kept, bytes.length - kept);
}

export const PLAIN_STATISTICS: StatisticsParts = { single, summary, groupHead, groupItem, groupTail };
