/** Tables on a terminal. Used by stats and presence. */
import type { Style } from "./style.ts";

/**
 * First column to the left, numbers to the right. Widths as a terminal shows them: a CJK character takes two
 * cells.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[], style: Style): string {
  const widths = head.map((title, column) =>
    rows.reduce((width, row) => Math.max(width, Bun.stringWidth(row[column] ?? "")), title.length),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const space = " ".repeat((widths[column] ?? 0) - Bun.stringWidth(cell));
        return column === 0 ? cell + space : space + cell;
      })
      .join("  ")
      .trimEnd();
  return `${[style.bold(line(head)), ...rows.map(line)].join("\n")}\n`;
}
