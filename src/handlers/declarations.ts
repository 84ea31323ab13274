/**
 * The published types as text, for `sluice types`. declarations.txt is a link to sluice.d.ts, because tsc
 * takes no declaration file for text, whatever the import says.
 */
import text from "./declarations.txt" with { type: "text" };

export const declarations: string = text;
