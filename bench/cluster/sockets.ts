// A publisher that costs little: keep-alive connections, one request in flight on each, answers told by their
// end alone.

const HEAD_END = "\r\n\r\n";

export interface Rate {
  readonly perSecond: number;
  readonly refused: number;
}

function request(channel: string, bytes: number): Buffer {
  const head = `POST /pub?id=${channel} HTTP/1.1\r\nHost: b\r\nContent-Length: ${bytes}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.alloc(bytes, 0x61)]);
}

/** As many posts as the server takes, over so many connections. */
export async function hammer(
  port: number,
  connections: number,
  bytes: number,
  seconds: number,
): Promise<Rate> {
  let taken = 0;
  let refused = 0;
  let isOver = false;
  const one = (at: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const post = request(`bench-${at}`, bytes);
      let text = "";
      const socket = {
        open: (own: Bun.Socket<undefined>) => {
          own.write(post);
        },
        data: (own: Bun.Socket<undefined>, chunk: Buffer) => {
          text += chunk.toString("latin1");
          const end = text.indexOf(HEAD_END);
          const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
          if (end < 0 || text.length < end + HEAD_END.length + length) return;
          if (text.startsWith("HTTP/1.1 200")) taken++;
          else refused++;
          text = "";
          if (isOver) own.end();
          else own.write(post);
        },
        close: () => resolve(),
        error: (_own: Bun.Socket<undefined>, error: Error) => reject(error),
      };
      Bun.connect<undefined>({ hostname: "127.0.0.1", port, socket }).catch(reject);
    });
  const began = performance.now();
  const all = Array.from({ length: connections }, (_, at) => one(at));
  await Bun.sleep(seconds * 1000);
  isOver = true;
  const perSecond = (taken * 1000) / (performance.now() - began);
  await Promise.all(all);
  return { perSecond, refused };
}

/**
 * How long each of many subscribers waited for messages that carry the time they were sent at; milliseconds,
 * the last of all per message.
 */
export async function lastOf(
  subscribePort: number,
  publish: (text: string) => Promise<unknown>,
  subscribers: number,
  messages: number,
  everyMs: number,
): Promise<number[]> {
  const arrived = new Map<string, { count: number; lastMs: number; sentMs: number }>();
  const sockets: Bun.Socket<undefined>[] = [];
  for (let at = 0; at < subscribers; at++) {
    let isUp = false;
    const up = Promise.withResolvers<void>();
    const handlers = {
      data: (_own: Bun.Socket<undefined>, chunk: Buffer) => {
        const nowMs = performance.now();
        for (const [, name = ""] of chunk.toString("latin1").matchAll(/<(m\d+)>/g)) {
          const seen = arrived.get(name);
          if (seen === undefined) continue;
          seen.count++;
          seen.lastMs = nowMs - seen.sentMs;
        }
        if (isUp) return;
        isUp = true;
        up.resolve();
      },
    };
    const socket = await Bun.connect<undefined>({
      hostname: "127.0.0.1",
      port: subscribePort,
      socket: handlers,
    });
    socket.write("GET /ev/fan HTTP/1.1\r\nHost: b\r\n\r\n");
    sockets.push(socket);
    await up.promise;
  }
  await Bun.sleep(300);
  for (let at = 0; at < messages; at++) {
    const name = `m${at}`;
    arrived.set(name, { count: 0, lastMs: 0, sentMs: performance.now() });
    await Promise.all([publish(`<${name}>`), Bun.sleep(everyMs)]);
  }
  await Bun.sleep(500);
  for (const socket of sockets) socket.end();
  const whole = [...arrived.values()].filter(({ count }) => count === subscribers);
  if (whole.length < messages) throw new Error(`${messages - whole.length} messages did not reach everybody`);
  return whole.map(({ lastMs }) => lastMs);
}
