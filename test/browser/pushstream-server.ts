/**
 * A server configured as PushStream pages expect it (push-stream spec 9.3), and a page of the same origin
 * that loads the client. Page and script are stored messages that polling locations answer with. Routing them
 * in by the browser's debugger would be shorter, but Chromium counts that as the public network and refuses
 * such a page a WebSocket to this machine.
 */
import type { Browser, Page } from "playwright-core";
import { pushStreamScript } from "../../src/web/pushstream-script.ts";
import { type RunningServer, startServer } from "../binary/running-server.ts";

const positions = `
channels_path = "$1"
last_received_message_time = "\${http_if_modified_since|arg_time}"
last_received_message_tag = "\${http_if_none_match|arg_tag}"
last_event_id = "\${http_last_event_id|arg_eventid}"
ping_message_interval = "400ms"
`;

const json =
  `message_template = '{"id":~id~,"channel":"~channel~","text":"~text~","tag":"~tag~","time":"~time~",` +
  `"eventid":"~event-id~"}'`;

/**
 * The head that such pages' configurations have: both sides lower the domain, then the frame makes itself
 * known.
 */
const frame = `
default_type = "text/html; charset=utf-8"
header_template = '''<html><head><script>
try { document.domain = location.hostname } catch {}
parent.PushStream.register(this);
</script></head><body>'''
message_template = "<script>p(~id~,'~channel~','~text~','~event-id~','~time~','~tag~');</script>"
footer_template = "</body></html>"
`;

/** At /ev, /ws, /sub, /lp connections last; at /brief/ev and so on the server ends them after 600 ms. */
const toml = ["", "/brief"]
  .flatMap((prefix) => {
    const ttl = prefix ? 'subscriber_connection_ttl = "600ms"\nlongpolling_connection_ttl = "600ms"' : "";
    const location = (name: string, mode: string, templates: string) =>
      `[[location]]\nmatch = "~ ^${prefix}/${name}/(.*)$"\nsubscriber = "${mode}"\n` +
      `${positions}${templates}\n${ttl}\n`;
    return [
      location("ev", "eventsource", json),
      location("ws", "websocket", `${json}\nwebsocket_allow_publish = true\nstore_messages = true`),
      location("sub", "streaming", frame),
      location("lp", "long-polling", json),
    ];
  })
  .concat(
    '[[location]]\nmatch = "= /pub"\npublisher = "admin"\nstore_messages = true\nchannels_path = "$arg_id"\n',
    '[[location]]\nmatch = "= /channels-stats"\nstatistics = true\nchannels_path = "$arg_id"\n',
    '[[location]]\nmatch = "= /page"\nsubscriber = "polling"\nchannels_path = "document.b1"\n' +
      'default_type = "text/html"\n',
    '[[location]]\nmatch = "= /pushstream.js"\nsubscriber = "polling"\nchannels_path = "script.b1"\n' +
      'default_type = "text/javascript"\n',
  )
  .join("\n");

export async function startPushServer(): Promise<RunningServer> {
  const server = await startServer({ toml });
  await server.publish("document", document);
  await server.publish("script", pushStreamScript());
  return server;
}

const document = `<!doctype html><meta charset="utf-8"><title>PushStream</title>
<script src="/pushstream.js"></script><script src="/pushstream.js"></script>
<script>
  // What the callbacks were told, in order.
  const told = [];
  function start(options, channels) {
    const client = new PushStream({ host: location.hostname, port: location.port, ...options });
    client.onmessage = (text, id, channel, eventid, isLast) => told.push(["message", text, channel, eventid]);
    client.onchanneldeleted = (channel) => told.push(["deleted", channel]);
    client.onstatuschange = (status) => told.push(["status", status]);
    client.onerror = ({ type }) => told.push(["error", type]);
    for (const [name, given] of Object.entries(channels)) client.addChannel(name, given);
    client.connect();
    return client;
  }
</script>`;

/** A tab with the document above, in a browser profile of its own. */
export async function openPushPage(browser: Browser, origin: string): Promise<Page> {
  const tab = await (await browser.newContext()).newPage();
  await tab.goto(`${origin}/page`);
  return tab;
}
