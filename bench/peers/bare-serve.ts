// The floor of a POST on the runtime's own HTTP server: reads the body and answers a constant. Started by
// peers/bare.ts. `bun bench/peers/bare-serve.ts PORT`.

Bun.serve({
  port: Number(process.argv[2]),
  hostname: "127.0.0.1",
  idleTimeout: 0,
  async fetch(request) {
    const body = await request.arrayBuffer();
    return new Response(body.byteLength > 0 ? "ok\n" : "empty\n");
  },
});
