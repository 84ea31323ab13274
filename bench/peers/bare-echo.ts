// The ceiling of an echo: Bun.serve's native WebSockets and nothing else. `bun bench/peers/bare-echo.ts
// PORT`.

Bun.serve({
  port: Number(process.argv[2]),
  hostname: "127.0.0.1",
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response(null, { status: 426 })),
  websocket: {
    message(socket, data) {
      socket.send(data);
    },
    perMessageDeflate: false,
    idleTimeout: 0,
    sendPings: false,
  },
});
