/** The little of a document that this page builds: text only, never markup, as what it shows is untrusted. */

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * @param {string} name
 * @param {Readonly<Record<string, string>>} attributes
 * @param {readonly (Node | string)[]} children
 */
export function element(name, attributes = {}, children = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/**
 * Terms and their values, made once and changed in place.
 * @param {HTMLElement} list
 * @param {readonly (readonly [term: string, value: string])[]} pairs
 */
export function tiles(list, pairs) {
  const terms = pairs.map(([term]) => term).join();
  if (list.dataset["terms"] !== terms)
    list.replaceChildren(
      ...pairs.map(([term]) => element("div", {}, [element("dt", {}, [term]), element("dd")])),
    );
  list.dataset["terms"] = terms;
  for (const [at, [, value]] of pairs.entries()) {
    const shown = list.children[at]?.lastElementChild;
    if (shown && shown.textContent !== value) shown.textContent = value;
  }
}

/**
 * Changes what differs and leaves the rest as it is: what somebody has selected or focused stays so, and a
 * table of hundreds of rows that is looked after every two seconds is not laid out anew each time.
 * @param {HTMLElement} table
 * @param {readonly (readonly (Node | string)[])[]} rows
 */
export function rows(table, rows) {
  const body = table.querySelector("tbody");
  if (body === null) return;
  while (body.children.length > rows.length) body.lastElementChild?.remove();
  for (const [at, cells] of rows.entries()) {
    const row = body.children[at] ?? body.appendChild(element("tr", {}, cells.map(emptyCell)));
    for (const [place, cell] of cells.entries()) fill(row.children[place], cell);
  }
}

const emptyCell = () => element("td");

/**
 * @param {Element | undefined} cell
 * @param {Node | string} what
 */
function fill(cell, what) {
  if (typeof what === "string" ? cell?.textContent === what : cell?.firstChild?.isEqualNode(what)) return;
  cell?.replaceChildren(what);
}

/**
 * The same for a list, whose entries move: all or nothing.
 * @param {HTMLElement} list
 * @param {readonly Node[]} entries
 */
export function renew(list, entries) {
  const { children } = list;
  if (children.length === entries.length && entries.every((entry, at) => children[at]?.isEqualNode(entry)))
    return;
  list.replaceChildren(...entries);
}
