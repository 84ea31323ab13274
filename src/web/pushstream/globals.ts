/**
 * The two names the script leaves in a page: `PushStream`, the class, and `PushStreamManager`, an array of
 * all instances with each instance's `id` as its index (push-stream spec 9). Called once, by
 * pushstream-client.ts; tests call it with a window of their own.
 */
import type { BrowserWindow, FrameWindow } from "./browser.ts";
import { CLOSED, Client, CONNECTING, type GivenOptions, OPEN, type SendResult } from "./client.ts";
import { encodeText } from "./messages.ts";

const LEVELS: readonly string[] = ["error", "info", "debug"];
/** The log in the page shows its end only. */
const MOST_LOG_CHARACTERS = 20_000;

/** POSTs a text as publishers of the stock client do: URI-encoded, so that it survives any template. */
function post(
  page: BrowserWindow,
  url: string,
  text: string,
  ok?: SendResult | null,
  err?: SendResult | null,
): void {
  const request = new page.XMLHttpRequest();
  request.open("POST", url);
  request.setRequestHeader("Accept", "application/json");
  request.setRequestHeader("Content-type", "application/x-www-form-urlencoded");
  request.onload = () => (request.status === 200 ? ok : err)?.(request.responseText, request.status);
  request.onerror = () => err?.("", 0);
  request.send(encodeText(text));
}

export function makePushStream(page: BrowserWindow) {
  const instances: Client[] = [];

  class PushStream extends Client {
    static readonly CLOSED = CLOSED;
    static readonly CONNECTING = CONNECTING;
    static readonly OPEN = OPEN;
    /** "error", "info" or "debug"; anything else is silence. */
    static LOG_LEVEL = "error";
    /** An element of this id, if the page has one, shows the log, too. */
    static LOG_OUTPUT_ELEMENT_ID = "Log4jsLogOutput";

    constructor(options?: GivenOptions | null) {
      const id = instances.length;
      super({ page, id, log, post: (...parameters) => post(page, ...parameters) }, options ?? {});
      instances.push(this);
    }

    static sendMessage(url: string, text: string, ok?: SendResult | null, err?: SendResult | null): void {
      post(page, url, text, ok, err);
    }

    /** The stream mode's frame calls it with its window; the instance is in the frame's URL. */
    static register(frame: FrameWindow): void {
      // Until somebody takes it: scripts of a frame that nobody wants any more must find something to call.
      frame.p = () => undefined;
      const id = Number(/[?&]streamid=(\d{1,9})(?:&|$)/.exec(frame.location.href)?.[1] ?? -1);
      if (!instances[id]?.adoptFrame(frame)) log("info", "a frame registered that belongs to no instance");
    }
  }

  const log = (level: string, text: string): void => {
    if (LEVELS.indexOf(level) > LEVELS.indexOf(PushStream.LOG_LEVEL)) return;
    const line = `[PushStream] ${level}: ${text}`;
    page.console.log(line);
    const element = page.document.getElementById(PushStream.LOG_OUTPUT_ELEMENT_ID);
    if (element !== null)
      element.textContent = `${element.textContent ?? ""}${line}\n`.slice(-MOST_LOG_CHARACTERS);
  };

  return { PushStream, PushStreamManager: instances };
}
