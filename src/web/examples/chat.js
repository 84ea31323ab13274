const at = (id) => document.getElementById(id);
function show(line) {
  const item = document.createElement("li");
  item.textContent = line;
  at("log").append(item);
  at("log").scrollTop = at("log").scrollHeight;
}

// One connection, two channels: what is said, and notices. The client comes back by itself and goes on where
// it was.
async function connect() {
  const { Sluice } = await import("../sluice.js");
  const client = new Sluice(new URL("..", location.href), {
    transports: ["websocket"],
    paths: { websocket: "room/" },
  });
  client.on("state", ({ state }) => {
    if (state === "open") at("state").textContent = "Connected.";
    if (state === "waiting") at("state").textContent = "Lost; connecting again.";
  });
  const say = (channel, text) => client.publish(channel, JSON.stringify({ name: at("name").value, text }));
  client
    .subscribe("example-notices", (message) => {
      const { name, text } = message.json();
      show(`${name} ${text}`);
    })
    .on("subscribed", ({ channel }) => say(channel, "is here"));
  client
    .subscribe("example-chat", { last: 10 }, (message) => {
      const { name, text } = message.json();
      show(`${name}: ${text}`);
    })
    .on("subscribed", readList)
    .on("presence", changed);
  at("form").onsubmit = (event) => {
    event.preventDefault();
    say("example-chat", at("text").value);
    at("text").value = "";
  };
}

// Who is there: the list once, then who comes and goes. Events have numbers, and so has the list: what is in
// it already is not taken twice, and what came while it was read comes on top of it.
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
