/** What a client must not notice of which listener serves it. */
import { expect, test } from "bun:test";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { LISTENERS, startNginxWorker } from "./nginx-worker.ts";

const WEB_SOCKET = {
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
};

const serverWith = (locations: string) => (port: number) =>
  `server { listen 127.0.0.1:${port}; ${locations} }`;

test.each(LISTENERS)(
  "%s: a folder is where it was asked for, whatever a proxy makes of host and path",
  async (_listener, stream) => {
    const worker = startNginxWorker(serverWith(`${stream} location / { alias ${import.meta.dir}/; }`));
    try {
      const answer = await ask(worker.port, "/certificates", { headers: { Host: "example.org:81" } });
      expect(answer.status).toBe(301);
      expect(answer.fields.get("location")).toBe("./certificates/");
    } finally {
      worker.stop();
    }
  },
);

test.each(LISTENERS)(
  "%s: WebSockets are refused before they take the last descriptor",
  async (_listener, stream) => {
    const sockets = "location /ws { push_stream_subscriber websocket; push_stream_channels_path a; }";
    const maxDescriptors = 30;
    const worker = startNginxWorker(serverWith(`${stream} ${sockets}`), { maxDescriptors });
    const connections: RawConnection[] = [];
    const statuses: number[] = [];
    try {
      for (let i = 0; i < maxDescriptors + 5; i++) {
        const connection = await RawConnection.open(worker.port);
        connections.push(connection);
        connection.request("/ws", { headers: WEB_SOCKET });
        statuses.push((await connection.head()).status);
      }
      // One comes before the count is over.
      const room = statuses.indexOf(503);
      expect(room).toBeWithin(maxDescriptors - 1, maxDescriptors + 2);
      expect(new Set(statuses.slice(0, room))).toEqual(new Set([101]));
      expect(new Set(statuses.slice(room))).toEqual(new Set([503]));
    } finally {
      for (const connection of connections) connection.close();
      worker.stop();
    }
  },
);
