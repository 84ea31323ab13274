/**
 * sluice's own browser client with the documented behaviour of the nginx push stream module's
 * `pushstream.js`: same options, callbacks, URLs and reconnection (push-stream spec 9), none of its code. A
 * page that includes it as a classic script,
 *
 *   <script src="/pushstream.js"></script>
 *   <script>
 *     const { hostname: host, port } = location;
 *     const pushstream = new PushStream({ host, port: port || 80, modes: "websocket|longpolling" });
 *     pushstream.onmessage = (text, id, channel, eventid, isLastMessageFromBatch, time) => { … };
 *     pushstream.addChannel("news", { backtrack: 5 });
 *     pushstream.connect();
 *   </script>
 *
 * gets the globals `PushStream` and `PushStreamManager`; loaded again, the script changes nothing.
 *
 * This is the entry point of what pushstream-script.ts bundles for the browser. No server code imports it,
 * nor may it import server code: everything it is made of lies in pushstream/.
 */
import type { BrowserWindow } from "./pushstream/browser.ts";
import { makePushStream } from "./pushstream/globals.ts";

declare const window: BrowserWindow & Partial<ReturnType<typeof makePushStream>>;

if (window.PushStream === undefined) Object.assign(window, makePushStream(window));
