const at = (id) => document.getElementById(id);
const SECONDS = 60;
const rates = new Array(SECONDS).fill(0);
let sinceLast = 0;

async function watch() {
  const { Sluice } = await import("../sluice.js");
  const client = new Sluice(new URL("..", location.href));
  client.on("state", ({ state, transport }) => {
    if (state === "open") at("state").textContent = `Watching the channel example-rate by ${transport}.`;
    if (state === "waiting") at("state").textContent = "Lost; connecting again.";
  });
  client.subscribe("example-rate", () => {
    sinceLast++;
  });
}

function draw() {
  const canvas = at("chart");
  const pen = canvas.getContext("2d");
  const { width, height } = canvas;
  const top = Math.max(10, ...rates);
  const step = width / SECONDS;
  const colour = getComputedStyle(document.body).getPropertyValue("--water");
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = colour;
  rates.forEach((rate, i) => {
    const bar = (rate / top) * (height - 24);
    pen.fillRect(i * step + 1, height - bar, step - 2, bar);
  });
  pen.font = "14px monospace";
  pen.fillText(`${top}/s`, 6, 16);
}

setInterval(() => {
  rates.shift();
  rates.push(sinceLast);
  at("rate").textContent = String(sinceLast);
  sinceLast = 0;
  draw();
}, 1000);
draw();

at("burst").onclick = async () => {
  for (let i = 0; i < 50; i++) await fetch("../pub?id=example-rate", { method: "POST", body: String(i) });
};
watch();
