const at = (id) => document.getElementById(id);
let position = {};

function show(line) {
  const item = document.createElement("li");
  item.textContent = line;
  at("log").append(item);
  at("log").scrollTop = at("log").scrollHeight;
}

async function poll() {
  at("state").textContent = "Waiting for the next message …";
  const response = await fetch("../lp/example-polls", { headers: position, cache: "no-store" });
  // Both go back with the next poll: messages published meanwhile are answered at once.
  const time = response.headers.get("Last-Modified");
  const tag = response.headers.get("Etag");
  if (time !== null) position = { "If-Modified-Since": time, "If-None-Match": tag ?? "" };
  if (response.ok) for (const line of (await response.text()).split("\n")) if (line !== "") show(line);
}

async function forever() {
  for (;;) {
    try {
      await poll();
    } catch {
      at("state").textContent = "Lost; trying again in a second.";
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}
forever();

at("form").onsubmit = (event) => {
  event.preventDefault();
  fetch("../pub?id=example-polls", { method: "POST", body: at("text").value });
};
