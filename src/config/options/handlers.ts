/**
 * Rows of the option table about what handlers share: `[shared.NAME]`. Part of ../options.ts; the manual is
 * docs/handlers.md.
 */
import type { Option } from "../kinds.ts";

export const HANDLER_OPTIONS = {
  "shared[].size": {
    kind: "size",
    required: true,
    default: null,
    doc:
      "Memory of the dictionary, allocated in full at start. When it is full, those keys go that were " +
      "not used for longest.",
    example: "1MiB",
    min: "8KiB",
    max: "3GiB",
  },
  "shared[].persist": {
    kind: "flag",
    default: false,
    doc: "Whether what is in it outlives a restart of the server; it lies beside the store.",
    example: true,
  },
} as const satisfies Readonly<Record<string, Option>>;
