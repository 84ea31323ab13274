/** For the tests of translate*.ts: an nginx.conf as text, translated, with files from a table. */
import { formatFault } from "../../../src/config/fault.ts";
import { loadNginxDocument } from "../../../src/config/nginx/load.ts";
import type { Translation } from "../../../src/config/nginx/translate.ts";

export type Table = Readonly<Record<string, unknown>>;

/**
 * The text stands in /conf/nginx.conf. Files are given by absolute path; an Error is thrown when its file is
 * read.
 */
export function translate(text: string, files: Readonly<Record<string, string | Uint8Array | Error>> = {}) {
  return loadNginxDocument(text, "/conf/nginx.conf", {
    read: (path) => {
      const content = files[path] ?? Object.assign(new Error("ENOENT"), { code: "ENOENT" });
      if (content instanceof Error) throw content;
      return content;
    },
    glob: () => [],
  });
}

/** "line: sentence" of each fault. */
export const faultsOf = ({ faults }: Translation): readonly string[] =>
  faults.map((fault) => formatFault(fault).replace("/conf/nginx.conf:", ""));

/** The document of a text that must be without faults. */
export function documentOf(
  text: string,
  files: Readonly<Record<string, string | Uint8Array | Error>> = {},
): Table {
  const translation = translate(text, files);
  if (translation.faults.length > 0) throw new Error(faultsOf(translation).join("\n"));
  return translation.document;
}

/** What stands at "server.0.location.1.match". */
export function at(table: unknown, path: string): unknown {
  let value: unknown = table;
  for (const key of path.split(".")) value = (value as Table | undefined)?.[key];
  return value;
}

/** A good configuration with places for more: at http level, in the server, in its publisher location. */
export const withPush = (http = "", server = "", location = "") =>
  `http {
push_stream_shared_memory_size 32M;
${http}
server {
listen 127.0.0.1:9080;
${server}
location /pub {
push_stream_publisher admin; push_stream_channels_path $arg_id;
${location}
}
}
}
`;

/** The same for a subscriber location `~ /sub/(.*)`. */
export const withSubscriber = (location: string, http = "", role = "push_stream_subscriber") =>
  `http {
push_stream_shared_memory_size 32M;
${http}
server {
listen 127.0.0.1:9080;
location ~ /sub/(.*) {
${role}; push_stream_channels_path $1;
${location}
}
}
}
`;
