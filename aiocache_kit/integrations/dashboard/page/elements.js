// Elements of the page, made one by one.
//
// Rule 1: whatever the server says becomes text. There is no other way here: nothing takes markup.
// Rule 2: new figures change the elements that are there. What a viewer holds meanwhile, be it a button that is pressed
// half-way, the focus or a selection, stays. So listeners belong to elements that are made once.

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

// Let a node have these children, and change those that it has into them where they are of one kind.
export function renew(node, ...children) {
  const before = [...node.childNodes];
  children.forEach((child, at) => {
    const old = before[at];
    if (old === undefined) node.append(child);
    else if (old.nodeName !== child.nodeName || old.namespaceURI !== child.namespaceURI) old.replaceWith(child);
    else if (child.nodeType === Node.TEXT_NODE) write(old, child.data);
    else become(old, child);
  });
  for (const old of before.slice(children.length)) old.remove();
}

function write(text, data) {
  if (text.data !== data) text.data = data;
}

function become(old, child) {
  for (const name of old.getAttributeNames()) if (!child.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of child.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  renew(old, ...child.childNodes);
}

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
  renew(table, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...lines));
}
