const at = (id) => document.getElementById(id);
// One socket, two channels: what is said, and notices. The subprotocol tells which message is of which, and where to go on.
let position = "";

function show(line) {
  const item = document.createElement("li");
  item.textContent = line;
  at("log").append(item);
  at("log").scrollTop = at("log").scrollHeight;
}

function connect() {
  const resume = position === "" ? "" : `?eventid=${position}`;
  const channels = position === "" ? "example-chat.b10/example-notices" : "example-chat/example-notices";
  const url = new URL(`../ws/${channels}${resume}`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url, "sluice.json.v1");
  socket.onopen = () => {
    at("state").textContent = "Connected.";
    publish("example-notices", { name: at("name").value, text: "is here" });
  };
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.kind !== "message") return;
    position = message.position;
    const { name, text } = JSON.parse(message.data);
    show(message.channel === "example-chat" ? `${name}: ${text}` : `${name} ${text}`);
  };
  socket.onclose = () => {
    at("state").textContent = "Lost; connecting again.";
    setTimeout(connect, 1000);
  };
}

const publish = (channel, what) =>
  fetch(`../pub?id=${channel}`, { method: "POST", body: JSON.stringify(what) });

async function count() {
  const response = await fetch("../channels-stats?id=example-chat");
  const { subscribers = 0 } = response.ok ? await response.json() : {};
  at("presence").textContent = `${subscribers} in the room`;
}

connect();
setInterval(count, 2000);
count();
at("form").onsubmit = (event) => {
  event.preventDefault();
  publish("example-chat", { name: at("name").value, text: at("text").value });
  at("text").value = "";
};
