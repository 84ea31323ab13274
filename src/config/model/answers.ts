/**
 * Part of the checked configuration (../model.ts): what a location answers with besides its role: fields,
 * compression, files, logs.
 */

export interface AddedHeader {
  readonly name: string;
  /** Complex value; an empty outcome adds nothing. */
  readonly value: string;
  /** Whatever the status; otherwise 200, 201, 204, 206, 301, 302, 303, 304, 307 and 308 only. */
  readonly always: boolean;
}

export interface GzipConfig {
  /** Content types besides text/html; `*` is all. */
  readonly types: readonly string[];
  /** Bodies of known length below it stay as they are. */
  readonly minLength: number;
  readonly level: number;
}

export interface AccessLogConfig {
  readonly path: string;
  /** The text of the format, with variables. */
  readonly format: string;
  /** Bytes; 0 writes each line at once. */
  readonly bufferBytes: number;
  readonly flushMs: number;
}

export interface ListingConfig {
  readonly format: "html" | "json";
  /** Sizes in bytes, not rounded to K, M and G. */
  readonly exactSize: boolean;
  readonly localTime: boolean;
}

/** How files are answered. */
export interface FileAnswersConfig {
  /** Lists what is in a folder; null: 403. */
  readonly listing: ListingConfig | null;
  readonly etag: boolean;
  /** Parts of files are sent. */
  readonly ranges: boolean;
  /** When a file counts as not modified: at the date the client has, at that date or before it, or never. */
  readonly ifModifiedSince: "exact" | "before" | "off";
}

export interface FilesConfig {
  /** Of the two one is set: `root` + path, or `alias` + what follows the location's prefix. */
  readonly root: string | null;
  readonly alias: string | null;
  readonly index: readonly string[];
  /** Below the folder; null: 404. */
  readonly fallback: string | null;
  /** Names that begin with a dot are served, too. */
  readonly dotfiles: boolean;
}
