/**
 * The tree of an nginx.conf: its words and blocks, includes replaced by what they bring, no meaning yet.
 * translate*.ts gives it meaning. Hand-written because nginx's rules are few and the npm parsers each miss
 * some (quotes inside words, escapes, `${name}`), and because all faults are wanted with their lines, not the
 * first one.
 *
 * Everything is bounded: the totals of bytes, files and words, nesting, faults. The one recursion is per
 * included file.
 */
import { resolve } from "node:path";
import { type FileReader, MAX_CONFIG_BYTES } from "./file-reader.ts";
import { includedPaths, readSource, type SourceText, textSource, wordFromBytes } from "./include.ts";
import { type Statement, StatementReader, type Word } from "./tokens.ts";

export { diskReader, type FileReader } from "./file-reader.ts";

/**
 * One word after a directive's name: its escapes are decoded as nginx does, its variables are not expanded.
 */
export interface Arg {
  readonly text: string;
  readonly quoted: boolean;
}

/**
 * A simple directive (`block` null, it ended with `;`) or a block. `line` is the line of its name, counted
 * from 1.
 */
export interface Directive {
  readonly name: string;
  readonly args: readonly Arg[];
  readonly file: string;
  readonly line: number;
  readonly block: readonly Directive[] | null;
}

/** Where a directive stands in the text of its file (SourceText): from its name to behind its `;` or `}`. */
export interface Span {
  readonly start: number;
  readonly stop: number;
  /** Behind the `{` of a block. */
  readonly body: number;
}

/** Kept beside the tree, as only who changes the files asks for it. */
const spans = new WeakMap<Directive, Span>();

export const spanOf = (directive: Directive): Span => {
  const span = spans.get(directive);
  if (span === undefined) throw new Error(`${directive.name}: not read from a file`);
  return span;
};

/** What is wrong with the syntax, in nginx's words where nginx has some. */
export interface SyntaxFault {
  readonly file: string;
  readonly line: number;
  readonly sentence: string;
}

export type ParseOutcome =
  | { readonly ok: true; readonly directives: readonly Directive[] }
  | { readonly ok: false; readonly faults: readonly SyntaxFault[] };

const MAX_FAULTS = 100;
const MAX_FILES = 1000;
/** A long list of addresses has some; sixteen million bytes of "a;" would fill the memory with directives. */
const MAX_WORDS = 1_000_000;
const MAX_SENTENCE_CHARACTERS = 500;
/** Blocks in blocks, and includes in includes. */
const MAX_DEPTH = 64;

/**
 * Parses a text that was read from `file` and follows its `include`s. All faults that can be found are found,
 * at most 100, in reading order. Throws nothing, whatever the text.
 */
export function parseNginx(text: string, file: string, reader: FileReader): ParseOutcome {
  return new Parse(file, reader).outcome(textSource(text));
}

/**
 * Like parseNginx, and reads the main file, too: bytes that are not UTF-8 are a fault only outside comments.
 */
export function parseNginxFile(file: string, reader: FileReader): ParseOutcome {
  const read = readSource(resolve(file), reader);
  if (!read.ok) return { ok: false, faults: [{ file, line: 0, sentence: read.sentence }] };
  return new Parse(file, reader).outcome(read.source);
}

/** A file being read, on top of the file that includes it. */
interface OpenFile {
  readonly file: string;
  readonly path: string;
  readonly bytes: boolean;
  readonly from: OpenFile | null;
}

/** A block being filled; the outermost, with no statement, is the file itself. */
interface OpenBlock {
  readonly statement: Statement | null;
  readonly children: Directive[];
}

class Parse {
  readonly #mainFile: string;
  readonly #reader: FileReader;
  readonly #faults: SyntaxFault[] = [];
  #files = 0;
  #size = 0;
  #words = 0;
  /** Set by the fault after which going on makes no sense: a limit on the whole configuration. */
  #stopped = false;

  constructor(mainFile: string, reader: FileReader) {
    this.#mainFile = mainFile;
    this.#reader = reader;
  }

  outcome(source: SourceText): ParseOutcome {
    const file = this.#mainFile;
    const directives = this.#readFile(
      source,
      { file, path: resolve(file), bytes: source.bytes, from: null },
      0,
      1,
    );
    return this.#faults.length > 0 ? { ok: false, faults: this.#faults } : { ok: true, directives };
  }

  /** `depth`: the blocks around it. `line`: where it is included, for the limits. */
  #readFile(source: SourceText, open: OpenFile, depth: number, line: number): readonly Directive[] {
    if (!this.#countFile(source.size, open, line)) return [];
    const words = new StatementReader(source.text, (at, sentence) => this.#fault(open, at, sentence));
    const blocks: OpenBlock[] = [{ statement: null, children: [] }];
    for (;;) {
      const statement = words.next();
      const block = blocks.at(-1);
      this.#words += statement.words.length;
      if (this.#words > MAX_WORDS) this.#stop(open, statement.line, `more than ${MAX_WORDS} words`);
      if (statement.end === "end of file") this.#checkAllClosed(blocks, open, statement.endLine);
      const isLast = statement.end === "end of file" || statement.end === "cut off";
      if (block === undefined || isLast || this.#stopped) return blocks[0]?.children ?? [];
      if (statement.end === "}") this.#close(blocks, block, open, statement);
      else if (statement.end === "{" && LUA_BLOCK.test(statement.words[0]?.text ?? ""))
        this.#add(block, statement, open, [], words.skipLua() ?? source.text.length);
      else if (statement.end === "{") this.#open(blocks, statement, open, depth);
      else this.#simple(block, statement, open, depth + blocks.length - 1);
    }
  }

  #countFile(size: number, open: OpenFile, line: number): boolean {
    this.#files++;
    this.#size += size;
    const place = open.from ?? open;
    if (this.#files > MAX_FILES) this.#stop(place, line, `more than ${MAX_FILES} files are included`);
    else if (this.#size > MAX_CONFIG_BYTES)
      this.#stop(place, line, "the configuration is longer than 16 MiB");
    return !this.#stopped;
  }

  #open(blocks: OpenBlock[], statement: Statement, open: OpenFile, depth: number): void {
    if (statement.words[0]?.text === "include") this.#fault(open, statement.line, NOT_TERMINATED);
    // Once: deeper blocks are read on, so that their ends fit, but say nothing more.
    if (depth + blocks.length === MAX_DEPTH + 1) {
      this.#fault(open, statement.endLine, `blocks are nested more than ${MAX_DEPTH} deep`);
    }
    blocks.push({ statement, children: [] });
  }

  #close(blocks: OpenBlock[], block: OpenBlock, open: OpenFile, end: Statement): void {
    if (block.statement === null) {
      this.#fault(open, end.endLine, 'unexpected "}"');
      return;
    }
    blocks.pop();
    this.#add(blocks.at(-1), block.statement, open, block.children, end.stop);
  }

  #simple(block: OpenBlock, statement: Statement, open: OpenFile, depth: number): void {
    if (statement.words[0]?.text === "include") {
      // Not push(...list): a long list of arguments overflows the stack.
      for (const directive of this.#include(statement, open, depth)) block.children.push(directive);
    } else this.#add(block, statement, open, null);
  }

  #add(
    parent: OpenBlock | undefined,
    statement: Statement,
    open: OpenFile,
    block: readonly Directive[] | null,
    stop = statement.stop,
  ): void {
    const { file } = open;
    const { line } = statement;
    const [name, ...args] = open.bytes ? this.#decoded(statement, open) : statement.words;
    if (name === undefined) return; // a block without a name: reported
    const directive = { name: name.text, args, file, line, block };
    spans.set(directive, { start: statement.start, stop, body: statement.stop });
    parent?.children.push(directive);
  }

  #decoded({ words, line }: Statement, open: OpenFile): readonly Word[] {
    return words.map((word) => {
      const text = wordFromBytes(word.text);
      if (text === null) this.#fault(open, line, "a parameter is not valid UTF-8 text");
      return { text: text ?? word.text, quoted: word.quoted };
    });
  }

  #include(statement: Statement, open: OpenFile, depth: number): readonly Directive[] {
    const { line } = statement;
    const [, target, ...more] = open.bytes ? this.#decoded(statement, open) : statement.words;
    if (target === undefined || more.length > 0) {
      this.#fault(open, line, 'invalid number of arguments in "include" directive');
      return [];
    }
    const paths = includedPaths(target.text, this.#mainFile, this.#reader);
    return paths.flatMap((path) => (this.#stopped ? [] : this.#includeFile(path, open, line, depth)));
  }

  #includeFile(path: string, from: OpenFile, line: number, depth: number): readonly Directive[] {
    let levels = 0;
    for (let open: OpenFile | null = from; open !== null; open = open.from) {
      levels++;
      if (open.path === path) {
        this.#fault(from, line, `"${path}" includes itself`);
        return [];
      }
    }
    if (levels > MAX_DEPTH) {
      this.#fault(from, line, `files are included more than ${MAX_DEPTH} deep`);
      return [];
    }
    const read = readSource(path, this.#reader);
    if (read.ok)
      return this.#readFile(read.source, { file: path, path, bytes: read.source.bytes, from }, depth, line);
    this.#fault(from, line, read.sentence);
    return [];
  }

  #checkAllClosed(blocks: readonly OpenBlock[], open: OpenFile, line: number): void {
    const last = blocks.at(-1)?.statement ?? null;
    if (last === null) return;
    const name = last.words[0]?.text.slice(0, 80) ?? "";
    const hint = `the block "${name}" in line ${last.line} is not closed`;
    this.#fault(open, line, `unexpected end of file, expecting "}" (${hint})`);
  }

  #stop(open: OpenFile, line: number, sentence: string): void {
    this.#fault(open, line, sentence);
    this.#stopped = true;
  }

  /** A hundred faults are enough to read; the text after them is not worth the time. */
  #fault({ file }: OpenFile, line: number, sentence: string): void {
    if (this.#stopped) return;
    this.#faults.push({ file, line, sentence: printable(sentence) });
    if (this.#faults.length === MAX_FAULTS) this.#stopped = true;
  }
}

/** A sentence is shown on one line of a terminal, and it may quote anything from the file. */
const printable = (sentence: string): string =>
  sentence
    .slice(0, MAX_SENTENCE_CHARACTERS)
    .replace(/\p{Cc}/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`);

/** What is inside is Lua, which has braces and quotes of its own. */
const LUA_BLOCK = /_by_lua_block$/;

const NOT_TERMINATED = 'directive "include" is not terminated by ";"';
