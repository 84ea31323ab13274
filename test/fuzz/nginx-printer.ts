/**
 * Prints trees of directives as nginx.conf in random ways: bare or quoted words, escapes or plain characters,
 * any spacing, comments, parts moved to included files. Notes while printing what the parser must find, lines
 * and files included.
 */
import type { FileReader } from "../../src/config/nginx/file-reader.ts";
import type { Arg, Directive } from "../../src/config/nginx/tree.ts";
import type { Random } from "../random.ts";

/** What is to be printed: no lines, no files. */
export interface Plan {
  readonly words: readonly string[];
  readonly block: readonly Plan[] | null;
}

const FOLDER = "/conf/";
export const MAIN_FILE = `${FOLDER}main`;
const JUNK = ["a", " ", ";", "{", "}", '"', "'", "\\", "#", "$", "ä", "include x;"] as const;
const ESCAPED: Readonly<Record<string, string>> = { "\t": "\\t", "\r": "\\r", "\n": "\\n" };

/** A plan with words of the characters that mean something to the parser. */
export function randomPlans(random: Random, maxCount: number, depth: number): Plan[] {
  return Array.from({ length: random.below(maxCount + 1) }, () => ({
    words: Array.from({ length: 1 + random.below(4) }, () => randomWord(random)),
    block: depth > 0 && random.below(3) === 0 ? randomPlans(random, maxCount, depth - 1) : null,
  }));
}

const WORD_PARTS = [
  ..."abntr $;#(){}[]^*~=/0",
  "\\",
  '"',
  "'",
  "\t",
  "\r",
  "\n",
  "ä",
  "€",
  "😀",
  "\u0000",
  "\u00a0",
  "\x24{a}",
  "\\.",
  "{2}",
  "http",
] as unknown as readonly [string, ...string[]];

const randomWord = (random: Random): string => random.text(WORD_PARTS, random.below(8) === 0 ? 40 : 5);

export class Printer {
  readonly #random: Random;
  readonly #files = new Map<string, string>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** What the parser must answer for the main file, whose text is files.read(MAIN_FILE). */
  print(plans: readonly Plan[]): readonly Directive[] {
    return this.#file(MAIN_FILE, plans);
  }

  get files(): FileReader {
    return { read: (path) => this.#files.get(path) ?? "missing", glob: () => [] };
  }

  #file(path: string, plans: readonly Plan[]): Directive[] {
    this.#files.set(path, ""); // takes the name
    const page = new Page(path, this.#random);
    const directives = this.#plans(page, plans);
    this.#files.set(path, page.text + (this.#random.below(4) === 0 ? "# the end" : ""));
    return directives;
  }

  #plans(page: Page, plans: readonly Plan[]): Directive[] {
    const directives: Directive[] = [];
    for (let at = 0; at < plans.length; ) {
      const some = plans.slice(at, at + 1 + this.#random.below(2));
      at += some.length;
      if (this.#random.below(12) === 0) directives.push(...this.#included(page, some));
      else for (const plan of some) directives.push(this.#directive(page, plan));
    }
    return directives;
  }

  #included(page: Page, plans: readonly Plan[]): Directive[] {
    const path = `f${this.#files.size}`;
    page.statement(["include", this.#random.pick([path, FOLDER + path, `./${path}`])], ";");
    return this.#file(FOLDER + path, plans);
  }

  #directive(page: Page, { words, block }: Plan): Directive {
    const { line, args } = page.statement(words, block === null ? ";" : "{");
    const name = words[0] ?? "";
    if (block === null) return { name, args, file: page.path, line, block };
    const children = this.#plans(page, block);
    page.closeBlock();
    return { name, args, file: page.path, line, block: children };
  }
}

class Page {
  readonly path: string;
  readonly #random: Random;
  text: string;

  constructor(path: string, random: Random) {
    this.path = path;
    this.#random = random;
    this.text = random.below(8) === 0 ? "\uFEFF" : "";
  }

  statement(words: readonly string[], end: ";" | "{"): { readonly line: number; readonly args: Arg[] } {
    this.#space(0);
    const line = this.text.split("\n").length;
    const args = words.map((word, at) => this.#word(word, at === 0));
    // `$` and a glued brace would be the start of a `${name}`.
    this.#space(end === "{" && /\$\{*$/.test(this.text) ? 1 : 0);
    this.text += end;
    return { line, args: args.slice(1) };
  }

  closeBlock(): void {
    this.#space(0);
    this.text += "}";
  }

  #word(text: string, isFirst: boolean): Arg {
    const quoted = !canBeBare(text) || this.#random.below(3) === 0;
    // Behind a quoted word a `)` needs no space; behind a bare one everything does.
    const glued = text.startsWith(")") && !quoted && this.#lastQuoted;
    if (!isFirst) this.#space(glued ? 0 : 1);
    this.text += quoted ? this.#quotedWord(text) : this.#bareWord(text);
    this.#lastQuoted = quoted;
    return { text, quoted };
  }

  #lastQuoted = false;

  #bareWord(text: string): string {
    return [...text]
      .map((char, at, all) => {
        if (char === '"' || char === "'") return at === 0 || this.#flip() ? `\\${char}` : char;
        return ESCAPED[char] ?? this.#backslash(char, all[at + 1]);
      })
      .join("");
  }

  #quotedWord(text: string): string {
    const quote = this.#random.pick(['"', "'"]);
    const inner = [...text].map((char, at, all) => {
      if (char === '"' || char === "'") return char === quote || this.#flip() ? `\\${char}` : char;
      const escaped = ESCAPED[char];
      return escaped !== undefined && this.#flip() ? escaped : this.#backslash(char, all[at + 1]);
    });
    return quote + inner.join("") + quote;
  }

  /** A backslash may stand for itself where nothing is decoded and nothing special is hidden by it. */
  #backslash(char: string, next = ""): string {
    return char === "\\" && !(/^[ab.0-9([]$/.test(next) && this.#flip()) ? "\\\\" : char;
  }

  #space(least: 0 | 1): void {
    const random = this.#random;
    for (let count = least + random.below(2); count > 0; count--) {
      this.text += random.pick([" ", "\t", "\n", "\r\n", "  "]);
      if (random.below(10) === 0) this.text += `#${random.text(JUNK, 6)}\n`;
    }
  }

  #flip = (): boolean => this.#random.below(2) === 0;
}

/**
 * A brace in a bare word must directly follow a `$`; a block must not begin like a regex repetition, `{2}`.
 */
function canBeBare(text: string): boolean {
  if (text === "" || /^[#}]|^\d+,?\d*\}/.test(text) || /[ ;]/.test(text)) return false;
  return text.replaceAll(/\$\{+/g, "").indexOf("{") < 0;
}
