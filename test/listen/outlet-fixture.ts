/** Outlets of the wire listener on real sockets, with a client to each. */
import { connect, type Socket } from "node:net";
import { descriptorOf } from "../../src/listen/wire/kernel-send.ts";
import { Outlet, type TcpSocket } from "../../src/listen/wire/outlet.ts";

export class TestOutlet extends Outlet {
  whenRoomy: (() => void) | null = null;
  protected override roomy(): void {
    this.whenRoomy?.();
  }
  protected override moved(): void {
    // in no list
  }
  override retire(): void {
    // it stays
  }
  override cutOff(): void {
    this.socket.terminate();
    this.closed();
  }
  override closed(): void {
    if (!this.isClosed) this.leave();
  }
}

export interface Line {
  readonly outlet: TestOutlet;
  readonly client: Socket;
  /** Of the runtime's socket. */
  writes(): number;
}

/** `byRuntime`: descriptors are not used. The clients read nothing until they are told to. */
export async function openLines(count: number, byRuntime = false) {
  const lines: Line[] = [];
  const outlets = new Map<unknown, TestOutlet>();
  let next = Promise.withResolvers<{ outlet: TestOutlet; writes: () => number }>();
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        let writes = 0;
        const counted: TcpSocket = Object.assign(Object.create(null), {
          remoteAddress: "",
          write(bytes: Uint8Array, offset: number, length: number) {
            writes++;
            return socket.write(bytes, offset, length);
          },
          terminate: () => socket.terminate(),
        });
        const outlet = new TestOutlet(counted, byRuntime ? -1 : descriptorOf(socket));
        outlets.set(socket, outlet);
        next.resolve({ outlet, writes: () => writes });
      },
      data: () => undefined,
      drain: (socket) => outlets.get(socket)?.drained(),
      close: (socket) => outlets.get(socket)?.closed(),
    },
  });
  for (let i = 0; i < count; i++) {
    next = Promise.withResolvers();
    const client = connect(server.port, "127.0.0.1");
    client.pause();
    client.on("error", () => undefined);
    lines.push({ client, ...(await next.promise) });
  }
  const close = (): void => {
    for (const { client } of lines) client.destroy();
    server.stop(true);
  };
  return { lines, close };
}

/** Everything a client is sent, up to so many bytes. */
export function readOn({ client }: Line, bytes: number): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const parts: Buffer[] = [];
  let length = 0;
  client.on("data", (part: Buffer) => {
    parts.push(part);
    length += part.length;
    if (length >= bytes) resolve(Buffer.concat(parts));
  });
  client.on("close", () => resolve(Buffer.concat(parts)));
  client.resume();
  return promise;
}
