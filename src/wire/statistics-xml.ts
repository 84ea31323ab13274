/**
 * Statistics as XML 1.0 (push-stream spec 5.3-5.5, appendix A.1), with that dialect's indentation and line
 * ends. Chosen by statistics-format.ts. Channel ids are bytes, so whatever XML cannot carry is escaped or
 * becomes U+FFFD here.
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
import { sequenceLength } from "./utf8.ts";

const DECLARATION = '<?xml version="1.0" encoding="UTF-8" ?>\r\n';

const FIRST_PRINTABLE = 0x20;
const FIRST_NOT_ASCII = 0x80;

/** U+FFFD as UTF-8, one character a byte. */
const REPLACEMENT = "\xef\xbf\xbd";

/**
 * What stands for an ASCII character in text; absent = itself. A bare CR would be read as LF (XML 1.0, 2.11).
 */
const ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x26, "&amp;"],
  [0x3c, "&lt;"],
  [0x3e, "&gt;"],
  [0x22, "&quot;"],
  [0x0d, "&#13;"],
]);
const TAB = 0x09;
const LINE_FEED = 0x0a;

/** One empty line more than a channel of a group has. */
const single = (writer: ByteWriter, channel: ChannelStatistics): void => {
  writer.pushLatin1(DECLARATION);
  groupItem(writer, channel);
  writer.pushLatin1("\r\n");
};

const groupHead = (writer: ByteWriter, zone: ZoneStatistics): void => {
  writer.pushLatin1(`${DECLARATION}<root>\r\n`);
  pushZone(writer, zone);
  for (const [name, field] of ZONE_NUMBERS) pushElement(writer, name, zone[field]);
  writer.pushLatin1("  <infos>\r\n");
};

const groupItem = (writer: ByteWriter, channel: ChannelStatistics): void => {
  writer.pushLatin1("<channel>\r\n  <name>");
  pushText(writer, channel.name);
  pushNumber(writer, "</name>\r\n  <published_messages>", channel.published);
  pushNumber(writer, "</published_messages>\r\n  <stored_messages>", channel.stored);
  pushNumber(writer, "</stored_messages>\r\n  <subscribers>", channel.subscribers);
  writer.pushLatin1("</subscribers>\r\n</channel>\r\n");
};

const groupTail = (writer: ByteWriter): void => writer.pushLatin1("  </infos>\r\n</root>\r\n");

const summary = (writer: ByteWriter, totals: SummaryStatistics): void => {
  writer.pushLatin1(`${DECLARATION}<infos>\r\n`);
  pushZone(writer, totals);
  for (const [name, value] of summaryNumbers(totals)) pushElement(writer, name, value);
  writer.pushLatin1("  <by_worker>");
  for (const worker of totals.workers) pushWorker(writer, worker);
  writer.pushLatin1("</by_worker>\r\n</infos>\r\n");
};

const pushZone = (writer: ByteWriter, zone: ZoneStatistics): void => {
  writer.pushLatin1("  <hostname>");
  pushText(writer, hostnameBytes(zone));
  writer.pushLatin1(`</hostname>\r\n  <time>${formatStatisticsTime(zone.timeSec)}</time>\r\n`);
};

const pushWorker = (writer: ByteWriter, worker: WorkerStatistics): void => {
  writer.pushLatin1("<worker>\r\n");
  pushElement(writer, "pid", worker.pid);
  pushElement(writer, "subscribers", worker.subscribers);
  pushElement(writer, "uptime", worker.uptimeSec);
  writer.pushLatin1("</worker>\r\n");
};

const pushElement = (writer: ByteWriter, name: string, value: number): void => {
  pushNumber(writer, `  <${name}>`, value);
  writer.pushLatin1(`</${name}>\r\n`);
};

/** Bytes as character data: markup escaped; broken UTF-8 and what XML 1.0 2.2 forbids replaced. */
function pushText(writer: ByteWriter, bytes: Uint8Array): void {
  const end = bytes.length;
  let kept = 0;
  for (let at = 0; at < end; ) {
    const byte = bytes[at] ?? 0;
    const length = byte < FIRST_NOT_ASCII ? 1 : sequenceLength(bytes, at, end);
    const substitute = length < 0 ? REPLACEMENT : substituteOf(bytes, at, byte);
    if (substitute !== null) {
      writer.pushRange(bytes, kept, at - kept);
      writer.pushLatin1(substitute);
      kept = at + Math.abs(length);
    }
    at += Math.abs(length);
  }
  writer.pushRange(bytes, kept, end - kept);
}

/** What to write for the well-formed sequence at `at`; null: the sequence itself. */
const substituteOf = (bytes: Uint8Array, at: number, byte: number): string | null => {
  if (byte >= FIRST_NOT_ASCII) {
    // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
    const isForbidden = byte === 0xef && bytes[at + 1] === 0xbf && (bytes[at + 2] ?? 0) >= 0xbe;
    return isForbidden ? REPLACEMENT : null;
  }
  const escaped = ESCAPES.get(byte);
  if (escaped !== undefined) return escaped;
  return byte >= FIRST_PRINTABLE || byte === TAB || byte === LINE_FEED ? null : REPLACEMENT;
};

export const XML_STATISTICS: StatisticsParts = { single, summary, groupHead, groupItem, groupTail };
