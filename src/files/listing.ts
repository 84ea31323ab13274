/**
 * nginx's autoindex: what lies in a folder, as a page or as JSON. Called by endpoint.ts for folders without
 * an index. Names that begin with a dot are left out, as they are not served; what vanishes meanwhile is left
 * out, too.
 */
import { readdirSync, type Stats, statSync } from "node:fs";
import type { ListingConfig } from "../config/model/answers.ts";

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
  readonly size: number;
  readonly mtime: Date;
}

/** Names are cut off here, as nginx does. */
const NAME_WIDTH = 50;
const SIZE_WIDTH = 19;
/** A folder with more is not one that somebody reads. */
const MOST_ENTRIES = 10_000;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const KIBI = 1024;

export interface Listed {
  readonly text: string;
  readonly contentType: string;
}

/** `path` is that of the request, decoded, as text. Throws when the folder cannot be read. */
export function listFolder(folder: string, path: string, config: ListingConfig): Listed {
  const entries = entriesOf(folder);
  return config.format === "json"
    ? { text: jsonListing(entries), contentType: "application/json" }
    : { text: htmlListing(entries, path, config), contentType: "text/html" };
}

function entriesOf(folder: string): readonly Entry[] {
  const names = readdirSync(folder).filter((name) => !name.startsWith("."));
  return names
    .slice(0, MOST_ENTRIES)
    .flatMap((name) => {
      const stat = statOf(`${folder}/${name}`);
      return stat === null
        ? []
        : [{ name, isFolder: stat.isDirectory(), size: stat.size, mtime: stat.mtime }];
    })
    .toSorted(foldersFirst);
}

const statOf = (path: string): Stats | null => {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? null;
  } catch (error) {
    // A link in a circle, a folder nobody may look into.
    if (error instanceof Error && "code" in error) return null;
    throw error;
  }
};

const foldersFirst = (left: Entry, right: Entry): number =>
  Number(right.isFolder) - Number(left.isFolder) ||
  Buffer.compare(Buffer.from(left.name), Buffer.from(right.name));

function jsonListing(entries: readonly Entry[]): string {
  const lines = entries.map(
    ({ name, isFolder, size, mtime }) =>
      `{ "name":${JSON.stringify(name)}, "type":"${isFolder ? "directory" : "file"}", ` +
      `"mtime":"${mtime.toUTCString()}"${isFolder ? "" : `, "size":${size}`} }`,
  );
  return `[\r\n${lines.join(",\r\n")}\r\n]`;
}

function htmlListing(entries: readonly Entry[], path: string, config: ListingConfig): string {
  const title = `Index of ${escapeHtml(path)}`;
  const rows = entries.map((entry) => row(entry, config));
  return (
    `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<h1>${title}</h1><hr><pre><a ` +
    `href="../">../</a>\r\n` +
    `${rows.join("")}</pre><hr></body>\r\n</html>\r\n`
  );
}

function row({ name, isFolder, size, mtime }: Entry, { exactSize, localTime }: ListingConfig): string {
  const shown = isFolder ? `${name}/` : name;
  const characters = [...shown];
  const cut = characters.length > NAME_WIDTH ? `${characters.slice(0, NAME_WIDTH - 3).join("")}..>` : shown;
  const gap = " ".repeat(Math.max(0, NAME_WIDTH - [...cut].length));
  const sizeText = isFolder ? "-" : exactSize ? String(size) : rounded(size);
  const href = encodeURIComponent(name) + (isFolder ? "/" : "");
  return (
    `<a href="${href}">${escapeHtml(cut)}</a>${gap} ${dateText(mtime, localTime)} ` +
    `${sizeText.padStart(exactSize ? SIZE_WIDTH : 7)}\r\n`
  );
}

function rounded(size: number): string {
  const units = ["", "K", "M", "G"];
  let unit = 0;
  let value = size;
  // nginx shows bytes up to 9999.
  if (value > 9999) {
    do {
      value = Math.round(value / KIBI);
      unit++;
    } while (value > 9999 && unit < units.length - 1);
  }
  return `${value}${units[unit]}`;
}

function dateText(date: Date, isLocal: boolean): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  const [day, month, year, hour, minute] = isLocal
    ? [date.getDate(), date.getMonth(), date.getFullYear(), date.getHours(), date.getMinutes()]
    : [
        date.getUTCDate(),
        date.getUTCMonth(),
        date.getUTCFullYear(),
        date.getUTCHours(),
        date.getUTCMinutes(),
      ];
  return `${two(day)}-${MONTHS[month]}-${year} ${two(hour)}:${two(minute)}`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? "");
