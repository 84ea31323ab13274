/**
 * `sluice convert FILE`: prints the configuration in TOML that means what the nginx.conf means, with a
 * comment for each server, location and step that tells where it comes from. Nothing is printed when
 * something could not be translated.
 */
import { readFileSync } from "node:fs";
import { formatFault } from "../config/fault.ts";
import { checkNginx, translationNotes } from "../config/nginx/load.ts";
import { commentText, documentToToml } from "../config/nginx/print-toml.ts";
import { waysFor } from "../config/nginx/ways.ts";
import { convertKeepCommand } from "./convert-keep.ts";
import { ExitCode, usageFault } from "./failure.ts";
import { writeNote, writeOut } from "./output.ts";

/** Tables whose origin is worth a comment; the others are made of many places. */
const HAS_ORIGIN = /(?:server|location|step)\[\d+\]$/;

export interface ConvertOptions {
  readonly keepNginx?: true;
  readonly foreign?: string;
  /** For keepNginx. */
  readonly out?: string;
  readonly address?: string;
}

/**
 * Prints TOML to stdout, or every fault on a line of its own to stderr. Returns the exit code: 0, or 2 for
 * faults.
 */
export function convertCommand(
  file: string,
  { keepNginx, foreign, out, address = "" }: ConvertOptions = {},
): number {
  if (keepNginx === true) {
    if (out === undefined) throw usageFault("--keep-nginx needs --out FOLDER.");
    return convertKeepCommand(file, { out, address });
  }
  if (out !== undefined) throw usageFault("--out is for --keep-nginx.");
  if (file.endsWith(".toml")) throw usageFault(`${file} is TOML already.`);
  const text = readText(file);
  if (foreign !== undefined && !/^[2-5]\d\d$/.test(foreign))
    throw usageFault(`--foreign ${foreign}: it is a status between 200 and 599, such as 404.`);
  const options = { foreign: foreign === undefined ? null : Number(foreign), nchan: true };
  const { translation, faults } = checkNginx(text, file, options);
  const { document, lineOf } = translation;
  const placeOf = (path: string): string | null => {
    const place = lineOf(path);
    return place === null ? null : `${place.file}:${place.line}`;
  };
  if (faults.length > 0) {
    for (const fault of faults) writeNote(`${formatFault(fault)}\n`);
    writeNote(`${file}: ${faults.length} fault${faults.length === 1 ? "" : "s"}\n`);
    if (foreign === undefined) for (const line of waysFor(text, file, faults)) writeNote(`${line}\n`);
    return ExitCode.USAGE;
  }
  const head = [`Converted from ${file}. Paths are absolute.`, ...translationNotes(translation)];
  const toml = documentToToml(document, (path) => (HAS_ORIGIN.test(path) ? placeOf(path) : null));
  writeOut(`${head.map(commentText).join("\n#\n")}\n\n${toml}`);
  return ExitCode.OK;
}

function readText(file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const why = error instanceof TypeError ? "it is not UTF-8 text" : error.message;
    throw usageFault(`${file}: cannot be read: ${why}.`);
  }
}
