const at = (id) => document.getElementById(id);
let socket = null;

function show(line) {
  const item = document.createElement("li");
  item.textContent = line;
  at("log").append(item);
  at("log").scrollTop = at("log").scrollHeight;
}

function connected(isOpen, words) {
  at("connect").disabled = isOpen;
  at("disconnect").disabled = !isOpen;
  at("send").disabled = !isOpen;
  at("state").textContent = words;
}

at("connect").onclick = () => {
  const url = new URL("echo/socket", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new WebSocket(url);
  socket.onopen = () => connected(true, "Connected.");
  socket.onmessage = (event) => show(`← ${event.data}`);
  socket.onclose = (event) => connected(false, `Closed, code ${event.code}.`);
};
at("disconnect").onclick = () => socket.close(1000);
at("clear").onclick = () => at("log").replaceChildren();
at("form").onsubmit = (event) => {
  event.preventDefault();
  socket.send(at("text").value);
  show(`→ ${at("text").value}`);
};
