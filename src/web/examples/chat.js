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
  const url = new URL(`../room/${channels}${resume}`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url, "sluice.json.v1");
  socket.onopen = () => {
    at("state").textContent = "Connected.";
    publish("example-notices", { name: at("name").value, text: "is here" });
  };
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    position = message.position ?? position;
    if (message.kind === "hello") readList();
    if (message.kind === "presence" && message.channel === "example-chat") changed(message);
    if (message.kind !== "message") return;
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

// Who is there: the list once, then who comes and goes. Events have numbers, and so has the list: what is in it already is not
// taken twice, and what came while it was read comes on top of it.
const people = new Map();
let number = 0;
let early = null;

async function readList() {
  early = [];
  const list = await (await fetch("../presence/example-chat")).json();
  people.clear();
  for (const member of list.members) people.set(member.sub, member);
  number = list.number;
  const waiting = early ?? [];
  early = null;
  waiting.forEach(changed);
  draw();
}

function changed(event) {
  if (early !== null) early.push(event);
  else if (event.number > number) {
    number = event.number;
    if (event.event === "join") people.set(event.sub, event);
    else if (event.event === "leave") people.delete(event.sub);
    // Too many to be named, or some events are lost: the list knows.
    else readList();
    draw();
  }
}

function draw() {
  at("presence").textContent = `${people.size} in the room`;
  const items = [...people.keys()].map((sub) => {
    const item = document.createElement("li");
    item.textContent = `guest ${sub.slice(0, 4)}`;
    return item;
  });
  at("people").replaceChildren(...items);
}

connect();
at("form").onsubmit = (event) => {
  event.preventDefault();
  publish("example-chat", { name: at("name").value, text: at("text").value });
  at("text").value = "";
};
