/**
 * What `include` brings in: which files a path means, and their texts. Called by tree.ts for each `include`
 * of a file and for the main file. Paths are relative to the folder of the main file, as nginx's are, not to
 * the including file.
 */
import { dirname, resolve } from "node:path";
import type { FileReader } from "./file-reader.ts";
import { isPattern } from "./glob.ts";

/**
 * A text of JavaScript characters, or one of bytes (a character a byte) when the file as a whole is not valid
 * UTF-8.
 */
export interface SourceText {
  readonly text: string;
  readonly bytes: boolean;
  /** What it counts for in the limit on all files. */
  readonly size: number;
}

export type ReadOutcome =
  | { readonly ok: true; readonly source: SourceText }
  | { readonly ok: false; readonly sentence: string };

const BYTE_ORDER_MARK = "\uFEFF";

/** The numbers and texts of errno that nginx prints. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "2: No such file or directory",
  EACCES: "13: Permission denied",
  ENOTDIR: "20: Not a directory",
  EISDIR: "21: Is a directory",
  EMFILE: "24: Too many open files",
  ENAMETOOLONG: "36: File name too long",
  ELOOP: "40: Too many levels of symbolic links",
};

/**
 * The files of one `include`, absolute: one for a plain path, whether it exists or not; any number for a
 * pattern.
 */
export function includedPaths(target: string, mainFile: string, reader: FileReader): readonly string[] {
  const path = resolve(dirname(mainFile), target);
  return isPattern(path) ? reader.glob(path) : [path];
}

/** Reads a file whole; the sentence of a failure is nginx's. */
export function readSource(path: string, reader: FileReader): ReadOutcome {
  try {
    const content = reader.read(path);
    return {
      ok: true,
      source: typeof content === "string" ? textSource(content) : byteSource(content),
    };
  } catch (error) {
    return { ok: false, sentence: failureSentence(path, error) };
  }
}

/** A text that came as a string. */
export const textSource = (text: string): SourceText => ({
  text: text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text,
  bytes: false,
  size: text.length,
});

/**
 * Comments in an old encoding harm nobody, so bytes that are not UTF-8 do not condemn a file here: it is read
 * byte by byte, and only a word with such bytes is a fault (wordFromBytes).
 */
function byteSource(content: Uint8Array): SourceText {
  const size = content.length;
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(content), bytes: false, size };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const text = Buffer.from(content).toString("latin1");
    return { text: text.startsWith("\xEF\xBB\xBF") ? text.slice(3) : text, bytes: true, size };
  }
}

/** The characters of a word of a `bytes` text; null when it is not UTF-8. */
export function wordFromBytes(word: string): string | null {
  try {
    // ignoreBOM keeps U+FEFF inside a word; only the file's own mark is dropped.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(word, "latin1"));
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

function failureSentence(path: string, error: unknown): string {
  if (!(error instanceof Error)) throw error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (code === "EISDIR") return `pread() "${path}" failed (${REASONS[code]})`;
  const reason = Object.hasOwn(REASONS, code) ? REASONS[code] : code || error.message;
  return `open() "${path}" failed (${reason})`;
}
