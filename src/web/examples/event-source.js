const at = (id) => document.getElementById(id);
// .b5: the last five stored messages first. On a reconnect the browser sends the last id it saw and gets what
// it missed.
const events = new EventSource("../ev/example-events.b5");

function show(line) {
  const item = document.createElement("li");
  item.textContent = line;
  at("log").append(item);
  at("log").scrollTop = at("log").scrollHeight;
}

events.onopen = () => {
  at("state").textContent = "Connected.";
};
events.onerror = () => {
  at("state").textContent = "Lost; the browser reconnects by itself.";
};
events.onmessage = (event) => show(event.data);
events.addEventListener("gap", (event) => show(`missed: ${JSON.parse(event.data).missed ?? "unknown"}`));

at("form").onsubmit = (event) => {
  event.preventDefault();
  fetch("../pub?id=example-events", { method: "POST", body: at("text").value });
};
