// A proxy may have the server at another address, and below a path: what is typed in a shell has to go there.
{
  const lines = document.querySelector("code[data-origin]");
  const told = lines.dataset.origin;
  const seen = new URL("..", location.href).href.slice(0, -1);
  for (const [from, to] of [
    [told, seen],
    [told.replace("http", "ws"), seen.replace("http", "ws")],
  ])
    lines.textContent = lines.textContent.replaceAll(from, to);
}
