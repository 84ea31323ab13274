/**
 * Where a key stands in a TOML text. Bun's parser gives values without positions, so faults ask here. Called
 * by toml.ts.
 *
 * It is no second parser: it trusts that the text is valid, walks statements (table headers and `key =
 * value`), and skips values by their brackets and quotes. Keys inside inline tables and lists get the line of
 * the statement they are in.
 */
export type LineFinder = (path: string) => number | null;

/** Makes a finder for "listen", "store.size", "location[2].match" …; it answers the line from 1, or null. */
export function sourceLines(text: string): LineFinder {
  const lines = new Map<string, number>();
  const scan = new Scan(text);
  const counts = new Map<string, number>();
  let table = "";
  for (let guard = 0; guard <= text.length && scan.toStatement(); guard++) {
    const line = scan.line;
    if (scan.peek() === "[") {
      const { name, isList } = scan.header();
      table = placeInLists(counts, name, isList);
      note(lines, name, line);
      note(lines, table, line);
    } else {
      const key = scan.key();
      note(lines, table === "" ? key : `${table}.${key}`, line);
      scan.skipValue();
    }
  }
  return (path) => nearestLine(lines, path);
}

/**
 * The header "server.location" as "server[1].location[0]": each part that is a list of tables stands for its
 * last one, and a header in double brackets begins the next. `counts` has the tables so far of each list.
 */
function placeInLists(counts: Map<string, number>, header: string, isList: boolean): string {
  const parts = header.split(".");
  let place = "";
  parts.forEach((part, i) => {
    place = place === "" ? part : `${place}.${part}`;
    const known = counts.get(place);
    if (isList && i === parts.length - 1) counts.set(place, (known ?? 0) + 1);
    const count = counts.get(place);
    if (count !== undefined) place = `${place}[${count - 1}]`;
  });
  return place;
}

/** The first mention wins; "store.size" at the top level tells where "store" is, too. */
function note(lines: Map<string, number>, path: string, line: number): void {
  for (let end = path.length; end > 0; end = path.lastIndexOf(".", end - 1)) {
    const part = path.slice(0, end);
    if (!lines.has(part)) lines.set(part, line);
  }
}

/** The line of the path or of what it stands in: "listen[1]" is told as the line of "listen". */
function nearestLine(lines: ReadonlyMap<string, number>, path: string): number | null {
  for (
    let end = path.length;
    end > 0;
    end = Math.max(path.lastIndexOf(".", end - 1), path.lastIndexOf("[", end - 1))
  ) {
    const line = lines.get(path.slice(0, end));
    if (line !== undefined) return line;
  }
  return null;
}

class Scan {
  line = 1;
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  peek(): string {
    return this.#text[this.#at] ?? "";
  }

  #next(): string {
    const character = this.peek();
    if (character === "\n") this.line++;
    this.#at++;
    return character;
  }

  /** Moves over blank lines and comments to the next statement; false at the end. */
  toStatement(): boolean {
    while (this.#at < this.#text.length) {
      const character = this.peek();
      if (character === "#") this.#skipLine();
      else if (/[\s\uFEFF]/.test(character)) this.#next();
      else return true;
    }
    return false;
  }

  /** The name in [name] or [[name]], without quotes and blanks. */
  header(): { readonly name: string; readonly isList: boolean } {
    let brackets = 0;
    for (; this.peek() === "["; brackets++) this.#next();
    const name = this.#until("]\n");
    this.#skipLine();
    return { name, isList: brackets > 1 };
  }

  /** The key before "=", dotted parts joined; moves past the sign. */
  key(): string {
    const name = this.#until("=\n");
    if (this.peek() === "=") this.#next();
    return name;
  }

  #until(ends: string): string {
    let name = "";
    while (this.#at < this.#text.length && !ends.includes(this.peek())) {
      const character = this.#next();
      if (character === '"' || character === "'") name += this.#quotedKey(character);
      else if (!/\s/.test(character)) name += character;
    }
    return name;
  }

  #quotedKey(quote: string): string {
    let name = "";
    while (this.#at < this.#text.length && this.peek() !== quote && this.peek() !== "\n")
      name += this.#next();
    this.#next();
    return name;
  }

  /** Moves to the end of the statement: the first line end outside brackets and strings. */
  skipValue(): void {
    let depth = 0;
    while (this.#at < this.#text.length) {
      const character = this.peek();
      if (character === "\n" && depth === 0) return;
      if (character === "#") this.#skipLine();
      else if (character === '"' || character === "'") this.#skipString(character);
      else {
        if (character === "[" || character === "{") depth++;
        else if (character === "]" || character === "}") depth--;
        this.#next();
      }
    }
  }

  #skipString(quote: string): void {
    const closing = this.#text.startsWith(quote.repeat(3), this.#at) ? quote.repeat(3) : quote;
    for (let opened = 0; opened < closing.length; opened++) this.#next();
    while (this.#at < this.#text.length && !this.#text.startsWith(closing, this.#at)) {
      if (this.#next() === "\\" && quote === '"') this.#next();
    }
    // Up to two quotes may stand right before the closing three (TOML 1.0, multi-line strings).
    while (closing.length === 3 && this.#text[this.#at + 3] === quote) this.#next();
    for (let closed = 0; closed < closing.length; closed++) this.#next();
  }

  #skipLine(): void {
    while (this.#at < this.#text.length && this.peek() !== "\n") this.#next();
  }
}
