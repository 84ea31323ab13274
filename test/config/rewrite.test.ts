/** Steps: nginx's `if`, `set`, `return` and `break`, from their texts to what they do with a request. */
import { describe, expect, test } from "bun:test";
import { buildConfig } from "../../src/config/build.ts";
import { formatFault } from "../../src/config/fault.ts";
import { locationValue } from "../../src/config/location/location-values.ts";
import { Locator } from "../../src/config/location/locator.ts";
import { conditionFault, returnFault, settingFault } from "../../src/config/location/rewrite.ts";
import { readToml } from "../../src/config/toml.ts";

function load(text: string) {
  const outcome = readToml(text, "t.toml");
  if (!outcome.ok) throw new Error(outcome.faults.map(formatFault).join("\n"));
  return buildConfig(outcome.values);
}

const client = { requestIP: () => ({ address: "192.0.2.1" }) };

/** Channels path and answer of a request to a configuration. */
function ask(text: string, path: string, headers: Record<string, string> = {}) {
  const config = load(text);
  const located = new Locator(config).look(new Request(`http://h${path}`, { headers }), client);
  if (located === null) throw new Error("malformed path");
  const location = config.locations[located.index];
  return {
    path: location === undefined ? null : locationValue(location, location.channelsPath)(located),
    returned: located.returned,
  };
}

const withSteps = (steps: string, match = "/pub"): string =>
  `[[location]]\nmatch = "${match}"\npublisher = "normal"\nchannels_path = "plain"\n${steps}`;

describe("conditions", () => {
  test.each([
    ["$arg_a", "/pub?a=1", true],
    ["$arg_a", "/pub?a=", false],
    ["$arg_a", "/pub?a=0", false],
    ["$arg_a", "/pub", false],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: nginx's own way to write a variable
    ["${arg_a}", "/pub?a=on", true],
    ["$arg_a = on", "/pub?a=on", true],
    ["$arg_a = on", "/pub?a=ON", false],
    ['$arg_a = "on"', "/pub?a=on", true],
    ['$arg_a = "a \\" b"', "/pub?a=x", false],
    ["$arg_a = $arg_b", "/pub?a=x&b=x", true],
    ["$arg_a != on", "/pub?a=off", true],
    ['$arg_a = ""', "/pub", true],
    ["$arg_a ~ ^o", "/pub?a=on", true],
    ["$arg_a ~ ^O", "/pub?a=on", false],
    ["$arg_a ~* ^O", "/pub?a=on", true],
    ["$arg_a !~ ^o", "/pub?a=on", false],
    ["$arg_a !~* ^O", "/pub?a=x", true],
    ['$http_x ~ "a b"', "/pub", true],
    ["$request_method = GET", "/pub", true],
  ])("%s on %s is %p", (condition, path, holds) => {
    const step = `[[location.step]]\nif = '${condition}'\nchannels_path = "changed"`;
    expect(ask(withSteps(step), path, { x: "a b" }).path).toBe(holds ? "changed" : "plain");
  });

  test.each([
    ["arg_a"],
    ["$"],
    ["$arg_a ="],
    ["$arg_a == b"],
    ["$arg_a = b c"],
    ["$nothing_of_ours"],
    ["$arg_a ~ ("],
    ["$arg_a ~ ^(x*)*\\1$"],
  ])("%s is none", (condition) => {
    expect(conditionFault(condition, new Set())).toBeString();
  });
});

describe("steps", () => {
  test("the last condition that holds decides, and nothing of the others is left", () => {
    const steps = `
[[location.step]]
if = "$arg_a"
channels_path = "a"
store_messages = true
[[location.step]]
if = "$arg_b"
channels_path = "b"
`;
    expect(ask(withSteps(steps), "/pub?a=1").path).toBe("a");
    expect(ask(withSteps(steps), "/pub?a=1&b=1").path).toBe("b");
    const config = load(withSteps(steps));
    const located = new Locator(config).look(new Request("http://h/pub?a=1&b=1"), client);
    expect(config.locations[located?.index ?? -1]?.storeMessages).toBe(false);
  });

  test("captures of a condition are those of the location from then on", () => {
    const steps = `[[location.step]]\nif = '$arg_a ~ "^(.)(.)"'\nchannels_path = "$2$1"`;
    expect(ask(withSteps(steps), "/pub?a=xy").path).toBe("yx");
  });

  test("set variables are there for later steps and for values", () => {
    const steps = `
[[location.step]]
set = ["$room lobby", "$both $room-$arg_a"]
[[location.step]]
if = "$room = lobby"
channels_path = "$both"
`;
    expect(ask(withSteps(steps), "/pub?a=%20x").path).toBe("lobby- x");
  });

  test("break ends the steps", () => {
    const steps = `[[location.step]]\nif = "$arg_a"\nbreak = true\n[[location.step]]\nreturn = "403"`;
    expect(ask(withSteps(steps), "/pub?a=1").returned).toBeNull();
    expect(ask(withSteps(steps), "/pub").returned).toEqual({ status: 403, text: null });
  });

  test("steps of a server come before its locations", () => {
    const text = `
[[server]]
listen = "127.0.0.1:80"
[[server.step]]
set = "$who x$arg_a"
[[server.step]]
if = '$who = "xstop"'
return = "410 gone $arg_a"
[[server.location]]
match = "/pub"
publisher = "normal"
channels_path = "$who"
`;
    expect(ask(text, "/pub?a=1").path).toBe("x1");
    expect(ask(text, "/pub?a=stop").returned).toEqual({ status: 410, text: "gone stop" });
  });
});

describe("returns", () => {
  test.each([
    ["403", { status: 403, text: null }],
    ["200 hello $arg_a", { status: 200, text: "hello 1" }],
    ["301 https://x.org/$arg_a", { status: 301, text: "https://x.org/1" }],
    ["https://x.org/", { status: 302, text: "https://x.org/" }],
    ["$scheme://x.org$uri", { status: 302, text: "http://x.org/pub" }],
  ])("%s", (text, returned) => {
    const step = `[[location.step]]\nreturn = "${text}"`;
    expect(ask(withSteps(step), "/pub?a=1").returned).toEqual(returned);
  });

  test.each([["9"], ["abc"], ["1000"], ["/path"], ["200 $nothing"]])("%s is none", (text) => {
    expect(returnFault(text, new Set())).toBeString();
  });

  test.each([["x 1"], ["$x"], ["$x $nothing"]])("set %s is none", (text) => {
    expect(settingFault(text, new Set())).toBeString();
  });
});

describe("a client cannot make a regex of a condition run for minutes", () => {
  test("what differs in case only is alike to ~*", () => {
    expect(conditionFault('$http_user_agent ~* "^(a|A)+b\\1$"', new Set())).toContain("far too long");
    expect(conditionFault('$http_user_agent ~ "^(a|A)+b\\1$"', new Set())).toBeNull();
  });

  test("a text that is longer than the regex takes is refused, not looked at in part", () => {
    const refusing = withSteps('[[location.step]]\nif = \'$arg_a !~ "^x*x*x*$"\'\nreturn = "403"');
    const long = "x".repeat(8192);
    expect(ask(refusing, `/pub?a=${long}`).returned).toBeNull();
    expect(ask(refusing, `/pub?a=${long}y`).returned).toEqual({ status: 414, text: null });
  });

  test("a regex of one open part takes any text there can be in a head", () => {
    const refusing = withSteps('[[location.step]]\nif = \'$arg_a !~ "^x*$"\'\nreturn = "403"');
    const long = "x".repeat(70_000);
    expect(ask(refusing, `/pub?a=${long}`).returned).toBeNull();
    expect(ask(refusing, `/pub?a=${long}y`).returned?.status).toBe(403);
  });
});
