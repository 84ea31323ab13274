/**
 * The data of a message in a map that a client sent, on a WebSocket (client-frame.ts) or as a line of a batch
 * (publish/batch-reader.ts).
 */
export type Fields = Readonly<Record<string, unknown>>;

/** null: it is missing, or nothing that can be published. */
export type DataOf = (fields: Fields) => Uint8Array | null;

export const jsonData: DataOf = ({ data, data_base64: base64 }) => {
  if (data !== undefined && base64 !== undefined) return null;
  if (typeof data === "string") return Buffer.from(data);
  if (typeof base64 !== "string") return null;
  try {
    return Uint8Array.fromBase64(base64);
  } catch {
    // Buffer.from would publish as much of it as could be read.
    return null;
  }
};

export const msgpackData: DataOf = ({ data, data_base64: base64 }) => {
  if (base64 !== undefined) return null;
  if (typeof data === "string") return Buffer.from(data);
  return data instanceof Uint8Array ? data : null;
};
