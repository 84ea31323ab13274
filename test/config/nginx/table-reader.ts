/** Files of a test as a table; its globs know only `*`. */
import type { FileReader } from "../../../src/config/nginx/file-reader.ts";

export function tableReader(files: Readonly<Record<string, string | Uint8Array>> = {}): FileReader {
  return {
    read(path) {
      const content = files[path];
      if (content === undefined) throw Object.assign(new Error("not in the table"), { code: "ENOENT" });
      return content;
    },
    glob(pattern) {
      const star = pattern.indexOf("*");
      const [before, after] = [pattern.slice(0, star), pattern.slice(star + 1)];
      const middles = Object.keys(files).filter((path) => path.startsWith(before) && path.endsWith(after));
      return middles.filter((path) => !path.slice(before.length).includes("/")).sort();
    },
  };
}
