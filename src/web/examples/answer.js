const [ask, callOff, state, answer] = ["ask", "call-off", "state", "answer"].map((id) =>
  document.getElementById(id),
);
// The address of the page names the answer: a reload, and a second tab, have the same.
const path = () => `answer/stream/${location.hash.slice(1)}`;

function watch() {
  const source = new EventSource(path());
  let pieces = 0;
  answer.textContent = "";
  ask.disabled = true;
  callOff.disabled = false;
  state.textContent = "Connecting …";
  const over = (text) => {
    source.close();
    state.textContent = text;
    ask.disabled = false;
    callOff.disabled = true;
  };
  source.onmessage = ({ data }) => {
    answer.textContent += data;
    state.textContent = `Watching: ${++pieces} pieces so far.`;
  };
  source.addEventListener("end", () => over(`That was all of it, in ${pieces} pieces.`));
  // Of the answer, with a text; or of the connection, after which the browser comes back with its position by
  // itself.
  source.addEventListener("error", ({ data }) => {
    if (data !== undefined) over(`It ended early: ${data}.`);
    else if (source.readyState === EventSource.CLOSED) over("That was all of it.");
    else state.textContent = "The connection broke; coming back …";
  });
  source.addEventListener("reset", () => {
    answer.textContent = "";
    pieces = 0;
  });
  source.addEventListener("gap", () => {
    answer.textContent += " […] ";
  });
}

ask.onclick = () => {
  location.hash = crypto.getRandomValues(new Uint32Array(2)).join("-");
  watch();
};
callOff.onclick = () => fetch(path(), { method: "DELETE" });
if (location.hash.length > 1) watch();
