/**
 * A TCP gate between the browser and a server: shut, it cuts every connection and takes no new one, while the
 * test can still publish to the server behind it.
 */
import { createServer, connect as dial, type Socket } from "node:net";

export interface Gate {
  /** What the browser opens. */
  readonly url: string;
  shut(): void;
  open(): void;
  close(): void;
}

/** Listens on 127.0.0.1:`port` and carries bytes to `target` both ways. */
export async function startGate(port: number, target: string): Promise<Gate> {
  const { hostname, port: targetPort } = new URL(target);
  const sockets = new Set<Socket>();
  let isOpen = true;
  const server = createServer((near) => {
    if (!isOpen) return void near.destroy();
    const far = dial(Number(targetPort), hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve, reject) =>
    server.once("error", reject).listen(port, "127.0.0.1", resolve),
  );
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${port}`,
    shut() {
      isOpen = false;
      cut();
    },
    open() {
      isOpen = true;
    },
    close() {
      cut();
      server.close();
    },
  };
}
