// Elements made and changed in place: what has the focus keeps it, and a screen reader keeps its line. Text only, never markup.

export const at = (id) => document.getElementById(id);

/** @param children  elements and texts */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Changes nothing when nothing is new. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param rows  each with `cells`, texts, the first of them the row's heading, and a `kind` for its looks */
export function setRows(body, rows) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach(({ cells, kind = "" }, i) => {
    const row = body.rows[i] ?? body.insertRow();
    if (row.className !== kind) row.className = kind;
    while (row.cells.length < cells.length) {
      row.append(row.cells.length === 0 ? make("th", { scope: "row" }) : make("td"));
    }
    for (const [column, text] of cells.entries()) setText(row.cells[column], text);
  });
}

/** @param entries  pairs of term and value; a third, exact value goes to `data-value` */
export function setTerms(list, entries) {
  entries.forEach(([term, text, exact], i) => {
    const pair = list.children[i] ?? list.appendChild(make("div", {}, make("dt"), make("dd")));
    setText(pair.children[0], term);
    setText(pair.children[1], text);
    if (exact !== undefined) pair.children[1].dataset.value = exact;
  });
  while (list.children.length > entries.length) list.lastElementChild.remove();
}
