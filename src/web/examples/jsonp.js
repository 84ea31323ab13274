const at = (id) => document.getElementById(id);
// The position of the last answer cannot be read from a script, so each message carries its own.
let position = "";

function show(line) {
  const item = document.createElement("li");
  item.textContent = line;
  at("log").append(item);
  at("log").scrollTop = at("log").scrollHeight;
}

function poll() {
  const script = document.createElement("script");
  script.src = `../jsonp/example-jsonp?callback=received&_=${Date.now()}${position}`;
  script.onload = script.onerror = () => {
    script.remove();
    setTimeout(poll, 100);
  };
  at("state").textContent = "A script element waits for its answer …";
  document.head.append(script);
}

window.received = (messages) => {
  for (const { text, time, tag } of messages) {
    position = `&time=${encodeURIComponent(time)}&tag=${tag}`;
    show(text);
  }
};
poll();
