/** The Debian package on a real systemd: installed, upgraded while it serves, removed, purged. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { makePackage } from "../../scripts/package.ts";
import { binary } from "../binary/running-server.ts";
import { whyNot } from "./machine.ts";
import { ServiceMachine } from "./service-machine.ts";

const reason = whyNot() ?? (Bun.which("dpkg-deb") === null ? "dpkg-deb is missing" : null);
if (reason !== null) console.warn(`the test of the Debian package is skipped: ${reason}`);

describe.skipIf(reason !== null)("the Debian package", () => {
  let service: ServiceMachine;
  const debs = new Map<string, string>();
  beforeAll(async () => {
    service = await ServiceMachine.boot();
    for (const version of ["1.0", "1.1"]) {
      const request = { binary, architecture: process.arch === "arm64" ? "arm64" : "amd64", version };
      makePackage({ ...request, folder: service.machine.shared, compress: false });
      debs.set(version, `/mnt/host/sluice_${version}_${request.architecture}.deb`);
    }
  }, 300_000);
  afterAll(async () => {
    await service?.machine.powerOff();
  }, 60_000);

  test("installed, it serves", async () => {
    const { machine } = service;
    await machine.must(`dpkg -i ${debs.get("1.0")}`);
    expect(await machine.property("sluice", "ActiveState")).toBe("active");
    expect(await machine.property("sluice", "UnitFileState")).toBe("enabled");
    await machine.must(
      "dpkg --verify sluice && gzip -t /usr/share/man/man1/sluice.1.gz /usr/share/man/man5/sluice.toml.5.gz",
    );
    expect(await machine.must("stat -c '%a %U %G' /etc/sluice")).toBe("750 root sluice\n");
    await service.publish("kept", "over the upgrade");
  });

  test("`sluice install` does not meddle with it", async () => {
    const { code, err } = await service.machine.run("sluice install");
    expect(code).toBe(1);
    expect(err).toContain("Debian package");
  });

  test("an upgrade restarts it and keeps messages and an edited configuration", async () => {
    const { machine } = service;
    const main = await service.main();
    await machine.must("sed -i 's/^message_ttl.*/message_ttl = \"1h\"/' /etc/sluice/sluice.toml");
    await machine.must(`dpkg -i ${debs.get("1.1")}`);
    expect(await service.main()).not.toBe(main);
    expect(await service.stored("kept", 1)).toBe("over the upgrade\n");
    await machine.must("grep -q 1h /etc/sluice/sluice.toml");
  });

  test("an upgrade does not start what was stopped", async () => {
    const { machine } = service;
    await machine.must(`systemctl stop sluice && dpkg -i ${debs.get("1.1")}`);
    expect(await machine.property("sluice", "ActiveState")).toBe("inactive");
    await machine.must("systemctl start sluice");
  });

  test("removed, it has stopped and the configuration is still there", async () => {
    const { machine } = service;
    await machine.must("dpkg -r sluice");
    expect((await machine.run("systemctl is-active sluice || pgrep sluice || command -v sluice")).out).toBe(
      "inactive\n",
    );
    await machine.must("[ -f /etc/sluice/sluice.toml ]");
  });

  test("purged, nothing is left", async () => {
    const { machine } = service;
    await machine.must(`dpkg -i ${debs.get("1.0")} && dpkg -P sluice`);
    expect(await service.leftovers()).toEqual([]);
    expect((await machine.run("id sluice")).code).not.toBe(0);
  });
});
