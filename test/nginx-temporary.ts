/**
 * Where an nginx that a test or a bench starts keeps what it cannot hold in memory: in its own folder, since
 * the one it was built with belongs to the machine's nginx. Used by test/proxies, test/fuzz and bench.
 */
const KINDS = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/** Directives for its `http` block. */
export const temporaryPaths = (folder: string): string =>
  KINDS.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ");
