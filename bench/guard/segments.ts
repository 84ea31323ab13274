// TCP segments with data that a server's sockets have sent, as the kernel counts them for each connection:
// what its writes are where ptrace is not allowed. Small messages that go out one at a time are one segment a
// write. Used by counts.ts.

/** null where there is no `ss`. Of all open connections whose own end is `port`. */
export function dataSegmentsSent(port: number): number | null {
  if (Bun.which("ss") === null) return null;
  const listing = Bun.spawnSync(["ss", "-tinH", "state", "established", `( sport = :${port} )`]);
  if (!listing.success) return null;
  let segments = 0;
  for (const [, count] of listing.stdout.toString().matchAll(/\bdata_segs_out:(\d+)/g))
    segments += Number(count);
  return segments;
}
