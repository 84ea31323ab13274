/**
 * Rows of the option table about a `[[location]]` of files: where they lie and how they are answered. Part of
 * ../options.ts.
 */
import { folderIssues, tryFilesIssues } from "../checks/checks.ts";
import type { Option } from "../kinds.ts";

export const FILE_OPTIONS = {
  "location[].root": {
    kind: "string",
    default: null,
    unset: "no files",
    doc: "Makes it a place for files: this folder, and the path of the request in it.",
    example: "/var/www/html",
    check: folderIssues,
  },
  "location[].alias": {
    kind: "string",
    default: null,
    unset: "no files",
    doc: "Makes it a place for files: this, and what follows the location's prefix in the path.",
    example: "/var/www/chat/",
    check: folderIssues,
  },
  "location[].index": {
    kind: "strings",
    default: ["index.html"],
    doc: "Files that stand for a folder, the first that exists.",
    example: ["index.html", "index.htm"],
  },
  "location[].try_files": {
    kind: "strings",
    default: [],
    unset: "the file of the path",
    doc:
      "Files that are tried, the first that exists is served (a name that ends in / is a folder); the " +
      "last entry serves without any of them: a path of this server, @name of a location, or =404.",
    example: ["$uri", "$uri/", "/index.html"],
    check: tryFilesIssues,
  },
  "location[].autoindex": {
    kind: "flag",
    default: false,
    doc: "Lists what is in a folder that has no index.",
    example: true,
  },
  "location[].autoindex_format": {
    kind: "enum",
    values: ["html", "json"],
    default: "html",
    doc: "How it lists: html or json.",
    example: "json",
  },
  "location[].autoindex_exact_size": {
    kind: "flag",
    default: true,
    doc: "Says sizes in bytes, else rounded to K, M and G.",
    example: false,
  },
  "location[].autoindex_localtime": {
    kind: "flag",
    default: false,
    doc: "Says times in the server's zone, else in UTC.",
    example: true,
  },
  "location[].etag": {
    kind: "flag",
    default: true,
    doc: "Gives files an ETag.",
    example: false,
  },
  "location[].ranges": {
    kind: "flag",
    default: true,
    doc: "Sends a part of a file to who asks for one.",
    example: false,
  },
  "location[].if_modified_since": {
    kind: "enum",
    values: ["exact", "before", "off"],
    default: "before",
    doc:
      "When a file is not modified for a client that has it of a date: before is at that date or before " +
      "it, exact at that date only, off never.",
    example: "exact",
  },
  "location[].dotfiles": {
    kind: "flag",
    default: false,
    doc: "Serves files and folders whose names begin with a dot. `.well-known` is served anyway.",
    example: true,
  },
} as const satisfies Readonly<Record<string, Option>>;
