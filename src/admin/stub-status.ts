/**
 * nginx's stub_status, for the monitoring that reads it: connections and requests of all workers. The runtime
 * does not tell how many connections were accepted, so requests stand in that column, too; what is open is up
 * to a second old.
 */
import { SERVER } from "../http/answer.ts";
import { Counter } from "../store/counters.ts";
import type { Store } from "../store/store.ts";
import { liveSlots } from "./live-slots.ts";

export function stubStatus(store: Store): Response {
  const sum = (counter: Counter): number =>
    liveSlots(store).reduce((total, slot) => total + store.counters.get(slot, counter), 0);
  const requests = Math.max(1, sum(Counter.REQUESTS));
  // Whoever asks has a connection, and is written to.
  const active = Math.max(1, sum(Counter.CONNECTIONS));
  const writing = Math.min(active, sum(Counter.SUBSCRIBERS) + 1);
  const text =
    `Active connections: ${active} \nserver accepts handled requests\n ${requests} ${requests} ` +
    `${requests} \n` +
    `Reading: 0 Writing: ${writing} Waiting: ${active - writing} \n`;
  return new Response(text, {
    headers: { ...SERVER, "Content-Type": "text/plain", "Content-Length": String(text.length) },
  });
}
