/**
 * The service on a real systemd: installed by the executable itself, used, reloaded, killed, stuck, upgraded,
 * stopped, removed. One machine for all, in this order.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { whyNot } from "./machine.ts";
import { ServiceMachine } from "./service-machine.ts";

const reason = whyNot();
if (reason !== null) console.warn(reason);

const SLOW = 120_000;
/** Nothing lost, nothing twice, nothing out of order. */
const exact = { lost: 0, duplicated: 0, disordered: 0, haveAll: true };
const measured = (what: string, value: string | number): void => console.log(`measured: ${what}: ${value}`);

const readme = readFileSync(join(import.meta.dir, "../../systemd/README.md"), "utf8");
/** What the README says that a command prints. */
const shownInReadme = (command: string): string =>
  readme.split(`\n$ ${command}\n`)[1]?.split(/^(?:\$|```)/m)[0] ?? "";
const withoutSizes = (text: string): string => text.replace(/\d+ bytes/g, "N bytes");

describe.skipIf(reason !== null)("a service of systemd", () => {
  let service: ServiceMachine;
  beforeAll(async () => {
    service = await ServiceMachine.boot();
  }, 300_000);
  afterAll(async () => {
    await service?.machine.powerOff();
  }, 60_000);

  test("install starts it, waits until it serves, and prints the address", async () => {
    const { machine } = service;
    const out = await machine.must("/mnt/host/sluice install");
    expect(withoutSizes(out)).toBe(withoutSizes(shownInReadme("sudo dist/sluice install")));
    expect(await machine.property("sluice", "ActiveState")).toBe("active");
    expect(await machine.property("sluice", "UnitFileState")).toBe("enabled");
    expect(await machine.property("sluice", "StatusText")).toContain("2 workers");
    expect(
      await machine.must("stat -c '%a %U %G' /etc/sluice /run/sluice /var/lib/sluice /var/log/sluice"),
    ).toBe("750 root sluice\n750 sluice sluice\n750 sluice sluice\n750 sluice sluice\n");
    expect(
      await machine.must(
        "ps -o user= -p $(systemctl show -P MainPID sluice) 2>/dev/null || stat -c %U " +
          "/proc/$(systemctl show -P MainPID sluice)",
      ),
    ).toBe("sluice\n");
    expect(await machine.must("find / -xdev -name '*.unfinished'")).toBe("");
  });

  test("installing it again changes nothing", async () => {
    const { machine } = service;
    const main = await service.main();
    const out = await machine.must("sluice install && sluice install --dry-run");
    expect(out).not.toContain("write ");
    expect(await service.main()).toBe(main);
  });

  test("publish and subscribe with curl", async () => {
    const { machine } = service;
    const reading = machine.run("curl -sN --max-time 2 http://127.0.0.1:8080/ev/news");
    await service.until(
      "curl -s 'http://127.0.0.1:8080/channels-stats?id=news' | grep -q '\"subscribers\": 1'",
    );
    await service.publish("news", "hello");
    expect((await reading).out).toContain("data: hello\n");
  });

  test("cold start: main's exec to READY=1", async () => {
    const { machine } = service;
    const times: number[] = [];
    for (let run = 0; run < 3; run++) {
      await machine.must("systemctl stop sluice && systemctl start sluice");
      const [exec = 0, active = 0] = (
        await machine.must(
          "systemctl show sluice -P ExecMainStartTimestampMonotonic -P ActiveEnterTimestampMonotonic",
        )
      )
        .trim()
        .split("\n")
        .map(Number);
      times.push((active - exec) / 1000);
    }
    measured("cold start to READY=1, 2 workers, ms", times.map((ms) => ms.toFixed(0)).join(" "));
    // The aim is 250; this only notices a start that waits for something.
    expect(Math.min(...times)).toBeLessThan(2000);
  });

  test(
    "a loop runs as fast inside the unit as outside: the compiler is on",
    async () => {
      const { machine } = service;
      const loop =
        "let x=1; const t=performance.now(); for (let i=0;i<3e8;i++) x=(x*31+i)|0; " +
        "console.log((performance.now()-t).toFixed(1), x)";
      await service.write(
        "/etc/systemd/system/jit.service.d/loop.conf",
        "[Service]\nType=oneshot\nNotifyAccess=none\nWatchdogSec=0\nRestart=no\nUnsetEnvironment=\n" +
          "Environment=BUN_BE_BUN=1\nExecStartPre=\nExecReload=\nExecStart=\n" +
          `ExecStart=/usr/local/bin/sluice -e "${loop}"\n`,
      );
      await machine.must(
        "cp /etc/systemd/system/sluice.service /etc/systemd/system/jit.service && sed -i " +
          "'s/^\\(Runtime\\|State\\|Logs\\|Configuration\\)Directory=.*//' " +
          "/etc/systemd/system/jit.service && systemctl daemon-reload",
      );
      const inside: number[] = [];
      const outside: number[] = [];
      for (let run = 0; run < 3; run++) {
        outside.push(Number.parseFloat(await machine.must(`BUN_BE_BUN=1 sluice -e '${loop}'`)));
        await machine.must("systemctl start jit");
        inside.push(
          Number.parseFloat(
            await machine.must("journalctl -u jit -o cat | grep -E '^[0-9]+\\.[0-9] -?[0-9]+$' | tail -1"),
          ),
        );
      }
      measured("loop inside / outside the unit, ms", `${Math.min(...inside)} / ${Math.min(...outside)}`);
      // Without the compiler it is 15 to 20 times slower.
      expect(Math.min(...inside)).toBeLessThan(Math.min(...outside) * 3);
    },
    SLOW,
  );

  test(
    "reload under load: nothing is lost, nothing comes twice",
    async () => {
      const { machine } = service;
      await service.configure();
      await machine.must("systemctl restart sluice");
      const main = await service.main();
      const load = await service.load(200, 200);
      await Bun.sleep(500);
      await machine.must("systemctl reload sluice");
      await Bun.sleep(500);
      const end = await load.end();
      measured("reload under load", JSON.stringify(end));
      expect(end).toMatchObject(exact);
      expect(end.reconnects).toBeGreaterThan(0);
      expect(await service.main()).toBe(main);
    },
    SLOW,
  );

  test(
    "a reload with a bad configuration fails with the faults, and the old one stays in force",
    async () => {
      const { machine } = service;
      const since = await service.now();
      await service.configure("wokers = 2");
      const { code } = await machine.run("systemctl reload sluice");
      await service.configure();
      expect(code).not.toBe(0);
      expect(await service.journal(since)).toContain("wokers");
      await service.publish("still", "here");
      expect(await machine.property("sluice", "ActiveState")).toBe("active");
    },
    SLOW,
  );

  test(
    "restart under load: resuming readers lose nothing",
    async () => {
      const { machine } = service;
      await machine.must("systemctl restart sluice");
      const load = await service.load(200, 200);
      await Bun.sleep(500);
      await machine.must("systemctl restart sluice");
      await Bun.sleep(500);
      const end = await load.end();
      measured("restart under load", JSON.stringify(end));
      expect(end).toMatchObject(exact);
    },
    SLOW,
  );

  test(
    "5,000 readers through a restart",
    async () => {
      const { machine } = service;
      const load = await service.load(5000, 50);
      await Bun.sleep(500);
      const started = performance.now();
      await machine.must("systemctl restart sluice");
      const restartMs = performance.now() - started;
      await service.until(
        "curl -s 'http://127.0.0.1:8080/channels-stats?id=load' | grep -q '\"subscribers\": 5000'",
        30_000,
      );
      const end = await load.end();
      measured("restart under 5,000 readers", `${restartMs.toFixed(0)} ms, ${JSON.stringify(end)}`);
      expect(end).toMatchObject(exact);
      expect(end.recoveryMs).toBeLessThan(30_000);
    },
    SLOW,
  );

  test(
    "SIGKILL of a worker: replaced, main and messages untouched",
    async () => {
      const { machine } = service;
      const main = await service.main();
      await service.publish("kept", "before");
      const [victim] = await service.workers();
      await machine.must(`kill -KILL ${victim}`);
      await service.until(`! [ -d /proc/${victim} ] && [ $(cat /proc/${main}/task/*/children | wc -w) = 2 ]`);
      expect(await service.main()).toBe(main);
      expect(await service.stored("kept", 1)).toBe("before\n");
    },
    SLOW,
  );

  test(
    "SIGKILL of main: systemd starts it again, messages are kept, no process is left over",
    async () => {
      const { machine } = service;
      const main = await service.main();
      const workers = await service.workers();
      await service.publish("survives", "one");
      await machine.must(`systemctl reset-failed sluice; kill -KILL ${main}`);
      await service.until(
        `[ $(systemctl show -P MainPID sluice) != ${main} ] && systemctl is-active -q sluice`,
      );
      await service.publish("survives", "two");
      expect(await service.stored("survives", 2)).toBe("one\ntwo\n");
      for (const worker of workers) expect((await machine.run(`[ -d /proc/${worker} ]`)).code).toBe(1);
      expect(await machine.property("sluice", "NRestarts")).toBe("1");
    },
    SLOW,
  );

  test(
    "SIGSTOP of a worker: killed and replaced, main stays",
    async () => {
      const { machine } = service;
      const main = await service.main();
      const [victim] = await service.workers();
      await machine.must(`kill -STOP ${victim}`);
      await service.until(
        `! [ -d /proc/${victim} ] && [ $(cat /proc/${main}/task/*/children | wc -w) = 2 ]`,
        40_000,
      );
      expect(await service.main()).toBe(main);
      await service.publish("after", "a stuck worker");
    },
    SLOW,
  );

  test(
    "SIGSTOP of main: the watchdog of systemd kills it, and it comes back with its messages",
    async () => {
      const { machine } = service;
      const main = await service.main();
      await service.publish("watched", "before");
      await machine.must(`systemctl reset-failed sluice; kill -STOP ${main}`);
      await service.until(
        `[ $(systemctl show -P MainPID sluice) != ${main} ] && systemctl is-active -q sluice`,
        60_000,
      );
      expect(await service.stored("watched", 1)).toBe("before\n");
      expect(await machine.must("journalctl -u sluice --no-pager | grep -ci watchdog")).not.toBe("0\n");
    },
    SLOW,
  );

  test(
    "another executable in place of a running one: workers come back, a restart makes it count",
    async () => {
      const { machine } = service;
      await service.publish("upgrade", "old");
      const main = await service.main();
      const [victim] = await service.workers();
      // Other bytes, same program: what follows the executable's own data is nobody's.
      await machine.must(
        "cp /mnt/host/sluice /tmp/newer && echo newer >>/tmp/newer && mv /tmp/newer /usr/local/bin/sluice",
      );
      await machine.must(`kill -KILL ${victim}`);
      await service.until(`[ $(cat /proc/${main}/task/*/children | wc -w) = 2 ] && ! [ -d /proc/${victim} ]`);
      await machine.must("systemctl reload sluice && curl -sf http://127.0.0.1:8080/health/ready");
      expect(await service.main()).toBe(main);
      const out = await machine.must("/mnt/host/sluice install");
      expect(out).toContain("systemctl restart sluice.service");
      expect(await service.main()).not.toBe(main);
      await service.publish("upgrade", "new");
      expect(await service.stored("upgrade", 2)).toBe("old\nnew\n");
    },
    SLOW,
  );

  test(
    "stop drains within its time and leaves nothing behind",
    async () => {
      const { machine } = service;
      const load = await service.load(50, 50);
      const started = performance.now();
      await machine.must("systemctl stop sluice");
      measured("stop with 50 readers, ms", (performance.now() - started).toFixed(0));
      load.kill();
      expect(await machine.property("sluice", "Result")).toBe("success");
      expect(await machine.property("sluice", "ActiveState")).toBe("inactive");
      expect((await machine.run("ls /run/sluice")).code).not.toBe(0);
    },
    SLOW,
  );

  test(
    "a bad configuration: start fails at once, with the faults in the journal, and does not go on trying",
    async () => {
      const { machine } = service;
      const since = await service.now();
      await service.configure("wokers = 2");
      const started = performance.now();
      const { code } = await machine.run("systemctl start sluice");
      measured("start with a bad configuration fails after, ms", (performance.now() - started).toFixed(0));
      expect(code).not.toBe(0);
      expect(await service.journal(since)).toContain("wokers");
      await service.until("systemctl is-failed -q sluice", 20_000);
      await Bun.sleep(1000);
      expect(await machine.property("sluice", "ActiveState")).toBe("failed");
      await machine.must("systemctl reset-failed sluice");
    },
    SLOW,
  );

  test(
    "instances live beside each other",
    async () => {
      const { machine } = service;
      for (const [name, port] of [
        ["blue", 8081],
        ["green", 8082],
      ] as const)
        await service.write(
          `/etc/sluice/${name}.toml`,
          `listen = ["127.0.0.1:${port}", "unix:/run/sluice@${name}/http.sock"]\nworkers = 1\n` +
            `[[location]]\nmatch = "= /pub"\npublisher = "admin"\nchannels_path = "$arg_id"\n`,
        );
      await machine.must("systemctl start sluice@blue sluice@green");
      await machine.must(
        "curl -sf -d x 'http://127.0.0.1:8081/pub?id=a' && systemctl reload sluice@blue && " +
          "systemctl stop sluice@green",
      );
      await machine.must(
        "curl -sf -d x --unix-socket /run/sluice@blue/http.sock 'http://localhost/pub?id=a'",
      );
      expect(await machine.must("stat -c %a /run/sluice@blue/http.sock")).toBe("666\n");
      await machine.must("systemctl stop sluice@blue && rm /etc/sluice/blue.toml /etc/sluice/green.toml");
    },
    SLOW,
  );

  test(
    "uninstall keeps data, uninstall --purge leaves nothing",
    async () => {
      const { machine } = service;
      await service.configure();
      await machine.must("systemctl start sluice && cp /usr/local/bin/sluice /tmp/sluice");
      await machine.must("rm -rf /etc/systemd/system/jit.service*");
      expect(await machine.must("sluice uninstall")).toContain("keep    /etc/sluice/sluice.toml");
      expect((await machine.run("command -v sluice || systemctl cat sluice")).code).not.toBe(0);
      await machine.must("id sluice && [ -f /etc/sluice/sluice.toml ]");
      await machine.must("/tmp/sluice install --no-start && sluice uninstall --purge && rm /tmp/sluice");
      expect(await service.leftovers()).toEqual([]);
      expect((await machine.run("id sluice")).code).not.toBe(0);
    },
    SLOW,
  );
});
