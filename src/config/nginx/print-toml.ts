/**
 * A document as TOML text that Bun's parser reads back to an equal document. Called by cli/convert.ts.
 *
 * Tables print as their values, then `[name]`, then `[[name]]`, which is the order TOML needs: a value after
 * a table header would belong to that table.
 */
type Table = Readonly<Record<string, unknown>>;

/** Told the path of a table ("server[0].location[2]") it may give a comment that stands above it. */
export type Comments = (path: string) => string | null;

const LINE_WIDTH = 100;

/**
 * Values may be texts, numbers, booleans, lists of those, tables and lists of tables. Throws on anything
 * else.
 */
export function documentToToml(document: Table, comments: Comments = () => null): string {
  const blocks = tableBlocks(document, "", "", comments);
  return `${blocks.filter((block) => block !== "").join("\n\n")}\n`;
}

/** `name` as in headers ("server.location"), `path` with indexes. */
function tableBlocks(table: Table, name: string, path: string, comments: Comments): readonly string[] {
  const values: string[] = [];
  const inner: string[] = [];
  for (const [key, value] of Object.entries(table)) {
    const innerName = name === "" ? keyText(key) : `${name}.${keyText(key)}`;
    const innerPath = path === "" ? key : `${path}.${key}`;
    if (isTable(value)) inner.push(...headed(`[${innerName}]`, value, innerName, innerPath, comments));
    else if (isTableList(value))
      value.forEach((item, i) => {
        inner.push(...headed(`[[${innerName}]]`, item, innerName, `${innerPath}[${i}]`, comments));
      });
    else values.push(`${keyText(key)} = ${valueText(value)}`);
  }
  return [values.join("\n"), ...inner];
}

function headed(
  header: string,
  table: Table,
  name: string,
  path: string,
  comments: Comments,
): readonly string[] {
  const [values = "", ...inner] = tableBlocks(table, name, path, comments);
  const comment = comments(path);
  const lines = [
    ...(comment === null ? [] : [commentText(comment)]),
    header,
    ...(values === "" ? [] : [values]),
  ];
  return [lines.join("\n"), ...inner];
}

/** Each line of a text behind "# ". */
export const commentText = (text: string): string =>
  text
    .split("\n")
    // Control characters are not allowed in comments.
    .map((line) => `# ${line.replace(/\p{Cc}/gu, "?")}`.trimEnd())
    .join("\n");

const isTable = (value: unknown): value is Table =>
  value !== null && typeof value === "object" && !Array.isArray(value);

const isTableList = (value: unknown): value is readonly Table[] =>
  Array.isArray(value) && value.length > 0 && value.every(isTable);

const keyText = (key: string): string => (/^[\w-]+$/.test(key) ? key : stringText(key));

function valueText(value: unknown): string {
  if (typeof value === "string") return stringText(value);
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  if (!Array.isArray(value)) throw new Error(`a document has no value like ${String(value)}`);
  const items = value.map(valueText);
  const line = `[${items.join(", ")}]`;
  return line.length <= LINE_WIDTH ? line : `[\n${items.map((item) => `  ${item},\n`).join("")}]`;
}

/** A basic string: JSON's escapes are TOML's, except that TOML wants DEL escaped as well. */
const stringText = (text: string): string => JSON.stringify(text).replaceAll("\x7f", "\\u007f");
