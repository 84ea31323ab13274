/** What stands for a secret wherever it would have to be remembered: nobody who reads a worker's memory or a core file finds it there. */
export const digestOf = (...texts: readonly string[]): string => {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const text of texts) {
    // With their lengths, so that no two lists of texts run together into one.
    hasher.update(`${text.length}:`);
    hasher.update(text);
  }
  return hasher.digest("base64");
};
