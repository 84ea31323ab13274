const at = (id) => document.getElementById(id);
const canvas = at("canvas");
const pen = canvas.getContext("2d");
let count = 0;
let isRunning = false;

function draw() {
  const { width, height } = canvas;
  const angle = count / 8;
  pen.fillStyle = `hsl(${(count * 3) % 360} 45% 30%)`;
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = "#fff";
  pen.beginPath();
  pen.arc(width / 2 + Math.cos(angle) * 90, height / 2 + Math.sin(angle) * 50, 14, 0, 7);
  pen.fill();
  pen.font = "20px monospace";
  pen.fillText(`frame ${count}`, 12, 28);
}

// Each frame is a message; the location's template puts it into a multipart response that an <img> draws.
async function send() {
  if (!isRunning) return;
  count++;
  draw();
  const frame = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.7));
  await fetch("../pub?id=example-film", { method: "POST", body: frame });
  at("state").textContent = `${count} frames sent.`;
  setTimeout(send, 100);
}

at("start").onclick = () => {
  isRunning = true;
  at("start").disabled = true;
  at("stop").disabled = false;
  send();
};
at("stop").onclick = () => {
  isRunning = false;
  at("start").disabled = false;
  at("stop").disabled = true;
};
draw();
