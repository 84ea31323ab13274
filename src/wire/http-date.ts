/**
 * HTTP dates (RFC 9110 5.6.7): written as RFC 1123 text, read in all three formats. Used for `~time~`,
 * Last-Modified and the position a client sends in If-Modified-Since (push-stream spec 4.7).
 *
 * Read by hand, not with Date.parse (which takes anything, in local time) nor with a regular expression
 * (client input).
 */
import { ByteWriter } from "./byte-writer.ts";

/** Fri, 31 Dec 9999 23:59:59 GMT: the last second whose year has four digits. */
const LAST_SECOND = 253402300799;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_ABBREVIATION_LENGTH = 3;

const cached = new ByteWriter(32);
let cachedSec = Number.NaN;

/** `Thu, 01 Jan 1970 00:00:00 GMT`, always 29 characters; seconds outside 1970..9999 are clamped. */
export function formatHttpDate(sec: number): string {
  const clamped = Math.min(Math.max(sec, 0), LAST_SECOND);
  return new Date(clamped * 1000).toUTCString();
}

/**
 * Writes the same 29 bytes. Messages of one second follow each other, so the last second's bytes are kept.
 */
export function pushHttpDate(writer: ByteWriter, sec: number): void {
  if (sec !== cachedSec) {
    cached.reset();
    cached.pushLatin1(formatHttpDate(sec));
    cachedSec = sec;
  }
  writer.pushRange(cached.bytes, 0, cached.length);
}

/**
 * Seconds since 1970 (below zero before it) of an RFC 1123, RFC 850 or asctime date; null for anything else.
 * The name of the day is not checked, zone text is ignored and taken as GMT, one-digit days are accepted
 * (push-stream spec 4.7, 12.3).
 */
export function parseHttpDate(text: string): number | null {
  const comma = text.indexOf(",");
  const scan = new DateScanner(text);
  const fields = comma >= 0 ? scan.commaDate(comma + 1) : scan.asctimeDate();
  return fields === null ? null : secondsOf(fields);
}

interface DateFields {
  day: number;
  /** 0..11 */
  month: number;
  year: number;
  secondOfDay: number;
}

/** Walks over one date; each step moves `at` or reports -1/null. No step looks at a character twice. */
class DateScanner {
  readonly text: string;
  at: number;

  constructor(text: string) {
    this.text = text;
    this.at = 0;
  }

  /** `Tue, 10 Nov 2002 23:50:13 GMT` or `Tuesday, 10-Dec-02 23:50:13 GMT`, from behind the comma. */
  commaDate(start: number): DateFields | null {
    this.at = start;
    this.#spaces();
    const day = this.#number(1, 2);
    const dashed = this.text[this.at] === "-";
    const separator = dashed ? "-" : " ";
    if (day < 0 || !this.#literal(separator)) return null;
    const month = this.#month();
    if (month < 0 || !this.#literal(separator)) return null;
    const year = dashed ? fullYear(this.#number(2, 2)) : this.#number(4, 4);
    if (year < 0 || !this.#literal(" ")) return null;
    const secondOfDay = this.#clock();
    return secondOfDay < 0 ? null : { day, month, year, secondOfDay };
  }

  /** `Tue Dec 10 23:50:13 2002`, `Tue Dec  1 …`. */
  asctimeDate(): DateFields | null {
    this.at = DAY_ABBREVIATION_LENGTH;
    if (!this.#literal(" ")) return null;
    const month = this.#month();
    if (month < 0 || !this.#literal(" ")) return null;
    this.#spaces();
    const day = this.#number(1, 2);
    if (day < 0 || !this.#literal(" ")) return null;
    const secondOfDay = this.#clock();
    if (secondOfDay < 0 || !this.#literal(" ")) return null;
    const year = this.#number(4, 4);
    return year < 0 ? null : { day, month, year, secondOfDay };
  }

  #spaces(): void {
    while (this.text[this.at] === " ") this.at++;
  }

  #literal(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  /** A run of `least`..`most` digits that no further digit follows; -1 if there is none. */
  #number(least: number, most: number): number {
    const start = this.at;
    let value = 0;
    for (let digit = this.#digit(); digit >= 0; digit = this.#digit()) {
      if (this.at - start === most) return -1;
      value = value * 10 + digit;
      this.at++;
    }
    return this.at - start < least ? -1 : value;
  }

  #digit(): number {
    const digit = this.text.charCodeAt(this.at) - 0x30;
    return digit >= 0 && digit <= 9 ? digit : -1;
  }

  #month(): number {
    const month = MONTHS.indexOf(this.text.slice(this.at, this.at + 3));
    this.at += 3;
    return month;
  }

  /** `23:50:13` as a second of the day; -1 if it is none. */
  #clock(): number {
    const hour = this.#number(2, 2);
    if (hour < 0 || hour > 23 || !this.#literal(":")) return -1;
    const minute = this.#number(2, 2);
    if (minute < 0 || minute > 59 || !this.#literal(":")) return -1;
    const second = this.#number(2, 2);
    return second < 0 || second > 59 ? -1 : hour * 3600 + minute * 60 + second;
  }
}

/** RFC 850 years have two digits: 70..99 are 19xx, the rest 20xx, as nginx reads them. */
const fullYear = (twoDigits: number): number =>
  twoDigits < 0 ? -1 : twoDigits < 70 ? 2000 + twoDigits : 1900 + twoDigits;

/** null when the month has no such day. setUTCFullYear, because Date.UTC takes the years 0..99 for 19xx. */
const secondsOf = (fields: DateFields): number | null => {
  const date = new Date(0);
  date.setUTCFullYear(fields.year, fields.month, fields.day);
  if (date.getUTCDate() !== fields.day || date.getUTCMonth() !== fields.month) return null;
  return date.getTime() / 1000 + fields.secondOfDay;
};
