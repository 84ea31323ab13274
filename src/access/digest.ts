/**
 * What stands for a secret wherever it would have to be remembered: nobody who reads a worker's memory or a
 * core file finds it there.
 */
export function digestOf(...texts: readonly string[]): string {
  let whole = "";
  // With their lengths, so that no two lists of texts run together into one.
  for (const text of texts) whole += `${text.length}:${text}`;
  return Bun.SHA256.hash(whole, "base64");
}
