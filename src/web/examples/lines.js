const [start, stop, state, log] = ["start", "stop", "state", "log"].map((id) => document.getElementById(id));
let controller = null;

function show(line) {
  const item = document.createElement("li");
  item.textContent = line;
  log.append(item);
  log.scrollTop = log.scrollHeight;
}

start.onclick = async () => {
  controller = new AbortController();
  start.disabled = true;
  stop.disabled = false;
  state.textContent = "Reading the response while it grows …";
  try {
    const response = await fetch("lines/stream?count=10", { signal: controller.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) show(line);
    }
    state.textContent = "The server has ended the response.";
  } catch (error) {
    state.textContent = error.name === "AbortError" ? "Stopped." : String(error);
  }
  start.disabled = false;
  stop.disabled = true;
};
stop.onclick = () => controller.abort();
