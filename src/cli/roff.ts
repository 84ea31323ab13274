/** Text as roff with the man macros. For manual.ts. */

/**
 * Any text, safe in a line: nothing of it is taken for an escape or a macro. Option dashes stay dashes that
 * can be copied.
 */
export function escapeRoff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replace(/^\./gm, "\\&.")
    .replace(
      /[^\0-\x7f]/gu,
      (char) => `\\[u${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`,
    );
}

export const bold = (text: string): string => `\\fB${escapeRoff(text)}\\fR`;
export const italic = (text: string): string => `\\fI${escapeRoff(text)}\\fR`;

/** Running text in which `code` stands between backticks. */
export function prose(text: string): string {
  return text
    .split("`")
    .map((part, index) => (index % 2 === 1 ? bold(part) : escapeRoff(part)))
    .join("");
}

export const heading = (title: string): string => `.SH ${title.toUpperCase()}`;
export const subheading = (title: string): string => `.SS ${prose(title)}`;
export const paragraph = (text: string): string => `.PP\n${prose(text)}`;

/** A term, and its explanation indented below it. `term` is roff already. */
export const entry = (term: string, text: string): string => `.TP\n${term}\n${prose(text)}`;

/** Lines as they are. */
export const verbatim = (text: string): string => `.PP\n.RS 4\n.nf\n${escapeRoff(text)}\n.fi\n.RE`;

/** The first line of a page. `day` as 2026-01-31, or nothing. */
export const title = (name: string, section: number, day: string, version: string): string =>
  `.TH ${escapeRoff(name).toUpperCase()} ${section} "${day}" "sluice ${version}" "sluice"\n.nh\n.ad l`;
