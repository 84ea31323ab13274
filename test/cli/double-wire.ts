/**
 * The bytes the server double speaks: event stream text, subprotocol frames, poll headers, statistics. Used by
 * server-double.ts.
 */
export interface Stored {
  readonly channel: string;
  readonly position: number;
  readonly id: number;
  readonly time: number;
  readonly tag: number;
  readonly eventType: string | null;
  readonly data: Uint8Array;
}

/** The double's store epoch, base 36. */
export const EPOCH = "k7x1";

/** Reads a token of this epoch; null for anything else. */
export const positionsOf = (token: string | null): number[] | null =>
  token?.startsWith(`${EPOCH}-`)
    ? token
        .slice(EPOCH.length + 1)
        .split(",")
        .map(Number)
    : null;

/** The answer form of push-stream spec 5.5. */
export const SUMMARY = `{"hostname": "double", "time": "2023-11-14T22:13:20", "channels": 2, "wildcard_channels": 0, "published_messages": 7, "stored_messages": 5, "messages_in_trash": 0, "channels_in_delete": 0, "channels_in_trash": 0, "subscribers": 3, "uptime": 93784, "by_worker": [\r
{"pid": "123", "subscribers": 3, "uptime": 93784}\r
]}\r
`;

export const HALF: Stored = {
  channel: "",
  position: 0,
  id: 0,
  time: 0,
  tag: 0,
  eventType: null,
  data: new TextEncoder().encode("half a message"),
};

export const pollHeaders = ({ tag }: Pick<Stored, "tag">): Record<string, string> => ({
  "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT",
  Etag: `W/${tag}`,
});

export function eventText({ data, eventType }: Stored, token: string | null): string {
  const lines = Buffer.from(data)
    .toString()
    .split(/[\r\n]+/);
  const type = eventType === null ? "" : `event: ${eventType}\n`;
  return `${token === null ? "" : `id: ${token}\n`}${type}${lines.map((line) => `data: ${line}\n`).join("")}\n`;
}

export function frameText({ channel, id, time, tag, eventType, data }: Stored, position: string): string {
  const text = Buffer.from(data).toString();
  const content = Buffer.from(text).equals(data) ? { data: text } : { data_base64: data.toBase64() };
  const type = eventType === null ? {} : { event_type: eventType };
  return JSON.stringify({
    kind: "message",
    channel,
    id,
    position,
    time,
    tag,
    ...type,
    ...content,
  });
}
