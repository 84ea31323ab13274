const at = (id) => document.getElementById(id);
const frame = at("frame");

function show(line) {
  const item = document.createElement("li");
  item.textContent = line;
  at("log").append(item);
  at("log").scrollTop = at("log").scrollHeight;
}

// The endless page is sandboxed by its own headers: what publishers write into it runs there and nowhere
// else.
window.onmessage = (event) => {
  // A ping is a call without a text.
  if (event.source !== frame.contentWindow || event.data === undefined) return;
  if (event.data === "ready") at("state").textContent = "The page is there, and stays.";
  else show(String(event.data));
};
frame.src = "../iframe/example-iframe";

at("form").onsubmit = (event) => {
  event.preventDefault();
  const body = JSON.stringify(at("text").value).replaceAll("<", "\\u003c");
  fetch("../pub?id=example-iframe", { method: "POST", body });
};
