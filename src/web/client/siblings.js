/**
 * Other open copies of this page in the same browser. On HTTP/1.1 a browser opens at most six connections to
 * a server, and a copy with everything connected holds three of them: with two copies, publishing would wait
 * for ever. So a second copy starts with the WebSocket only, which is not counted, and says why.
 */

const ANSWER_WITHIN_MS = 150;

/**
 * @param {() => number} countHeld HTTP connections this copy holds, for the others' sake
 * @returns {Promise<number>} HTTP connections that the other copies hold
 */
export function countSiblingConnections(countHeld) {
  const line = new BroadcastChannel("sluice-page");
  let held = 0;
  line.onmessage = ({ data }) => {
    if (data === "who is there?") line.postMessage(countHeld());
    else if (typeof data === "number") held += data;
  };
  line.postMessage("who is there?");
  return new Promise((resolve) => setTimeout(() => resolve(held), ANSWER_WITHIN_MS));
}
