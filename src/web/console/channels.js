/**
 * The list of channels, and one channel with its last messages: asked for while they are shown, every two
 * seconds.
 */
import { byId, element, renew, rows, tiles } from "./dom.js";
import { bytes, clock, count, rate } from "./text.js";

const AGAIN_MS = 2000;

/**
 * Asks as long as a view is shown, one question at a time; what is answered after the view has gone is
 * dropped.
 */
class Asking {
  /** @type {AbortController | null} */
  #stop = null;

  /** @param {(signal: AbortSignal) => Promise<void>} ask */
  begin(ask) {
    this.end();
    const stop = new AbortController();
    this.#stop = stop;
    const again = async () => {
      while (!stop.signal.aborted) {
        try {
          if (!document.hidden) await ask(stop.signal);
        } catch (error) {
          // The server restarts, or the view has gone: the next one will tell.
          if (!(error instanceof TypeError || stop.signal.aborted)) throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    };
    void again();
  }

  end() {
    this.#stop?.abort();
    this.#stop = null;
  }
}

const asking = new Asking();

export const leave = () => asking.end();

export function showList() {
  const ask = async (/** @type {AbortSignal} */ signal) => {
    const query = new URLSearchParams({
      search: /** @type {HTMLInputElement} */ (byId("search-text")).value,
      sort: /** @type {HTMLSelectElement} */ (byId("sort")).value,
    });
    const answer = await fetch(`channels?${query}`, { signal });
    if (!answer.ok) return;
    const { total, rows: found } = await answer.json();
    byId("channels-note").textContent =
      total > found.length
        ? `${count(total)} channels, the first ${found.length}`
        : `${count(total)} channels`;
    rows(byId("channels"), found.map(channelRow));
  };
  asking.begin(ask);
}

/**
 * @param {{ name: string, subscribers: number, rate: number | null, stored: number, published: number }}
 * channel
 */
const channelRow = ({ name, subscribers, rate: perSecond, stored, published }) => [
  element("a", { href: `#channel/${encodeURIComponent(name)}` }, [name]),
  count(subscribers),
  rate(perSecond),
  count(stored),
  count(published),
];

/** @param {string} name */
export function showOne(name) {
  byId("title-channel").textContent = name;
  byId("publish-result").textContent = "";
  const list = byId("messages");
  list.replaceChildren();
  const ask = async (/** @type {AbortSignal} */ signal) => {
    const answer = await fetch(`channel?${new URLSearchParams({ id: name })}`, { signal });
    if (answer.status === 404) {
      tiles(byId("channel-facts"), [["State", "no such channel"]]);
      list.replaceChildren();
    }
    if (!answer.ok) return;
    const { subscribers, stored, published, workers, members, messages } = await answer.json();
    tiles(byId("channel-facts"), [
      ["Subscribers", count(subscribers)],
      ["Stored messages", count(stored)],
      ["Published messages", count(published)],
      ...(members === null ? [] : [/** @type {const} */ (["Present", count(members)])]),
      ...workers.map((/** @type {{ slot: number, subscribers: number }} */ worker) => [
        `On worker ${worker.slot}`,
        count(worker.subscribers),
      ]),
    ]);
    renew(list, messages.map(messageItem));
  };
  asking.begin(ask);
}

/**
 * @param {{ id: number, time: number, size: number, text: string, eventId: string | null, eventType: string |
 * null }} message
 */
function messageItem({ id, time, size, text, eventId, eventType }) {
  const meta = [`${id}`, clock(time * 1000), bytes(size), eventType ?? "", eventId ?? ""].filter(
    (one) => one !== "",
  );
  return element("li", {}, [
    element("span", { class: "meta" }, [meta.join(" · ")]),
    element("span", { class: "text" }, [text]),
  ]);
}

/**
 * @param {string} name
 * @param {string} text
 */
export async function publish(name, text) {
  const result = byId("publish-result");
  const answer = await fetch(`publish?${new URLSearchParams({ id: name })}`, { method: "POST", body: text });
  const why = answer.headers.get("X-Nginx-PushStream-Explain") ?? `answered ${answer.status}`;
  result.textContent = answer.ok ? "Sent." : why;
  return answer.ok;
}
