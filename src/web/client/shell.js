/** The commands to copy: the same channel with curl and with sluice's own command line. */
import { channelsPath, publishPath, ROOT } from "./channel.js";
import { makeElement } from "./lane.js";

/** @typedef {import("./channel.js").Channel} Channel */

/** Where `sluice pub` and `sub` look when not told otherwise. */
const DEFAULT_BASE = "http://127.0.0.1:8080/";

/** @param {string} text */
const quote = (text) => (/^[\w.][\w.-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** @param {Channel} channel @returns {[string, string][]} */
function commandsFor(channel) {
  const { origin } = location;
  const base = origin + ROOT;
  const url = base === DEFAULT_BASE ? "" : ` --url ${base.replace(/\/$/, "")}`;
  const last = channel.last > 0 ? ` --last ${channel.last}` : "";
  const path = channelsPath(channel, channel.last);
  return [
    ["Publish", `curl -d 'hello from a shell' '${origin}${publishPath(channel)}'`],
    ["Publish with sluice", `sluice pub ${quote(channel.names.join("/"))} 'hello from a shell'${url}`],
    ["Events", `curl -N '${base}ev/${path}'`],
    ["Stream", `curl -N '${base}sub/${path}'`],
    ["Long poll", `curl -i '${base}lp/${channelsPath(channel, 0)}'`],
    ["WebSocket with sluice", `sluice sub ${channel.names.map(quote).join(" ")} --transport ws${last}${url}`],
  ];
}

/** @param {HTMLElement} list @param {Channel} channel @param {(text: string) => void} announce */
export function showCommands(list, channel, announce) {
  const rows = commandsFor(channel).flatMap(([name, command]) => {
    const code = makeElement("code", "", command);
    const button = makeElement("button", "", "Copy");
    button.setAttribute("aria-label", `Copy: ${name}`);
    button.setAttribute("type", "button");
    button.addEventListener("click", async () => {
      const copied = await copyText(command, code);
      button.textContent = copied ? "Copied" : "Selected";
      announce(copied ? `${name}: copied` : `${name}: selected, copy it with your keyboard`);
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    const cell = makeElement("dd", "", "");
    cell.append(code, button);
    return [makeElement("dt", "", name), cell];
  });
  list.replaceChildren(...rows);
}

/**
 * The clipboard is closed to pages without TLS on another machine; then the line is selected instead.
 * @param {string} text
 * @param {HTMLElement} element
 */
async function copyText(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection()?.selectAllChildren(element);
    return false;
  }
}
