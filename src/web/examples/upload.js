const [form, file, madeUp, progress, state, log] = [
  "form",
  "file",
  "made-up",
  "progress",
  "state",
  "log",
].map((id) => document.getElementById(id));
const name = crypto.getRandomValues(new Uint32Array(2)).join("-");
// Told by the server, of what it has: any page that knows the name may watch.
const told = new EventSource(`../ev/example-upload-${name}`);

told.onmessage = ({ data }) => {
  const { bytes, total, sha256 } = JSON.parse(data);
  progress.value = total > 0 ? bytes / total : 1;
  state.textContent = `The server has ${bytes.toLocaleString("en")} bytes.`;
  const item = document.createElement("li");
  item.textContent = sha256 === undefined ? `${bytes} of ${total}` : `all ${bytes}, SHA-256 ${sha256}`;
  log.append(item);
  log.scrollTop = log.scrollHeight;
};

async function send(body) {
  state.textContent = "Sending …";
  const response = await fetch(`upload/file?name=${name}`, { method: "POST", body });
  if (!response.ok) state.textContent = `Refused: ${response.status}.`;
}

form.onsubmit = (event) => {
  event.preventDefault();
  if (file.files.length > 0) send(file.files[0]);
};
madeUp.onclick = () => send(new Blob(Array.from({ length: 128 }, () => new Uint8Array(65536).fill(7))));
