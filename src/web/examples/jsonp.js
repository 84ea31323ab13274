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
  script.src = `/jsonp/example-jsonp?callback=received&_=${Date.now()}${position}`;
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

at("form").onsubmit = (event) => {
  event.preventDefault();
  // The message goes into a script as it is: it has to be JSON, and nothing may end the script early.
  const body = JSON.stringify(at("text").value).replaceAll("<", "\\u003c");
  // The page is sandboxed, as it runs what publishers write: it may send, and not read the answer.
  fetch("/pub?id=example-jsonp", { method: "POST", body, mode: "no-cors" });
};
