/** Which tests should notice a mistake, by the folder in which it is made. Used by ../mutants.ts. */
export interface Suites {
  readonly tests: readonly string[];
  /** They drive the binary. */
  readonly builds: boolean;
}

export const SUITES: Readonly<Record<string, Suites>> = {
  store: { tests: ["./test/store", "./test/fuzz/store.test.ts"], builds: false },
  "store/replica": { tests: ["./test/cluster/terms.test.ts", "./test/cluster/across.test.ts"], builds: true },
  fanout: { tests: ["./test/fanout", "./test/fuzz/fanout.test.ts"], builds: false },
  listen: { tests: ["./test/listen", "./test/fuzz/http1.test.ts"], builds: true },
  publish: { tests: ["./test/publish"], builds: true },
  subscribe: {
    tests: [
      "./test/delivery",
      "./test/subscribe",
      "./test/binary/idle-connections.test.ts",
      "./test/cluster/terms.test.ts",
    ],
    builds: true,
  },
  cluster: {
    tests: ["./test/cluster/entry.test.ts", "./test/cluster/terms.test.ts", "./test/cluster/across.test.ts"],
    builds: true,
  },
};

/** `store`, or `store/replica` where that has tests of its own. */
export function partOf(file: string): string {
  const [, outer = "", inner = ""] = file.split("/");
  return `${outer}/${inner}` in SUITES ? `${outer}/${inner}` : outer;
}
