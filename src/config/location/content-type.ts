/**
 * Which content type the body of an answer has (push-stream spec 4.3): nginx's lookup in `types`, else
 * `default_type`.
 */
import type { LocationConfig } from "../model.ts";

/** nginx takes no longer ones for extensions. */
const MAX_EXTENSION = 32;

/** `path` is decoded. */
export function contentTypeOf({ types, defaultType }: LocationConfig, path: string): string {
  if (types.size === 0) return defaultType;
  const extension = extensionOf(path);
  return extension === "" ? defaultType : (types.get(extension) ?? defaultType);
}

/**
 * What follows the last dot of the last segment, in lower case; a dot that begins the segment is part of a
 * name.
 */
function extensionOf(path: string): string {
  const dot = path.lastIndexOf(".");
  if (dot <= path.lastIndexOf("/") + 1 || path.length - dot - 1 > MAX_EXTENSION) return "";
  return path.slice(dot + 1).toLowerCase();
}
