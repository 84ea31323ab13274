/** The console: which view is shown (the part of the address behind #), and what comes live into it. */
import { leave, publish, showList, showOne } from "./channels.js";
import { byId, element, renew, rows, tiles } from "./dom.js";
import { Live } from "./live.js";
import { Plots } from "./plots.js";
import { bytes, clock, count, duration, milliseconds, percent } from "./text.js";

const VIEWS = ["overview", "channels", "channel", "log"];
let view = "";
let readLines = 0;

const plots = new Plots(byId("plots"));
const live = new Live(show, (state) => {
  byId("state").dataset["state"] = state;
  byId("state-word").textContent = { connecting: "connecting", open: "live", lost: "lost" }[state];
});

function show() {
  const { last } = live;
  if (last !== undefined && view === "overview" && !document.hidden) showOverview(last);
  showLog();
}

/** @param {import("./live.js").Sample} sample */
function showOverview(sample) {
  tiles(byId("tiles"), [
    ["Connections", count(sample.connections)],
    ["Subscribers", count(sample.streams + sample.polls + sample.sockets)],
    ["Published/s", count(sample.published)],
    ["Delivered/s", count(sample.delivered)],
    ["Sent/s", bytes(sample.bytes)],
    ["Publish to write, p99", milliseconds(sample.latency)],
    ["Event loop late by", `${sample.lag.toFixed(1)} ms`],
    ["Channels", count(sample.channels)],
    ["Stored messages", count(sample.stored)],
    ["Store in use", percent(sample.store)],
    ["Workers replaced", count(sample.replaced)],
  ]);
  rows(
    byId("workers"),
    sample.workers.map(({ slot, pid, subscribers, lag }) => [
      `${slot}`,
      `${pid}`,
      count(subscribers),
      `${lag.toFixed(1)} ms`,
    ]),
  );
  plots.draw(live.samples);
}

function showLog() {
  const badge = byId("log-count");
  if (view === "log") readLines = live.lines.length;
  badge.hidden = live.lines.length <= readLines;
  badge.textContent = `${live.lines.length - readLines}`;
  if (view !== "log") return;
  byId("no-lines").hidden = live.lines.length > 0;
  renew(
    byId("lines"),
    live.lines.map(({ at, level, process, text }) =>
      element("li", { "data-level": level }, [
        element("span", { class: "meta" }, [`${clock(at)} · ${process} · ${level}`]),
        element("span", { class: "text" }, [text]),
      ]),
    ),
  );
}

function route() {
  const [name = "", ...rest] = location.hash.slice(1).split("/");
  view = VIEWS.includes(name) ? name : "overview";
  for (const one of VIEWS) byId(`view-${one}`).hidden = one !== view;
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = link.getAttribute("href") === `#${view === "channel" ? "channels" : view}`;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  leave();
  if (view === "channels") showList();
  if (view === "channel") showOne(channelOf(rest.join("/")));
  show();
}

/** @param {string} text */
function channelOf(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function tellAbout() {
  const answer = await fetch("about");
  if (!answer.ok) return;
  const { version, startedSec, listens, cluster } = await answer.json();
  const parts = [`version ${version}`, `up ${duration(Date.now() / 1000 - startedSec)}`, listens.join(", ")];
  if (cluster !== null) parts.push(`node ${cluster.node} of ${cluster.name}`);
  byId("about").textContent = parts.join(" · ");
}

byId("search").addEventListener("submit", (event) => event.preventDefault());
byId("search").addEventListener("input", () => showList());
byId("publish").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = /** @type {HTMLInputElement} */ (byId("publish-text"));
  const name = byId("title-channel").textContent ?? "";
  if (field.value !== "" && (await publish(name, field.value))) field.value = "";
});
addEventListener("hashchange", route);
document.addEventListener("visibilitychange", show);
setInterval(tellAbout, 60_000);
void tellAbout();
route();
