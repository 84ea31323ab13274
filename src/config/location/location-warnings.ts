/**
 * What in a location is allowed, and probably a mistake: told by `check` and in the log at a start, and no
 * reason not to serve. A folder may be mounted later, a text may want to have a ~word~ in it. Called by
 * document.ts.
 */
import { statSync } from "node:fs";
import type { Issue } from "../fault.ts";
import { LOCATION_PREFIX } from "../options.ts";
import { nearestName } from "../suggestion.ts";

type Table = Readonly<Record<string, unknown>>;

/** Those of wire/template.ts, which is out of reach here; a test compares the two. */
export const TEMPLATE_WORDS = ["id", "channel", "text", "size", "time", "tag", "event-id", "event-type"];
const WORD = /~([a-z][a-z_-]{0,30})~/gi;
const FIXED_TEXTS = ["header_template", "footer_template"] as const;

/** `written` is the table as it stands in the file, `values` what was read of it, by path. */
export function locationWarnings(written: Table, values: Table): readonly Issue[] {
  const valueAt = (key: string): unknown => values[LOCATION_PREFIX + key];
  return [
    ...templateWarnings(valueAt),
    ...roleWarnings(written, valueAt),
    ...folderWarnings(valueAt),
    ...userFileWarnings(valueAt("auth_basic_user_file")),
  ];
}

/** No words and no `$` in it: a text that is meant. */
function templateWarnings(valueAt: (key: string) => unknown): readonly Issue[] {
  const issues: Issue[] = [];
  const template = valueAt("message_template");
  // In ~text~size~id~ the middle one is no word: what is one is taken out first, as it is when it is served.
  const known = new RegExp(`~(?:${TEMPLATE_WORDS.join("|")})~`, "gi");
  const rest = typeof template === "string" ? template.replace(known, "\n") : "";
  for (const [word, name = ""] of rest.matchAll(WORD)) {
    const nearest = nearestName(name.toLowerCase().replaceAll("_", "-"), TEMPLATE_WORDS);
    const hint =
      nearest === null ? `there are ~${TEMPLATE_WORDS.join("~ ~")}~.` : `did you mean ~${nearest}~?`;
    const sentence = `${word} is no word of a template and is sent as it stands, ${hint}`;
    issues.push({ suffix: ".message_template", value: template, sentence });
  }
  for (const key of FIXED_TEXTS) {
    const text = valueAt(key);
    const [word] = typeof text === "string" ? (text.match(known) ?? []) : [];
    const sentence = `${word} is sent as it stands: only message_template has words.`;
    if (word !== undefined) issues.push({ suffix: `.${key}`, value: text, sentence });
  }
  return issues;
}

/** Options that say nothing unless the location is of one kind. */
function roleWarnings(written: Table, valueAt: (key: string) => unknown): readonly Issue[] {
  const { websocket_allow_publish: allowed, websocket_publish_channel: channel } = written;
  const issues: Issue[] = [];
  const steps: readonly unknown[] = Array.isArray(written["step"]) ? written["step"] : [];
  const hasSockets =
    valueAt("subscriber") === "websocket" ||
    steps.some((step) => (step as Table | null)?.["subscriber"] === "websocket");
  if (allowed === true && !hasSockets)
    issues.push({
      suffix: ".websocket_allow_publish",
      value: allowed,
      sentence: 'it says nothing here: only a location with subscriber = "websocket" has WebSockets.',
    });
  if (channel !== undefined && (allowed !== true || !hasSockets))
    issues.push({
      suffix: ".websocket_publish_channel",
      value: channel,
      sentence: "it says nothing here: without websocket_allow_publish no client publishes.",
    });
  return issues;
}

function folderWarnings(valueAt: (key: string) => unknown): readonly Issue[] {
  const issues: Issue[] = [];
  for (const key of ["root", "alias"] as const) {
    const path = valueAt(key);
    if (typeof path !== "string" || path === "") continue;
    const folder = folderOf(path, key === "alias");
    const kind = kindOf(folder);
    if (kind === "folder" || kind === "unknown") continue;
    const sentence = kind === "nothing" ? `there is no ${folder}` : `${folder} is no folder`;
    issues.push({ suffix: `.${key}`, value: path, sentence: `${sentence}: nothing will be found.` });
  }
  return issues;
}

/**
 * The folder that files lie in whatever a request says: up to the first variable, and of an alias, which may
 * go on into names, up to those.
 */
function folderOf(path: string, isAlias: boolean): string {
  const [fixed = ""] = path.split("$", 1);
  const folder = isAlias || fixed !== path ? fixed.slice(0, fixed.lastIndexOf("/") + 1) : fixed;
  return folder === "" ? "." : folder;
}

function userFileWarnings(path: unknown): readonly Issue[] {
  if (typeof path !== "string" || path === "" || kindOf(path) !== "nothing") return [];
  const sentence = "there is no such file: nobody will be let in.";
  return [{ suffix: ".auth_basic_user_file", value: path, sentence }];
}

/** Who checks a file may not be allowed to look where who serves it is. */
function kindOf(path: string): "file" | "folder" | "nothing" | "unknown" {
  try {
    return statSync(path).isDirectory() ? "folder" : "file";
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    return code === "ENOENT" || code === "ENOTDIR" ? "nothing" : "unknown";
  }
}
