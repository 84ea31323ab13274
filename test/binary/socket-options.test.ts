/**
 * What the kernel says of the sockets that clients are connected to, and what becomes of a client that
 * vanishes without a word: a network namespace whose cable is pulled. Needs `ss` and, for the last tests,
 * root and `ip` (both Debian's iproute2).
 */
import { afterAll, describe, expect, test } from "bun:test";
import { RawConnection } from "./raw-client.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const servers: RunningServer[] = [];
afterAll(async () => {
  for (const server of servers) await server.stop();
});

async function started(top: string): Promise<RunningServer> {
  const server = await startServer({ toml: layout(top), workers: 1 });
  servers.push(server);
  return server;
}

const run = (command: readonly string[]): { readonly ok: boolean; readonly out: string } => {
  const { success, stdout, stderr } = Bun.spawnSync([...command], { stdin: "ignore" });
  return { ok: success, out: stdout.toString() + stderr.toString() };
};
const hasSs = Bun.which("ss") !== null;

/** The line of the kernel's table for the one connection of a port. */
const connectionLine = (port: number): string =>
  run(["ss", "-Htno", "state", "established", "sport", "=", `:${port}`]).out;

describe.skipIf(!hasSs)("the kernel's table (ss, of iproute2)", () => {
  test.each([
    ['keepalive = "60s:10s:6"', /timer:\(keepalive,(?:1min|59sec|60sec)/],
    ["keepalive = true", /timer:\(keepalive,(?:1\d\dmin|2hour|119min|120min)/],
  ])("%s runs on an accepted connection", async (top, timer) => {
    const server = await started(top);
    const connection = await RawConnection.open(server.port);
    connection.request("/ev/a");
    await connection.head();
    await until("the timer shows", () => timer.test(connectionLine(server.port)));
    connection.close();
  });

  test.each(["", "keepalive = false"])("no timer with %p", async (top) => {
    const server = await started(top);
    const connection = await RawConnection.open(server.port);
    connection.request("/ev/a");
    await connection.head();
    expect(connectionLine(server.port)).not.toContain("keepalive");
    expect(connectionLine(server.port)).toContain(`:${server.port}`);
    connection.close();
  });

  test("the backlog is that of the configuration", async () => {
    const server = await started("backlog = 77");
    expect(run(["ss", "-Htln", "sport", "=", `:${server.port}`]).out).toMatch(/LISTEN\s+0\s+77\s/);
  });
});

test("a deferred connection is nobody's until it says something", async () => {
  const server = await started("deferred = true\ntcp_user_timeout = '20s'\nfastopen = 16");
  const connection = await RawConnection.open(server.port);
  connection.request("/pub?id=a", { method: "POST", body: "x" });
  expect((await connection.answer()).status).toBe(200);
  connection.close();
  expect(server.log).not.toContain("refused a socket option");
});

/** A second host on this machine: a namespace at the other end of a cable that can be pulled. */
class Host {
  readonly name = `sluice-${process.pid}`;
  readonly #cable = `sl${process.pid % 100_000}`;
  /** Our end of the cable. Its own net: another run, or one that was killed, may have left a cable behind. */
  readonly address = Host.#end(1);

  /** False where namespaces are not to be had. */
  plugIn(): boolean {
    const steps = [
      `ip netns add ${this.name}`,
      `ip link add ${this.#cable} type veth peer name eth0 netns ${this.name}`,
      `ip addr add ${this.address}/30 dev ${this.#cable}`,
      `ip link set ${this.#cable} up`,
      `ip -n ${this.name} addr add ${Host.#end(2)}/30 dev eth0`,
      `ip -n ${this.name} link set eth0 up`,
    ];
    return steps.every((step) => run(step.split(" ")).ok);
  }

  /** The ends of a net of four addresses are 1 and 2. */
  static #end(number: 1 | 2): string {
    const net = (process.pid * 4) & 0xffff;
    return `10.213.${net >> 8}.${(net & 0xff) + number}`;
  }

  pull(): void {
    run(["ip", "-n", this.name, "link", "set", "eth0", "down"]);
  }

  plugInAgain(): void {
    run(["ip", "-n", this.name, "link", "set", "eth0", "up"]);
  }

  remove(): void {
    run(["ip", "link", "del", this.#cable]);
    run(["ip", "netns", "del", this.name]);
  }
}

const host = new Host();
const canPlug = process.getuid?.() === 0 && Bun.which("ip") !== null && host.plugIn();
if (!canPlug) host.remove();
afterAll(() => {
  if (canPlug) host.remove();
});

/**
 * A location without a header template makes the address one of the door whose response heads go out early.
 */
const DOORS = [
  ["native", { sub: 'header_template = "."', ev: 'ping_message_interval = "1s"' }],
  ["wire", { ev: 'ping_message_interval = "1s"' }],
] as const;

test.skipIf(!canPlug).each(DOORS)(
  "clients whose cable was pulled are noticed by keepalive, %s (needs root and iproute2)",
  async (_, locations) => {
    const server = await startServer({
      toml: layout('keepalive = "1s:1s:2"', locations),
      workers: 1,
      host: "0.0.0.0",
    });
    servers.push(server);
    const paths = ["/sub/silent", "/sub/published", "/ev/pinged"];
    const clients = paths.map((path) =>
      Bun.spawn(
        ["ip", "netns", "exec", host.name, "curl", "-sN", `http://${host.address}:${server.port}${path}`],
        { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
      ),
    );
    const subscribers = async (): Promise<number> => (await server.summary()).subscribers;
    await until("they are there", async () => (await subscribers()) === paths.length);
    host.pull();
    await server.publish("published", "nobody acknowledges this");
    // The kernel's own count of retransmissions takes a quarter of an hour.
    await until("they are gone", async () => (await subscribers()) === 0, 20_000);
    for (const client of clients) client.kill("SIGKILL");
    host.plugInAgain();
  },
  30_000,
);
