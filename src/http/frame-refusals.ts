/**
 * Refusals that no answer can carry. Apart from errors.ts, whose rows all are an HTTP status first: these
 * come when the WebSocket is open already. docs/errors.md has them in a table of their own.
 */
import { refusal } from "./refusal.ts";

/**
 * Of what a WebSocket client says: told in `refused` frames of our subprotocols and in close frames, never as
 * an answer.
 */
export const FrameRefusals = {
  faultyFrame: refusal(
    "faulty_frame",
    400,
    null,
    "the frame is not what the protocol has; `explain` says where",
  ),
  noPublishing: refusal(
    "no_publishing",
    403,
    "Nothing can be published here.",
    "the location has no websocket_allow_publish",
  ),
  noTokens: refusal(
    "no_tokens",
    403,
    "No token is asked for here.",
    "a `token` frame, where no grants are asked for",
  ),
  foreignChannel: refusal(
    "foreign_channel",
    403,
    "This connection may not publish to that channel.",
    "a `publish` frame names a channel that is not of this connection",
  ),
  noSubscribing: refusal(
    "no_subscribing",
    403,
    "No channels can be added to this connection.",
    "the location has no websocket_allow_subscribe, or the connection was opened without `sluice_positions`",
  ),
} as const;
