/**
 * `--foreign 404`: an nginx.conf of which only push is wanted. Locations that have nothing to do with push,
 * and that sluice could not serve as nginx does (`fastcgi_pass`, other modules), answer with the status
 * instead; what stands around push locations is not touched, and stays a fault where it is not done. Called
 * by load.ts before the translation.
 */
import { directiveRow } from "./directives.ts";
import { HARMLESS_WHEN } from "./directives-unsupported.ts";
import type { Directive } from "./tree.ts";

export interface WithoutForeign {
  readonly directives: readonly Directive[];
  /** "file:line location …", of each that answers so. */
  readonly foreign: readonly string[];
}

const ROLES: ReadonlySet<string> = new Set([
  "push_stream_publisher",
  "push_stream_subscriber",
  "push_stream_channels_statistics",
  "sluice_handler",
  "sluice_pushstream_client",
  "sluice_client",
]);
/** At the top and in http these make something that only such locations use. */
const ONLY_FOR_THEM: ReadonlySet<string> = new Set(["stream", "mail"]);

export function withoutForeign(directives: readonly Directive[], status: number): WithoutForeign {
  const foreign: string[] = [];
  const isForeign = (block: readonly Directive[]): boolean => block.some(isNotServed);
  const answer = (location: Directive): Directive => ({
    ...location,
    name: "return",
    args: [{ text: String(status), quoted: false }],
    block: null,
  });
  const clean = (list: readonly Directive[], isPush: boolean): readonly Directive[] =>
    list.flatMap((directive) => {
      const { name, block } = directive;
      if (ONLY_FOR_THEM.has(name)) return [];
      if (block === null || (name !== "http" && name !== "server" && name !== "location")) return [directive];
      const inPush = isPush || (name === "location" && block.some((inner) => ROLES.has(inner.name)));
      if (name !== "location" || inPush || !isForeign(block))
        return [{ ...directive, block: clean(block, inPush) }];
      foreign.push(
        `${directive.file}:${directive.line} location ${directive.args.map(({ text }) => text).join(" ")}`,
      );
      // Locations inside do not inherit what makes it foreign, and may be of push.
      const inner = clean(
        block.filter((one) => one.name === "location"),
        false,
      );
      return [{ ...directive, block: [answer(directive), ...inner] }];
    });
  return { directives: clean(directives, false), foreign };
}

/**
 * `sluice_foreign 404;` at the top of the file or in `http`: the same as the flag. null: it is not there, or
 * no status.
 */
export function foreignIn(directives: readonly Directive[]): number | null {
  for (const { name, args, block } of directives) {
    const text = args[0]?.text ?? "";
    if (name === "sluice_foreign" && isForeignStatus(text)) return Number(text);
    const inner = name === "http" ? foreignIn(block ?? []) : null;
    if (inner !== null) return inner;
  }
  return null;
}

export const isForeignStatus = (text: string): boolean => /^[2-5]\d\d$/.test(text);

/** What the translation would refuse, in a block of its own as well (`if`, `limit_except`). */
function isNotServed({ name, args, block }: Directive): boolean {
  if (name === "location") return false;
  const row = directiveRow(name);
  if (row === null) return true;
  if (row.use === "unsupported" && HARMLESS_WHEN.get(name)?.(args.map(({ text }) => text)) !== true)
    return true;
  return (name === "if" || name === "limit_except") && (block ?? []).some(isNotServed);
}
