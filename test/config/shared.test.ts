/**
 * `[shared.NAME]` of a TOML file and `sluice_shared_dict` of an nginx.conf: what they become, and their
 * faults.
 */
import { expect, test } from "bun:test";
import { buildConfig } from "../../src/config/build.ts";
import { formatFault } from "../../src/config/fault.ts";
import { readToml } from "../../src/config/toml.ts";
import { at, documentOf, faultsOf, translate } from "./nginx/translated.ts";

test("tables by name become dictionaries", () => {
  const outcome = readToml(
    '[shared.users]\nsize = "1MiB"\n[shared.limits-2]\nsize = 65536\npersist = true\n',
    "t.toml",
  );
  if (!outcome.ok) throw new Error(outcome.faults.map(formatFault).join());
  expect(buildConfig(outcome.values).shared).toEqual([
    { name: "users", size: 1024 ** 2, isPersistent: false },
    { name: "limits-2", size: 65_536, isPersistent: true },
  ]);
});

test("each fault is told, with its place", () => {
  const text = `shared.small.size = "4k"
[shared.none]
[shared."a/b"]
size = "1MiB"
[shared.more]
size = "1MiB"
sise = 3
persist = "yes"
`;
  const outcome = readToml(text, "t.toml");
  expect(outcome.ok ? [] : outcome.faults.map(formatFault)).toEqual([
    't.toml:1: shared.small.size = "4k": The size value must be at least 8KiB.',
    "t.toml:2: shared.none.size: size must be set.",
    't.toml:3: shared.a/b = "a/b": a name has 1 to 64 letters, digits, underscores and dashes.',
    "t.toml:7: shared.more.sise = 3: unknown option, did you mean size?",
    't.toml:8: shared.more.persist = "yes": persist must be true or false, not the text "yes".',
  ]);
  const other = readToml("shared = 3\n", "t.toml");
  expect(other.ok ? [] : other.faults.map(formatFault)[0]).toContain("write [shared.NAME]");
});

test("sluice_shared_dict of an nginx.conf, as lua_shared_dict", () => {
  const http = (lines: string): string =>
    `http { ${lines} server { listen 80; location / { sluice_handler a.ts; sluice_body stream; ` +
    "sluice_answer_linger 2m; sluice_answer_max_size 2m; } } }";
  const document = documentOf(http("sluice_shared_dict users 1m; sluice_shared_dict limits 64k persist;"));
  expect(document["shared"]).toEqual({
    users: { size: "1MiB" },
    limits: { size: "64KiB", persist: true },
  });
  expect(at(document, "location.0") ?? at(document, "server.0.location.0")).toMatchObject({
    body: "stream",
    answer_linger: "2m",
    answer_max_size: "2MiB",
  });
  const faulty = translate(
    http(
      "sluice_shared_dict a 1x; sluice_shared_dict b 1m; sluice_shared_dict b 1m; sluice_shared_dict c 1m x;",
    ),
  );
  expect(faultsOf(faulty)).toEqual([
    expect.stringContaining('invalid size "1x"'),
    expect.stringContaining('duplicate "sluice_shared_dict" name "b"'),
    expect.stringContaining('unknown parameter "x"'),
  ]);
});
