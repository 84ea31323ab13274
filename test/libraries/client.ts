/**
 * Programs of docs/clients.md, each in a process of its own, as a user would run it. Each says line by line
 * what it was given: `m` and a message, `g` and what it was told it lost, `c` and the code of a close.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");
const page = readFileSync(join(root, "docs/clients.md"), "utf8");

/** The functions that the page leaves to its reader, and what browsers have and node has not. */
const PRELUDES: Readonly<Record<Language, string>> = {
  js: `globalThis.window = globalThis;
globalThis.document = { hidden: false, addEventListener: () => {}, removeEventListener: () => {} };
const show = (text) => console.log("m " + text);
const lost = (gap) => console.log("g " + JSON.stringify(gap));
const closed = (code) => console.log("c " + code);
`,
  python: `import json
def show(text): print("m " + text, flush=True)
def lost(gap): print("g " + json.dumps(gap), flush=True)
def closed(code): print("c " + str(code), flush=True)
`,
  sh: `show() { sed 's/^/m /'; }
lost() { echo "g \\"$1\\""; }
`,
};

/** Debian's own python, since its packages are for that. */
const COMMANDS: Readonly<Record<Language, readonly string[]>> = {
  js: ["node", "--input-type=module", "-"],
  python: ["/usr/bin/python3", "-"],
  sh: ["sh", "-c"],
};

export type Language = "js" | "python" | "sh";

/** What a client was given, in its order. */
export type Heard =
  | { readonly kind: "message"; readonly channel: string; readonly number: number }
  | { readonly kind: "gap"; readonly channel: string; readonly missed: number | null };

/** The program below this heading. */
export function programOf(title: string): { readonly language: Language; readonly code: string } {
  const section = page.split(/^### /m).find((text) => text.startsWith(`${title}\n`));
  const block = /^```(js|python|sh)\n([\s\S]*?)^```$/m.exec(section ?? "");
  if (block === null) throw new Error(`docs/clients.md has no program for ${title}`);
  const [, language, code] = block;
  return { language: language as Language, code: code ?? "" };
}

/** Why it cannot run here, or null. */
export function missing(title: string, needs: string): string | null {
  const { language } = programOf(title);
  const probes: Readonly<Record<Language, string[]>> = {
    js: ["node", "--version"],
    python: ["/usr/bin/python3", "-c", `import ${needs}`],
    sh: [needs, "--version"],
  };
  const probe = probes[language];
  if (Bun.which(probe[0] ?? "") === null) return `no ${probe[0]}`;
  return Bun.spawnSync(probe, { stdout: "ignore", stderr: "ignore" }).success ? null : `no ${needs}`;
}

export class LibraryClient {
  readonly heard: Heard[] = [];
  readonly closeCodes: number[] = [];
  /** Of stderr, for when it goes wrong. */
  errors = "";
  readonly #newest = new Map<string, number>();
  readonly #process: Bun.Subprocess<"ignore" | Blob, "pipe", "pipe">;

  /** `scratch` is for its temporary files. */
  constructor(title: string, port: number, scratch: string) {
    const { language, code } = programOf(title);
    const address = `//127.0.0.1:${port}`;
    const here = code
      .replaceAll("https://push.example.org", `http:${address}`)
      .replaceAll("wss://push.example.org", `ws:${address}`);
    if (here.includes("example.org") || !here.includes(address)) throw new Error(`${title}: another address`);
    const text = PRELUDES[language] + here;
    const command = [...COMMANDS[language], ...(language === "sh" ? [text] : [])];
    // Modules named in a program from stdin are looked for from the working directory on.
    const stdin = language === "sh" ? "ignore" : new Blob([text]);
    const env = { ...process.env, TMPDIR: scratch };
    this.#process = Bun.spawn(command, { cwd: root, env, stdin, stdout: "pipe", stderr: "pipe" });
    void this.#readLines();
    void this.#readErrors();
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null;
  }

  /** Number of the newest message it was given on the channel, -1 before the first. */
  newest(channel: string): number {
    return this.#newest.get(channel) ?? -1;
  }

  async stop(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  async #readLines(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of this.#process.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line.slice(0, 1), line.slice(2));
    }
  }

  async #readErrors(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stderr)
      this.errors = (this.errors + decoder.decode(chunk, { stream: true })).slice(-4096);
  }

  #take(kind: string, text: string): void {
    if (kind === "c") {
      this.closeCodes.push(Number(text));
    } else if (kind === "g") {
      const gap: unknown = JSON.parse(text);
      for (const one of typeof gap === "string" ? gapsOf(gap) : [gap]) this.heard.push(asGap(one));
    } else {
      const [channel = "", number] = text.split(":");
      this.heard.push({ kind: "message", channel, number: Number(number) });
      this.#newest.set(channel, Number(number));
    }
  }
}

/** `news=3, sport=unknown` of the header field. */
const gapsOf = (field: string): readonly object[] =>
  field.split(", ").map((part) => {
    const [channel = "", missed = ""] = part.split("=");
    return { channel: decodeURIComponent(channel), missed: missed === "unknown" ? null : Number(missed) };
  });

function asGap(told: unknown): Heard {
  if (told === null || typeof told !== "object" || !("channel" in told) || !("missed" in told))
    throw new Error(`not a gap: ${JSON.stringify(told)}`);
  const { channel, missed } = told;
  return { kind: "gap", channel: String(channel), missed: missed === null ? null : Number(missed) };
}
