/**
 * A message the server makes for one connection: no channel, time and tag 0, no event id or type (push-stream
 * spec 4.9, 4.10). The pings of stream-form.ts, the timed-out answers of poll.ts.
 */
import { Message } from "../store/message/message-view.ts";

export function serverMessage(id: number, text: string): Message {
  const m = new Message();
  const data = new TextEncoder().encode(text);
  m.id = id;
  m.reserve(data.length);
  m.bytes.set(data);
  m.dataLength = data.length;
  return m;
}
