/**
 * Documentation made from the option table: the commented file of `sluice defaults` and docs/options.md.
 * Called by cli/defaults.ts and by the test that holds the README to the table (style rule 34).
 */
import type { Option, TomlValue } from "./kinds.ts";
import {
  ALL_OPTIONS,
  ISSUER_PREFIX,
  LOCATION_PREFIX,
  MAP_PREFIX,
  SERVER_PREFIX,
  SHARED_PREFIX,
  STEP_PREFIX,
  UPSTREAM_PREFIX,
  WEBHOOK_PREFIX,
} from "./options.ts";

const COMMENT_WIDTH = 100;

interface Section {
  /** "" for the top of the file, else "store", "limits", "location[]". */
  readonly name: string;
  readonly options: readonly (readonly [key: string, option: Option])[];
}

/**
 * The embedded configuration, `embedded`, with every option explained: a TOML file that serves what `serve`
 * does without one. Options that it does not set have their default; those of a location, of which there are
 * many, are explained once, before the first.
 */
export function renderDefaults(embedded: string): string {
  const document = Bun.TOML.parse(embedded) as Document;
  const intro = comment(
    "The configuration that sluice serves when there is no file, with every option there is. Options " +
      "that stand in a comment are not set unless you set them; the value there is an example.",
  );
  const parts = sections().map((section) => defaultsSection(section, document));
  const locations = embedded.slice(firstLocation(embedded)).trimEnd();
  // Of servers only after the locations: what follows [[server]] would be part of it.
  const server = parts.pop() ?? "";
  return `${[intro, ...parts, locations, server].join("\n\n")}\n`;
}

type Document = Readonly<Record<string, TomlValue | Readonly<Record<string, TomlValue>>>>;

/** Where the comment before the first [[location]] begins. */
const firstLocation = (text: string): number =>
  /^(?:#.*\n)*\[\[location\]\]/m.exec(text)?.index ?? text.length;

/** Tables a file may have any number of: how they are written, and what to say of them. */
const LISTS: Readonly<Record<string, { readonly header: string; readonly intro: string }>> = {
  [LOCATION_PREFIX]: {
    header: "[[location]]",
    intro: "As many locations as you like, each with a match and one role. What one may say:",
  },
  [STEP_PREFIX]: {
    header: "[[location.step]]",
    intro:
      "Steps of the location they stand below, in order. A step may also set anew: channels_path, " +
      "store_messages, allow_connections_to_events_channel, last_received_message_time, " +
      "last_received_message_tag, last_event_id, add_header, expires, error_page, access_log, root, " +
      "gzip, subscriber, publisher.",
  },
  [MAP_PREFIX]: {
    header: "[[map]]",
    intro:
      "Variables that follow from others, evaluated when they are asked for. They stand at the top of " +
      "the file:",
  },
  [SHARED_PREFIX]: {
    header: "[shared.NAME]",
    intro:
      "Dictionaries that the handlers of all workers share, by the names they ask for " +
      "(docs/handlers.md). What one may say:",
  },
  [ISSUER_PREFIX]: {
    header: "[[issuer]]",
    intro:
      "Whose tokens are good, by the names that locations give in token_issuers (docs/access.md). What " +
      "one may say:",
  },
  [UPSTREAM_PREFIX]: {
    header: "[[upstream]]",
    intro:
      "Servers behind one name, for locations with proxy. Without one an address there is a server of " +
      "its own.",
  },
  [WEBHOOK_PREFIX]: {
    header: "[[webhook]]",
    intro:
      "Who is told of what happens, by signed POSTs (docs/webhooks.md). They stand at the top of the " +
      "file. What one may say:",
  },
  [SERVER_PREFIX]: {
    header: "[[server]]",
    intro:
      "Servers with addresses and names of their own. Their locations are [[server.location]], with " +
      "steps as [[server.location.step]]; their own steps are [[server.step]].",
  },
};

/** The values of the document, or a table that may stand there as a comment. */
function defaultsSection({ name, options }: Section, document: Document): string {
  const list = LISTS[`${name}.`];
  if (list === undefined) {
    const set = name === "" ? document : document[name];
    const entries = options.map(([key, option]) => entry(key, option, valueIn(set, key) ?? option.default));
    return [...(name === "" ? [] : [`[${name}]`]), ...entries].join("\n\n");
  }
  const entries = options.map(([key, option]) => entry(key, option, null));
  return [`${comment(list.intro)}\n# ${list.header}`, ...entries].join("\n\n");
}

function valueIn(set: unknown, key: string): TomlValue | undefined {
  if (set === null || typeof set !== "object") return undefined;
  return (set as Readonly<Record<string, TomlValue | undefined>>)[key];
}

function entry(key: string, option: Option, value: TomlValue | null): string {
  const unset = option.unset === undefined ? "" : ` Not set: ${option.unset}.`;
  const line = value === null ? `# ${key} = ${tomlText(option.example)}` : `${key} = ${tomlText(value)}`;
  return `${comment(option.doc + unset)}\n${line}`;
}

/** docs/options.md, whole: a markdown table for each section. */
export function renderReference(): string {
  return `${[REFERENCE_HEAD, ...sections().map(referenceSection)].join("\n\n")}\n`;
}

const REFERENCE_HEAD = `# Options

Generated from the option table (\`src/config/options/\`); after a change there: \`bun run tables\`.
Sizes are \`64MiB\`, \`512k\`; times are \`30s\`, \`1h30m\`, \`250ms\`; a bare number is bytes or seconds.
\`sluice defaults\` prints the embedded configuration with all of them. \`sluice check FILE\` reports all
faults of a file and of the handlers it names at once and exits with 2; what is probably a mistake (no
location, a \`root\` that is not there, an unknown \`~word~\` in a template) is a warning.

\`channels_path\` and the position options are complex values: text with \`$arg_name\`, \`$http_name\`,
\`$cookie_name\`, \`$1\` and named captures of the location's regex, \`$uri\`, \`$args\`, \`$host\`,
\`$remote_addr\` (of the client, through proxies that are trusted), \`$request_method\`. \`\${a|b}\` is the
first of the two that is not empty. Message templates know
\`~id~ ~channel~ ~text~ ~size~ ~time~ ~tag~ ~event-id~ ~event-type~\`.

A path means what it means to nginx: escapes are decoded (\`%2F\` is a slash), slashes in a row are one,
\`.\` and \`..\` are resolved. What a proxy in front might read differently is refused with 400: a backslash
or \`#\` that is not escaped, \`..\` above the root or behind an empty segment, and more than one empty
segment in a path of more than five. A rule of a proxy about a path therefore cannot be passed by another
spelling of it.`;

function referenceSection({ name, options }: Section): string {
  const title = name === "" ? "Top of the file" : `\`${LISTS[`${name}.`]?.header ?? `[${name}]`}\``;
  const rows = options.map(
    ([key, option]) => `| \`${key}\` | ${kindText(option)} | ${defaultText(option)} | ${cell(option.doc)} |`,
  );
  return [`## ${title}`, "", "| option | kind | default | meaning |", "|---|---|---|---|", ...rows].join(
    "\n",
  );
}

function kindText(option: Option): string {
  if (option.values !== undefined) return option.values.map((value) => `\`${value}\``).join(", ");
  const word = option.word === undefined ? "" : ` or \`"${option.word}"\``;
  return `${KIND_NAMES[option.kind]}${word}`;
}

const KIND_NAMES: Readonly<Record<Option["kind"], string>> = {
  string: "text",
  flag: "flag",
  integer: "number",
  size: "size",
  seconds: "time",
  milliseconds: "time",
  enum: "word",
  strings: "list",
  complex: "text with variables",
  keepalive: "flag or text",
};

function defaultText(option: Option): string {
  if (option.default !== null) return `\`${cell(tomlText(option.default))}\``;
  return option.required === true ? "required" : cell(option.unset ?? "");
}

/** A bar would end the table's cell. */
const cell = (text: string): string => text.replaceAll("|", "\\|");

/** The table cut where the part of the path before the key changes. */
function sections(): readonly Section[] {
  const byName = new Map<string, (readonly [string, Option])[]>();
  for (const [path, option] of ALL_OPTIONS) {
    const dot = path.lastIndexOf(".");
    const name = path.slice(0, Math.max(dot, 0));
    const list = byName.get(name) ?? [];
    list.push([path.slice(dot + 1), option]);
    byName.set(name, list);
  }
  return Array.from(byName, ([name, options]) => ({ name, options }));
}

/** A value as TOML. JSON's escapes are a subset of TOML's basic strings, so JSON does it. */
const tomlText = (value: TomlValue): string =>
  Array.isArray(value) ? `[${value.map(tomlText).join(", ")}]` : JSON.stringify(value);

function comment(text: string): string {
  const lines: string[] = [];
  let line = "#";
  for (const word of text.split(" ")) {
    if (line.length + word.length >= COMMENT_WIDTH) {
      lines.push(line);
      line = "#";
    }
    line += ` ${word}`;
  }
  return [...lines, line].join("\n");
}
