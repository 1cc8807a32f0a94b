// Elements of the page, made one by one.
//
// Rule: whatever the server says becomes text. There is no other way here: nothing takes markup.

const DRAWN = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

function made(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children);
  return node;
}

export const element = (name, attributes = {}, ...children) => made(document.createElement(name), attributes, children);

export const drawn = (name, attributes = {}, ...children) =>
  made(document.createElementNS(DRAWN, name), attributes, children);

// Give a table its head and rows. A column is {title, of, kind}: `title` and what `of` gives for a row are texts or nodes,
// and kind "number" sets it to the right. The first column names the row.
export function fill(table, columns, rows) {
  const kind = (column) => (column.kind === "number" ? "number" : null);
  const heads = columns.map((column) => element("th", { scope: "col", class: kind(column) }, column.title));
  const lines = rows.map((row) =>
    element(
      "tr",
      { class: row.chosen ? "chosen" : null },
      ...columns.map((column, at) =>
        element(at ? "td" : "th", { scope: at ? null : "row", class: kind(column) }, column.of(row)),
      ),
    ),
  );
  table.replaceChildren(element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...lines));
}
