/**
 * Finds the parts of the commonest line of a batch (publish/batch-reader.ts): an object of `channel` and
 * `data`, in either order, both texts without an escape, and no blanks between them. In half of what
 * JSON.parse takes and what is made of it; whatever looks different is for JSON.parse to read.
 *
 * Works on a text with one unit for each byte, so that what is found in it is found in the bytes as well.
 */
const CHANNEL = '"channel":"';
const DATA = '"data":"';
const OPENED = 0x7b;
const CLOSED = 0x7d;
const COMMA = 0x2c;

/** With an escape a quote is no end; other control characters are no JSON in a text (RFC 8259 7). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for.
const NOT_PLAIN = /[\0-\x09\x0b-\x1f\\]/;

/**
 * Where channel and data of the line stand: fields, so that a line costs no object. For the lines of one
 * text, in order: most begin like the one before, up to the data, which is compared faster than it is
 * searched.
 */
export class PlainLine {
  channelStart = -1;
  channelEnd = -1;
  dataStart = -1;
  dataEnd = -1;
  /** Of its line end, or of the text. */
  end = 0;
  /** It names the channel of the plain line before, as that did. */
  isSameChannel = false;
  /** How the last plain line with its channel first began, up to its data; null: there was none. */
  #beginning: string | null = null;
  #start = 0;

  /** Whether there is any use in asking for its lines. */
  static mayBeIn(text: string): boolean {
    return !NOT_PLAIN.test(text);
  }

  /** False: the line that starts here is another. */
  find(text: string, start: number): boolean {
    this.isSameChannel = this.#beginning !== null && text.startsWith(this.#beginning, start);
    if (this.isSameChannel) {
      this.channelStart += start - this.#start;
      this.channelEnd += start - this.#start;
      this.dataStart += start - this.#start;
      this.#start = start;
      this.dataEnd = text.indexOf('"', this.dataStart);
      if (this.dataEnd >= 0 && text.charCodeAt(this.dataEnd + 1) === CLOSED)
        return this.#isWhole(text, start, this.dataEnd + 2);
    }
    this.isSameChannel = false;
    this.#beginning = null;
    this.channelStart = -1;
    this.dataStart = -1;
    if (!this.#fields(text, start)) return false;
    if (this.channelStart > this.dataStart) return true;
    this.#beginning = text.slice(start, this.dataStart);
    this.#start = start;
    return true;
  }

  #fields(text: string, start: number): boolean {
    if (text.charCodeAt(start) !== OPENED) return false;
    for (let at = start + 1; ; ) {
      const next = this.#field(text, at);
      if (next < 0) return false;
      const behind = text.charCodeAt(next);
      if (behind === CLOSED) return this.#isWhole(text, start, next + 1);
      if (behind !== COMMA) return false;
      at = next + 1;
    }
  }

  /** Where it ends; -1: it is another, or there for the second time. */
  #field(text: string, at: number): number {
    if (this.channelStart < 0 && text.startsWith(CHANNEL, at)) {
      this.channelStart = at + CHANNEL.length;
      this.channelEnd = text.indexOf('"', this.channelStart);
      return this.channelEnd < 0 ? -1 : this.channelEnd + 1;
    }
    if (this.dataStart >= 0 || !text.startsWith(DATA, at)) return -1;
    this.dataStart = at + DATA.length;
    this.dataEnd = text.indexOf('"', this.dataStart);
    return this.dataEnd < 0 ? -1 : this.dataEnd + 1;
  }

  /** One line end at most, and behind all of it: a raw one in a text would be the end of the line. */
  #isWhole(text: string, start: number, end: number): boolean {
    if (this.channelStart < 0 || this.dataStart < 0) return false;
    const lineEnd = text.indexOf("\n", start);
    this.end = end;
    return lineEnd === end || (lineEnd < 0 && end === text.length);
  }
}
