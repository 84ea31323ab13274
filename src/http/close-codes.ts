/**
 * With which code a WebSocket ends, and when: sent by both listeners and by subscribe, written down in
 * docs/errors.md (`bun run tables`); a test provokes each that is sent.
 */
/** WebSocket close codes sluice sends (RFC 6455 7.4.1, IANA's registry, and 4000 up for applications). */
export const CloseCode = {
  GOING_AWAY: 1001,
  PROTOCOL: 1002,
  /** Never on the wire: the close frame had no code (RFC 6455 7.1.5). */
  NO_STATUS: 1005,
  NO_TEXT: 1007,
  POLICY: 1008,
  TOO_BIG: 1009,
  INTERNAL: 1011,
  /** Come back, another takes over. */
  SERVICE_RESTART: 1012,
  TRY_AGAIN: 1013,
  /** What was granted has ended: come back with a new token (src/access). */
  GRANT_ENDED: 4001,
  /** It was taken back: a token from before does not help. */
  GRANT_REVOKED: 4003,
} as const;

/**
 * When each close code is sent, for docs/errors.md. 1005 and 1006 are what a client sees when no code came.
 */
export const CLOSE_CODES: Readonly<Record<number, string>> = {
  [CloseCode.GOING_AWAY]: "the server stops, or the connection's time (subscriber_connection_ttl) is over",
  [CloseCode.PROTOCOL]:
    "the client broke RFC 6455: an unmasked frame, reserved bits, a length that is not minimal",
  [CloseCode.NO_STATUS]: "never sent: a close frame without a code",
  1006:
    "never sent: the connection broke, or a reader did not follow and was cut off; come back with the " +
    "position",
  [CloseCode.NO_TEXT]: "a text of the client is not UTF-8",
  [CloseCode.POLICY]: "refused; the reason is JSON with the status and the explanation of the table above",
  [CloseCode.TOO_BIG]: "a message of the client is larger than max_frame_size",
  [CloseCode.INTERNAL]: "a fault of ours, or of a hook; the reason is JSON",
  [CloseCode.SERVICE_RESTART]: "a reload: come back, others serve already",
  [CloseCode.TRY_AGAIN]:
    "refused for now (429, 503), or messages were lost and the template has no words for it",
  [CloseCode.GRANT_ENDED]: "the token has expired: come back with another, and the position",
  [CloseCode.GRANT_REVOKED]: "the token or its subject was taken back",
};
