/**
 * The words of an nginx.conf, one statement at a time. Called by tree.ts only. It does what nginx's own
 * reader does, state by state, because people's files lean on its corners: a quote inside a bare word is a
 * plain character, `#` starts a comment only where a word could start, `}` is special only there, too, and a
 * backslash keeps the next character from ending a word.
 *
 * A fault does not end the reading: it is reported, and the reader goes on as if the mistake were a space or
 * a missing `;`, which finds the next place in step sooner than skipping would.
 */

/** One word with its escapes decoded. */
export interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

/** What the reader met: words up to `;` or `{`, or one of the others, which have no words. */
export interface Statement {
  /** "cut off": the file ends inside a statement, which was reported. */
  readonly end: ";" | "{" | "}" | "end of file" | "cut off";
  /** Empty with "{" when the block has no name, which was reported. */
  readonly words: readonly Word[];
  /** Where the first word stands. */
  readonly line: number;
  /** Where `end` stands. */
  readonly endLine: number;
  /** Where the first word begins, and the place behind `end`. */
  readonly start: number;
  readonly stop: number;
}

/** Told about each fault, in the order of the file. */
export type Report = (line: number, sentence: string) => void;

/**
 * nginx stops at its buffer of 4,096 bytes; a template may well be longer, a file without a closing quote may
 * not.
 */
const MAX_WORD_CHARACTERS = 65_536;
/** More than any directive takes; without it one statement could hold millions of words. */
const MAX_WORDS = 10_000;
/** How much of a too long word is shown (nginx's number), and of a word with a repetition. */
const SHOWN_START = 10;
const SHOWN_WORD = 80;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const DOUBLE_QUOTE = 0x22;
const SHARP = 0x23;
const DOLLAR = 0x24;
const SINGLE_QUOTE = 0x27;
const CLOSE_PAREN = 0x29;
const SEMICOLON = 0x3b;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const LUA_PIECE = /--\[(=*)\[|--[^\n]*|\[(=*)\[|"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'|[{}]/g;

/** Behind the `}` that closes the block which begins at `from`; null: there is none. */
function luaEnd(text: string, from: number): number | null {
  LUA_PIECE.lastIndex = from;
  let depth = 1;
  for (let found = LUA_PIECE.exec(text); found !== null; found = LUA_PIECE.exec(text)) {
    const level = found[1] ?? found[2];
    if (level !== undefined) {
      const close = text.indexOf(`]${level}]`, LUA_PIECE.lastIndex);
      if (close < 0) return null;
      LUA_PIECE.lastIndex = close + level.length + 2;
    } else if (found[0] === "{") depth++;
    else if (found[0] === "}" && --depth === 0) return LUA_PIECE.lastIndex;
  }
  return null;
}

const isSpace = (code: number): boolean => code === SPACE || code === TAB || code === LF || code === CR;
const endsBareWord = (code: number): boolean => isSpace(code) || code === SEMICOLON || code === OPEN_BRACE;
const mayFollowQuote = (code: number): boolean => endsBareWord(code) || code === CLOSE_PAREN;

const REPETITION = /\{\d{1,9}(?:,\d{0,9})?\}/y;

const ESCAPES: Readonly<Record<string, string>> = { t: "\t", r: "\r", n: "\n" };

/**
 * `\"` `\'` `\\` `\t` `\r` `\n` in quoted and bare words alike; any other backslash stays, as a regex needs
 * it (`\.`).
 */
export const decodeEscapes = (raw: string): string =>
  raw.includes("\\") ? raw.replace(/\\(["'\\trn])/g, (_, next: string) => ESCAPES[next] ?? next) : raw;

export class StatementReader {
  readonly #text: string;
  readonly #report: Report;
  #at = 0;
  #line = 1;

  /**
   * `text` without its byte order mark. Any string is read to its end; every step moves on by at least one
   * character.
   */
  constructor(text: string, report: Report) {
    this.#text = text;
    this.#report = report;
  }

  /** The next statement; once the text is used up, "end of file" again and again. */
  next(): Statement {
    const words: Word[] = [];
    let line = this.#line;
    let start = this.#at;
    for (;;) {
      this.#skipBlank();
      if (words.length === 0) {
        line = this.#line;
        start = this.#at;
      }
      const code = this.#text.charCodeAt(this.#at);
      if (Number.isNaN(code)) return this.#endOfFile(words);
      if (code === CLOSE_BRACE) return this.#closeBrace(words, line, start);
      if (code === OPEN_BRACE || code === SEMICOLON) {
        this.#at++;
        const end = code === SEMICOLON ? ";" : "{";
        const statement: Statement = {
          end,
          words,
          line,
          endLine: this.#line,
          start,
          stop: this.#at,
        };
        if (words.length > 0) return statement;
        this.#report(this.#line, `unexpected "${end}"`);
        // The block is opened all the same, or its "}" would look like one too many.
        if (end === "{") return statement;
        continue;
      }
      const word = code === DOUBLE_QUOTE || code === SINGLE_QUOTE ? this.#quotedWord(code) : this.#bareWord();
      if (word === null)
        return { end: "cut off", words: [], line, endLine: this.#line, start, stop: this.#at };
      if (words.length === MAX_WORDS) this.#report(this.#line, `more than ${MAX_WORDS} parameters`);
      if (words.length <= MAX_WORDS) words.push(word);
    }
  }

  /**
   * Moves past a block of Lua whose `{` was read, to behind its `}`: strings, long strings and comments of
   * Lua may hold braces of their own. The place there; null when the file ends inside, which is reported.
   */
  skipLua(): number | null {
    const end = luaEnd(this.#text, this.#at);
    const startLine = this.#line;
    this.#moveTo(end ?? this.#text.length);
    if (end === null)
      this.#report(
        this.#line,
        `unexpected end of file, expecting "}" (the Lua block in line ${startLine} is not closed)`,
      );
    return end;
  }

  #endOfFile(words: readonly Word[]): Statement {
    const cutOff = words.length > 0;
    if (cutOff) this.#report(this.#line, 'unexpected end of file, expecting ";" or "}"');
    const { length } = this.#text;
    const line = this.#line;
    return {
      end: cutOff ? "cut off" : "end of file",
      words: [],
      line,
      endLine: line,
      start: length,
      stop: length,
    };
  }

  /** `foo }` lacks its `;`: the statement ends here, and the brace is met again by the next call. */
  #closeBrace(words: readonly Word[], line: number, start: number): Statement {
    if (words.length > 0) {
      this.#report(this.#line, 'unexpected "}"');
      return { end: ";", words, line, endLine: this.#line, start, stop: this.#at };
    }
    this.#at++;
    return { end: "}", words, line, endLine: this.#line, start, stop: this.#at };
  }

  #skipBlank(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === LF) this.#line++;
      if (isSpace(code)) {
        this.#at++;
      } else if (code === SHARP) {
        const end = this.#text.indexOf("\n", this.#at);
        this.#at = end < 0 ? this.#text.length : end;
      } else {
        return;
      }
    }
  }

  /** null when the file ends inside: that is reported here, once. */
  #quotedWord(quote: number): Word | null {
    const text = this.#text;
    const startLine = this.#line;
    const start = this.#at + 1;
    let at = start;
    while (at < text.length && text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
    const character = String.fromCharCode(quote);
    this.#moveTo(Math.min(at, text.length));
    if (at >= text.length) {
      const hint = `the ${character} in line ${startLine} is not closed`;
      this.#report(this.#line, `unexpected end of file, expecting ";" or "}" (${hint})`);
      return null;
    }
    if (at - start > MAX_WORD_CHARACTERS) {
      this.#report(startLine, `too long parameter, probably missing terminating "${character}" character`);
    }
    this.#at++;
    this.#checkAfterQuote(startLine);
    return { text: decodeEscapes(text.slice(start, at)), quoted: true };
  }

  /** A quoted word must be followed by a space, `;`, `{` or the `)` of an `if`. */
  #checkAfterQuote(startLine: number): void {
    const code = this.#text.codePointAt(this.#at);
    // the last: next() reports it
    if (code === undefined || mayFollowQuote(code) || code === CLOSE_BRACE) return;
    const hint = startLine === this.#line ? "" : ` after a quoted parameter that began in line ${startLine}`;
    this.#report(this.#line, `unexpected "${String.fromCodePoint(code)}"${hint}`);
  }

  /** Up to a space, `;` or `{`; the brace of `${name}` belongs to the word. */
  #bareWord(): Word {
    const text = this.#text;
    const start = this.#at;
    let at = start;
    let afterDollar = false;
    let repetition = false;
    while (at < text.length) {
      const code = text.charCodeAt(at);
      if (code !== OPEN_BRACE || !afterDollar) {
        const after = code === OPEN_BRACE ? repetitionEnd(text, at) : 0;
        if (after === 0 && endsBareWord(code)) break;
        repetition ||= after > 0;
        afterDollar = code === DOLLAR;
        if (after > 0) at = after - 1;
      }
      at += code === BACKSLASH ? 2 : 1;
    }
    const raw = text.slice(start, at);
    this.#checkBareWord(raw, repetition);
    this.#moveTo(Math.min(at, text.length));
    return { text: decodeEscapes(raw), quoted: false };
  }

  #checkBareWord(raw: string, repetition: boolean): void {
    if (repetition) {
      const shown = raw.length > SHOWN_WORD ? `${raw.slice(0, SHOWN_WORD)}…` : raw;
      this.#report(
        this.#line,
        `unexpected "{" in "${shown}": a regular expression with braces must be quoted`,
      );
    }
    if (raw.length > MAX_WORD_CHARACTERS) {
      this.#report(this.#line, `too long parameter "${raw.slice(0, SHOWN_START)}..." started`);
    }
  }

  /**
   * Counts only what it passes: a search for the next LF would read a file of one long line again for every
   * word.
   */
  #moveTo(end: number): void {
    for (let at = this.#at; at < end; at++) if (this.#text.charCodeAt(at) === LF) this.#line++;
    this.#at = end;
  }
}

/**
 * Where a regex repetition, "{2}" or "{1,3}", that starts at `at` ends; 0 when there is none. In `location ~
 * ^/a{2}$ {` nginx opens a block at the first brace and complains about a directive `2}$`. We say what is
 * wrong, and read on as if the word had been quoted: no file that nginx accepts has a block that starts like
 * that.
 */
function repetitionEnd(text: string, at: number): number {
  REPETITION.lastIndex = at;
  return REPETITION.test(text) ? REPETITION.lastIndex : 0;
}
