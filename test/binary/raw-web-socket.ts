/**
 * WebSocket as bytes over a RawConnection: the handshake is written by hand, frames are built and read bit by
 * bit (RFC 6455 5.2), so that tests can send what no client library would and see exactly what the server
 * sends.
 */
import { RawConnection, type RawHead } from "./raw-client.ts";

export const KEY = "/mQoZf6pRiv8+6o72GncLQ==";
export const ACCEPT = "RaIOIcQ6CBoc74B9EKdH0avYZnw=";

export const HANDSHAKE: Readonly<Record<string, string>> = {
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": KEY,
  "Sec-WebSocket-Version": "13",
};

export const Opcode = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
  /** The whole frame as it was on the wire. */
  readonly bytes: Buffer;
}

export interface FrameShape {
  /** The last fragment of its message; true unless said otherwise. */
  readonly fin?: boolean;
  /** Clients have to (RFC 6455 5.1); true unless said otherwise. */
  readonly masked?: boolean;
}

export class RawWebSocket {
  readonly head: RawHead;
  readonly connection: RawConnection;
  private constructor(connection: RawConnection, head: RawHead) {
    this.connection = connection;
    this.head = head;
  }

  /** Throws when the answer is not 101. */
  static async open(
    port: number,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    from?: string,
  ): Promise<RawWebSocket> {
    const connection = await RawConnection.open(port, from);
    connection.request(path, { headers: { ...HANDSHAKE, ...headers } });
    const head = await connection.head();
    if (head.status !== 101) throw new Error(`no upgrade: ${head.text}`);
    return new RawWebSocket(connection, head);
  }

  async frame(): Promise<Frame> {
    const parts = [await this.connection.read(2)];
    const [first = 0, second = 0] = parts[0] ?? [];
    let length = second & 0x7f;
    if (length >= 126) {
      const extended = await this.connection.read(length === 126 ? 2 : 8);
      length = length === 126 ? extended.readUInt16BE() : Number(extended.readBigUInt64BE());
      parts.push(extended);
    }
    const payload = await this.connection.read(length);
    return { opcode: first & 0x0f, payload, bytes: Buffer.concat([...parts, payload]) };
  }

  /** The next frame, which has to be a text frame. */
  async text(): Promise<string> {
    const { opcode, payload, bytes } = await this.frame();
    if (opcode !== Opcode.TEXT) throw new Error(`no text frame: ${bytes.toString("hex").slice(0, 200)}`);
    return payload.toString();
  }

  sendFrame(opcode: number, payload: string | Uint8Array = "", shape: FrameShape = {}): void {
    this.connection.send(clientFrame(opcode, payload, shape));
  }

  close(): void {
    this.connection.close();
  }
}

/** One frame from a client. */
export function clientFrame(
  opcode: number,
  payload: string | Uint8Array = "",
  { fin = true, masked = true }: FrameShape = {},
): Buffer {
  const data = Buffer.from(payload);
  const head = Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | opcode]), lengthBytes(data.length, masked)]);
  if (!masked) return Buffer.concat([head, data]);
  const mask = Buffer.from([0x12, 0x34, 0x56, 0x78]);
  return Buffer.concat([head, mask, data.map((byte, i) => byte ^ (mask[i % 4] ?? 0))]);
}

/** The head of a text or other final frame from the server with this payload length. */
export function serverFrameHead(opcode: number, length: number): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode]), lengthBytes(length, false)]);
}

function lengthBytes(length: number, masked: boolean): Buffer {
  const bit = masked ? 0x80 : 0;
  if (length <= 125) return Buffer.from([bit | length]);
  const bytes = Buffer.alloc(length <= 65535 ? 3 : 9);
  bytes[0] = bit | (length <= 65535 ? 126 : 127);
  if (length <= 65535) bytes.writeUInt16BE(length, 1);
  else bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}
