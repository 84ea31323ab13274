/**
 * `proxy_pass` and `upstream`: one configuration, served by Debian's nginx and by sluice on both of its
 * listeners, in front of the same backend. What the backend was asked and what the client was answered is
 * compared, byte for byte but for the order of fields.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { ask, RawConnection, type RawRequest } from "../binary/raw-client.ts";
import { freePort, type RunningServer, until } from "../binary/running-server.ts";
import { startNginx as startSluice } from "../nginx/nginx-server.ts";
import { type FrontProxy, startNginx } from "./proxy.ts";
import { type RawBackend, startBackend } from "./raw-backend.ts";

setDefaultTimeout(60_000);

const DEAD = freePort();
let one: RawBackend;
let two: RawBackend;
let unix: RawBackend;
const socketPath = `/tmp/sluice-backend-${process.pid}.sock`;

const PAIR = join(import.meta.dir, "../config/nginx/corpus/ssl/push.example.org");
const secure = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  tls: { cert: readFileSync(`${PAIR}.pem`), key: readFileSync(`${PAIR}.key`) },
  fetch: async (request) => new Response(`${new URL(request.url).pathname} ${await request.text()}`),
});

const http = (port: number): string => {
  const to = `127.0.0.1:${one.port}`;
  return `
  map $http_upgrade $connection_upgrade { default upgrade; "" close; }
  upstream pair { server ${to} weight=2; server 127.0.0.1:${two.port}; }
  upstream failing { server 127.0.0.1:${DEAD}; server ${to}; }
  upstream spare { server 127.0.0.1:${DEAD} max_fails=1 fail_timeout=60s; server 127.0.0.1:${DEAD} down;
    server unix:${socketPath} backup; }
  upstream kept { server ${to}; keepalive 4; }
  upstream none { server ${to} down; }
  upstream least { least_conn; server ${to}; server 127.0.0.1:${two.port}; }
  upstream other { server ${to} max_fails=0; server 127.0.0.1:${two.port} max_fails=0; }
  server {
    listen 127.0.0.1:${port};
    server_name proxy.test;
    absolute_redirect on;
    underscores_in_headers on;
    client_max_body_size 100k;
    proxy_read_timeout 500ms;
    proxy_connect_timeout 1s;
    proxy_buffering off;
    location / { proxy_pass http://${to}; }
    location = /under { return 200 "$http_my_token"; }
    location /part/ { proxy_pass http://${to}/other/; }
    location /root/ { proxy_pass http://${to}/; }
    location = /exact { proxy_pass http://${to}/new?a=b; }
    location /cut { proxy_pass http://${to}/c; }
    location ~ ^/regex/(.*)$ { proxy_pass http://${to}; }
    location ~ ^/given/(.*)$ { proxy_pass http://${to}/g/$1?q=$arg_q; }
    location /named/ { try_files /none @behind; }
    location @behind { proxy_pass http://${to}; }
    location /stay/ { rewrite ^/stay/(.*)$ /moved/$1?x=1 break; proxy_pass http://${to}/ignored/; }
    location /inject/ { rewrite ^/inject/(.*)$ /moved?y=$1 break; proxy_pass http://${to}; }
    location /moved-to/ { proxy_redirect http://back.test/ http://seen.test$uri/;
      proxy_set_header X-Path $uri; proxy_pass http://${to}; }
    location /last/ { rewrite ^/last/(.*)$ /part/$1 last; }
    location /http11/ { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://${to}; }
    location /set/ {
      proxy_set_header Host $host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Scheme "$scheme:$server_port";
      proxy_set_header X-Empty "";
      proxy_set_header Accept-Encoding "";
      proxy_set_header X-Behind $proxy_host:$proxy_port;
      proxy_pass http://${to};
    }
    location /bare/ { proxy_pass_request_headers off; proxy_pass_request_body off;
      proxy_set_header Content-Length ""; proxy_pass http://${to}; }
    location /shown/ { proxy_hide_header X-Powered-By; proxy_pass_header Server; proxy_pass http://${to}; }
    location /pages/ {
      proxy_intercept_errors on; error_page 404 /page; error_page 503 =200 @behind; error_page 401 /page;
      proxy_pass http://${to};
    }
    location = /page { return 200 "the page"; }
    location /mapped/ { proxy_pass http://${to}/there/; }
    location /off/ { proxy_redirect off; proxy_pass http://${to}/there/; }
    location /rules/ {
      proxy_redirect http://back.test/ /front/;
      proxy_redirect ~^http://(\\w+)\\.test:81/(.*)$ http://$1.seen/$2;
      proxy_pass http://${to};
    }
    location /pair/ { proxy_pass http://pair; }
    location /failing/ { proxy_pass http://failing; }
    location /spare/ { proxy_pass http://spare; }
    location /none/ { proxy_pass http://none/; }
    location /kept/ { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://kept; }
    location /dead/ { proxy_pass http://127.0.0.1:${DEAD}; error_page 502 /page; }
    location /tries/ { proxy_next_upstream error http_500 http_503; proxy_pass http://other; }
    location /sock/ { proxy_pass http://unix:${socketPath}:/s/; }
    location /var/ { set $where ${to}; proxy_pass http://$where; }
    location /ws/ {
      proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_pass http://${to};
    }
    location /least/ {
      proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_pass http://least;
    }
    location /tls/ { proxy_pass https://127.0.0.1:${secure.port}; }
    location /tls-named/ { proxy_ssl_server_name on; proxy_ssl_name push.example.org; proxy_ssl_verify on;
      proxy_ssl_trusted_certificate ${PAIR}.pem; proxy_pass https://127.0.0.1:${secure.port}; }
    location /tls-other/ { proxy_ssl_verify on; proxy_ssl_name other.example.org;
      proxy_ssl_trusted_certificate ${PAIR}.pem; proxy_pass https://127.0.0.1:${secure.port}; }
    location /plain-ws/ { proxy_http_version 1.1; proxy_pass http://${to}; }
  }
`;
};

let nginx: FrontProxy;
const doors: { name: string; server: RunningServer }[] = [];

beforeAll(async () => {
  one = await startBackend("one");
  two = await startBackend("two");
  unix = await startBackend("unix", socketPath);
  nginx = await startNginx(http);
  for (const name of ["wire", "native"])
    doors.push({
      name,
      server: await startSluice(
        (port, folder) =>
          `pid ${folder}/nginx.pid; error_log ${folder}/error.log; events { } http { access_log off; ` +
          `sluice_listener ${name}; ${http(port)} }`,
      ),
    });
});

afterAll(async () => {
  await nginx?.stop();
  for (const { server } of doors) await server.stop();
  for (const backend of [one, two, unix]) backend?.stop();
  secure.stop(true);
});

/** What does not depend on who answers, or when. */
async function seen(port: number, path: string, request: RawRequest, hasPhrase: boolean): Promise<string> {
  const { statusLine, fields, body } = await ask(port, path, {
    ...request,
    headers: { Host: `proxy.test:${port}`, ...request.headers },
  });
  const kept = [...fields]
    .filter(
      ([name]) => !/^(?:date|server|connection|keep-alive|content-length|transfer-encoding)$/.test(name),
    )
    .toSorted()
    .map(([name, value]) => `${name}: ${value}`);
  const status = statusLine.replace("HTTP/1.0", "HTTP/1.1");
  return [hasPhrase ? status : status.slice(0, 12), ...kept, body.toString("latin1")]
    .join("\n")
    .replaceAll(String(port), "PORT")
    .replace(/<center>(?:nginx|sluice)[^<]*<\/center>/, "<center>server</center>");
}

const form = {
  method: "POST",
  body: "a=1&b=2",
  headers: { "Content-Type": "application/x-www-form-urlencoded" },
};

const CASES: readonly (readonly [path: string, request?: RawRequest])[] = [
  ["/"],
  ["/a%20b/../c%2fd?x=%20&y"],
  ["//double/a?"],
  [
    "/plain",
    { headers: { "X-One": "1", "X-Two": "a, b", Te: "trailers", "Keep-Alive": "9", Cookie: "a=b" } },
  ],
  ["/plain", { version: "1.0" }],
  ["/plain", { method: "PURGE" }],
  ["/plain", form],
  ["/plain", { method: "PUT", body: "x".repeat(60_000) }],
  ["/plain", { method: "PUT", body: "x".repeat(110_000) }],
  ["/plain", { method: "HEAD" }],
  ["/plain", { method: "POST", body: "" }],
  ["/part/a%20b/c?d=e"],
  ["/part/x/../y%2Fz"],
  ["/root/a?b"],
  ["/exact?c=d"],
  ["/cuts/x"],
  ["/regex/a%20b?c"],
  ["/given/a?q=1"],
  ["/named/a%20b?c=d", form],
  ["/stay/a?y=2"],
  ["/last/a%20b?y=2"],
  ["/http11/a"],
  ["/http11/a", form],
  ["/set/a", { headers: { "X-Forwarded-For": "1.2.3.4", "Accept-Encoding": "gzip", "X-Empty": "1" } }],
  ["/bare/a", { ...form, headers: { "X-One": "1" } }],
  ["/chunked"],
  ["/http11/chunked"],
  ["/endless"],
  ["/hop"],
  ["/nothing"],
  ["/hidden"],
  ["/shown/hidden"],
  ["/drop"],
  ["/slow"],
  ["/status-404"],
  ["/status-500"],
  ["/pages/status-404"],
  ["/pages/status-401"],
  ["/pages/status-500"],
  ["/pages/status-503"],
  ["/mapped/to-%2Frelative"],
  ["/off/to-http%3A%2F%2Fx.test%2Fa"],
  ["/rules/to-http%3A%2F%2Fback.test%2Fa"],
  ["/rules/to-http%3A%2F%2Fone.test%3A81%2Fb"],
  ["/rules/to-http%3A%2F%2Felse.test%2Fb"],
  ["/failing/a"],
  ["/failing/a", form],
  ["/spare/a"],
  ["/none/a"],
  ["/dead/a"],
  ["/tries/status-500"],
  ["/tries/status-500", form],
  ["/sock/a"],
  ["/tls/a", form],
  ["/tls-other/a"],
  ["/under", { headers: { my_token: "1" } }],
  ["/plain", { headers: { X_Under: "1", "X!": "2" } }],
  ["/var/a%20b?c"],
  ["/plain-ws/a", { headers: { Upgrade: "echo", Connection: "Upgrade" } }],
];

/** Bun's own listener resolves these before anybody sees them. */
const OF_WIRE: readonly string[] = ["/a%20b/../c%2fd?x=%20&y", "//double/a?", "/under"];

describe.each(["wire", "native"])("sluice on the %s listener", (door) => {
  const port = (): number => doors.find(({ name }) => name === door)?.server.port ?? 0;
  const isWire = door === "wire";

  test.each(
    CASES.filter(
      ([path, { headers = {} } = {}]) =>
        isWire || !(OF_WIRE.includes(path) || Object.keys(headers).some((name) => name.includes("_"))),
    ),
  )("answers as nginx does: %s %j", async (path, request = {}) => {
    const [theirs, ours] = await Promise.all([
      seen(nginx.port, path, request, isWire),
      seen(port(), path, request, isWire),
    ]);
    // Names of fields have lost their capitals there, which mean nothing (RFC 9110 5.1).
    if (isWire) expect(ours).toBe(theirs);
    else expect(ours.toLowerCase()).toBe(theirs.toLowerCase());
  });

  const get = (path: string, request: RawRequest = {}) =>
    ask(port(), path, { ...request, headers: { Host: "proxy.test", ...request.headers } });

  test("what is no answer is 502, and what comes before one is not passed on", async () => {
    expect((await get("/bad")).status).toBe(502);
    const early = await get("/early");
    expect([early.status, early.body.toString()]).toEqual([200, "ok"]);
  });

  test.each(["/inject/a%0d%0aX-Evil:%201%0d%0a", "/moved-to/%0d%0aX-Evil:%201/a"])(
    "%s begins no line of its own for the backend",
    async (path) => {
      const lines = (await get(path)).body.toString().split("\n");
      expect(lines.some((line) => line.startsWith("X-Evil"))).toBe(false);
      expect(lines[1]).toMatch(/^GET \S+ HTTP\/1\.0$/);
    },
  );

  test("a redirect made of a path begins no line of its own for the client", async () => {
    const { fields } = await get("/moved-to/%0d%0aX-Evil:%201/to-http%3A%2F%2Fback.test%2Fa");
    expect(fields.has("x-evil")).toBe(false);
    expect(fields.get("location")).toStartWith("http://seen.test/");
  });

  test("a backend whose certificate is its own is asked, where it is to be verified", async () => {
    const { status, body } = await get("/tls-named/a");
    expect([status, body.toString()]).toEqual([200, "/tls-named/a "]);
  });

  test("an answer that breaks off breaks the connection", async () => {
    const connection = await RawConnection.open(port());
    connection.request("/http11/short", { headers: { Host: "proxy.test" } });
    await until("the connection ends", () => connection.ended);
    expect(connection.peek()).not.toEndWith("0\r\n\r\n");
    connection.close();
  });

  test("requests go to servers by their weights", async () => {
    const before = [one.requests, two.requests];
    for (let i = 0; i < 9; i++) expect((await get("/pair/a")).status).toBe(200);
    expect([one.requests - (before[0] ?? 0), two.requests - (before[1] ?? 0)]).toEqual([6, 3]);
  });

  test("connections to a backend are kept for the next request, POST among them", async () => {
    await get("/kept/a");
    const before = one.opened;
    for (let i = 0; i < 5; i++) expect((await get("/kept/a", i % 2 === 0 ? form : {})).status).toBe(200);
    expect(one.opened - before).toBe(0);
  });

  test("a body in chunks goes on as it comes, in chunks to 1.1 and with its length to 1.0", async () => {
    for (const [path, line] of [
      ["/http11/a", "Transfer-Encoding: chunked"],
      ["/a", "Content-Length: 10"],
    ] as const) {
      const connection = await RawConnection.open(port());
      connection.send(
        `POST ${path} HTTP/1.1\r\nHost: proxy.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
      );
      connection.send("5\r\nworld\r\n0\r\n\r\n");
      const text = (await connection.answer()).body.toString();
      expect(text).toContain(line);
      expect(text).toEndWith("\nhelloworld");
      connection.close();
    }
  });

  test("a body in chunks that grows too long is 413", async () => {
    const connection = await RawConnection.open(port());
    connection.send("POST /http11/a HTTP/1.1\r\nHost: proxy.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (let i = 0; i < 4; i++) connection.send(`7530\r\n${"x".repeat(30_000)}\r\n`);
    expect((await connection.head()).status).toBe(413);
    connection.close();
  });

  test("when the client leaves, its request to the backend is over", async () => {
    const before = one.requests;
    const connection = await RawConnection.open(port());
    connection.request("/http11/slow", { headers: { Host: "proxy.test" } });
    await until("the backend is asked", () => one.requests > before);
    const open = one.open;
    connection.close();
    await until("the backend is left", () => one.open < open);
  });

  test("what was asked to change the protocol, and did, passes bytes both ways", async () => {
    const connection = await RawConnection.open(port());
    connection.send(
      "GET /ws/up HTTP/1.1\r\nHost: proxy.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
    );
    if (isWire) {
      expect((await connection.head()).status).toBe(101);
      await until("its first bytes", () => connection.peek() === "first");
      connection.send("and back");
      await until("its echo", () => connection.peek() === "firstand back");
      // nginx: idle for longer than proxy_read_timeout.
      await until("it is idle for too long", () => connection.ended);
    } else expect((await connection.head()).status).toBe(502);
    connection.close();
  });

  test("a server whose tunnels are closed gets as many requests as the others", async () => {
    for (let i = 0; i < 3; i++) {
      const connection = await RawConnection.open(port());
      connection.send(
        "GET /least/up HTTP/1.1\r\nHost: proxy.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
      );
      await connection.head();
      connection.close();
    }
    const answering = async (): Promise<string> => {
      const { body } = await ask(port(), "/least/a", { headers: { Host: "proxy.test" } });
      return body.toString().split("\n")[0] ?? "";
    };
    for (const name of ["one", "two"]) {
      let last = "";
      // The end of a tunnel takes a moment to be seen.
      await until(`${name} answers`, async () => {
        last = await answering();
        return last === name;
      });
      expect(await answering()).not.toBe(last);
    }
  });
});

test("who is slow to read stops the backend from being read, and gets all of it", async () => {
  const BYTES = 64 * 1024 * 1024;
  let sent = 0;
  const backend = Bun.listen<{ left: number }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        socket.data = { left: 0 };
      },
      data: (socket) => {
        socket.data.left = BYTES;
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BYTES}\r\n\r\n`);
        pump(socket);
      },
      drain: (socket) => pump(socket),
    },
  });
  const piece = Buffer.alloc(64 * 1024, 0x78);
  function pump(socket: Bun.Socket<{ left: number }>): void {
    while (socket.data.left > 0) {
      const taken = socket.write(piece, 0, Math.min(piece.length, socket.data.left));
      if (taken <= 0) return;
      sent += taken;
      socket.data.left -= taken;
    }
  }
  const server = await startSluice(
    (
      port,
      folder,
    ) => `pid ${folder}/nginx.pid; error_log ${folder}/e.log; events { } http { access_log off; server {
      listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${backend.port}; } } }`,
  );
  try {
    const socket = connect({ port: server.port, host: "127.0.0.1" });
    socket.pause();
    socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let before = -1;
    await until("nothing moves any more", async () => {
      const stands = sent > 0 && sent === before;
      before = sent;
      await Bun.sleep(200);
      return stands;
    });
    // What the buffers of the two connections hold, of 64 MiB.
    expect(sent).toBeLessThan(BYTES / 2);
    let came = 0;
    socket.on("data", (bytes) => {
      came += bytes.length;
    });
    socket.resume();
    await until("all of it came", () => came > BYTES);
    socket.destroy();
  } finally {
    await server.stop();
    backend.stop(true);
  }
});
