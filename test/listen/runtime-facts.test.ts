/**
 * What Bun's own server does and docs/doors.md tells of: when one of these changes, the page and the code
 * around it may.
 */
import { afterAll, expect, test } from "bun:test";
import { RawConnection } from "../binary/raw-client.ts";

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: ({ url, headers }) => new Response(`${url} ${headers.get("host")}`),
});
afterAll(() => server.stop(true));

test("the Host field stands above the authority of an absolute target", async () => {
  const connection = await RawConnection.open(server.port ?? 0);
  connection.send("GET http://other/x HTTP/1.1\r\nHost: me\r\n\r\n");
  expect((await connection.answer()).body.toString()).toBe("http://me/x me");
  connection.close();
});
