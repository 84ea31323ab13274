/**
 * An nginx.conf from its text to a document: parsed, then translated. Called by config/load.ts when a file is one, and by
 * cli/convert.ts.
 */
import { dirname, resolve } from "node:path";
import { type Translation, translateNginx } from "./translate.ts";
import { diskReader, type FileReader, parseNginx } from "./tree.ts";

/**
 * Which kind a file is: by its name, and for other names by whether it is TOML. A file ending in .toml never is an nginx.conf,
 * so that a slip in one is told as what it is.
 */
export function isNginx(file: string, text: string): boolean {
  if (/\.(?:toml|conf)$/i.test(file)) return /\.conf$/i.test(file);
  try {
    Bun.TOML.parse(text);
    return false;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return true;
  }
}

/** `file` is the name as it was given: places of faults begin with it. A file that is not nginx syntax is only faults. */
export function loadNginxDocument(text: string, file: string, reader: FileReader = diskReader): Translation {
  const parsed = parseNginx(text, file, reader);
  if (parsed.ok) {
    return translateNginx(parsed.directives, {
      folder: dirname(resolve(file)),
      readFile: (path) => {
        const content = reader.read(path);
        return typeof content === "string" ? new TextEncoder().encode(content) : content;
      },
    });
  }
  const faults = parsed.faults.map(({ file: place, line, sentence }) => ({
    place: `${place}:${line}`,
    path: "",
    value: "",
    sentence,
  }));
  return { document: {}, faults, ignored: [], notices: [], lineOf: () => null };
}

/** What is to be told of a translation beside its faults, a line each: notices, and what was left out. */
export function translationNotes({ ignored, notices }: Translation): readonly string[] {
  const names = ignored.map(({ name, file, line }) => `${name} (${file}:${line})`);
  return [
    ...notices,
    ...(names.length === 0 ? [] : [`left out, as it changes nothing here: ${names.join(", ")}`]),
  ];
}
