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
 * @param {HTMLElement} table
 * @param {readonly (readonly (Node | string)[])[]} rows
 */
export const rows = (table, rows) =>
  table.querySelector("tbody")?.replaceChildren(
    ...rows.map((cells) =>
      element(
        "tr",
        {},
        cells.map((cell) => element("td", {}, [cell])),
      ),
    ),
  );
