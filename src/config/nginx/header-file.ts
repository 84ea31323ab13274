/**
 * push_stream_header_template_file: the file's content as text, or the module's complaint (push-stream spec
 * 1.6, rows 13 and 14). Called by translate-values.ts.
 */
import { resolve } from "node:path";
import type { FileSource } from "./translate-values.ts";

export type HeaderOutcome = { readonly text: string } | { readonly sentence: string };

/** Failures of reading a file that could be opened; all others are told as "unable to open". */
const READ_FAILURES: readonly string[] = ["EISDIR", "EIO"];

export function readHeaderFile(path: string, { folder, readFile }: FileSource): HeaderOutcome {
  const whole = resolve(folder, path);
  let bytes: Uint8Array;
  try {
    bytes = readFile(whole);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = "code" in error ? String(error.code) : "";
    return {
      sentence: READ_FAILURES.includes(code)
        ? `unable to read data from file "${whole}" for header template`
        : `unable to open file "${whole}" for header template`,
    };
  }
  try {
    // A byte order mark is sent like any other byte.
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { sentence: `the file "${whole}" for header template is not UTF-8 text` };
  }
}
