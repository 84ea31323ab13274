/**
 * nginx, haproxy and Caddy of Debian, each with a configuration of docs/behind-a-proxy.md, in front of a
 * sluice. Ports and addresses of the page are replaced, nothing else.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RawConnection } from "../binary/raw-client.ts";
import { freePort, until } from "../binary/running-server.ts";
import { temporaryPaths } from "../nginx-temporary.ts";

const page = readFileSync(join(import.meta.dir, "../../docs/behind-a-proxy.md"), "utf8");

/** The blocks of the page in this language, in its order. */
export const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
    ([, text]) => text ?? "",
  );

/** The text with one part of it replaced, which has to be there. */
export function replaced(text: string, part: string, by: string): string {
  if (!text.includes(part)) throw new Error(`${JSON.stringify(part)} is not on the page`);
  return text.replaceAll(part, by);
}

export interface FrontProxy {
  readonly port: number;
  readonly folder: string;
  stop(): Promise<void>;
}

/** `configure` writes what is needed into the folder and answers the command that stays in the foreground. */
export async function startProxy(
  configure: (port: number, folder: string) => readonly string[],
): Promise<FrontProxy> {
  const port = freePort();
  const folder = mkdtempSync(join(tmpdir(), "sluice-proxy-"));
  const child = Bun.spawn([...configure(port, folder)], {
    cwd: folder,
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    stdin: "ignore",
    stdout: Bun.file(join(folder, "out.log")),
    stderr: Bun.file(join(folder, "errors.log")),
  });
  const log = (): string => readFileSync(join(folder, "errors.log"), "utf8");
  await until(`the proxy listens on ${port}`, async () => {
    if (child.exitCode !== null) throw new Error(`the proxy ended with ${child.exitCode}:\n${log()}`);
    const connection = await RawConnection.open(port).catch(() => null);
    connection?.close();
    return connection !== null;
  });
  return {
    port,
    folder,
    stop: async () => {
      child.kill("SIGKILL");
      await child.exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Blocks of `http { … }`. */
export function startNginx(http: (port: number) => string): Promise<FrontProxy> {
  return startProxy((port, folder) => {
    writeFileSync(
      join(folder, "nginx.conf"),
      `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;
      events { worker_connections 256; }
      http { access_log off; ${temporaryPaths(folder)} ${http(port)} }`,
    );
    return ["nginx", "-p", folder, "-c", join(folder, "nginx.conf"), "-e", "stderr"];
  });
}

export function startHaproxy(text: string): Promise<FrontProxy> {
  return startProxy((port, folder) => {
    writeFileSync(join(folder, "haproxy.cfg"), replaced(text, "bind :80", `bind 127.0.0.1:${port}`));
    return ["haproxy", "-db", "-f", join(folder, "haproxy.cfg")];
  });
}

export function startCaddy(text: string): Promise<FrontProxy> {
  return startProxy((port, folder) => {
    const site = replaced(text, "push.example.org {", `http://push.example.org:${port} {`);
    writeFileSync(join(folder, "Caddyfile"), `{\nadmin off\nauto_https off\n}\n${site}`);
    return ["caddy", "run", "--adapter", "caddyfile", "--config", join(folder, "Caddyfile")];
  });
}
