"use strict";
// All that a run says becomes text nodes here. Nothing is parsed as HTML.
const SVG = "http://www.w3.org/2000/svg";
const data = JSON.parse(document.getElementById("data").textContent);

function put(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  for (const child of children.flat(3)) {
    if (child !== null && child !== undefined && child !== false && child !== "") node.append(child);
  }
  return node;
}
const el = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);
const shape = (tag, attributes, ...children) => put(document.createElementNS(SVG, tag), attributes, children);

// What others have named: control characters as pictures, its direction on its own.
const visible = (text) => String(text).replace(/[\u0000-\u001f\u007f]/g,
  (each) => String.fromCharCode(each === "\u007f" ? 0x2421 : 0x2400 + each.charCodeAt(0)));
const said = (text, attributes) => el("bdi", { dir: "auto", ...attributes }, visible(text));

function grouped(rows, of) {
  const found = new Map();
  for (const row of rows) found.set(of(row), [...(found.get(of(row)) || []), row]);
  return found;
}
const integer = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const count = (number) => integer.format(number || 0);
const counted = (number, noun) => `${count(number)} ${number === 1 ? noun : noun + "s"}`;
const precise = (number, digits) => number.toLocaleString("en-US", { maximumFractionDigits: digits });

function bytes(number) {
  const units = ["B", "KB", "MB", "GB", "TB", "PB"];
  let at = 0;
  while (number >= 1000 && at < units.length - 1) { number /= 1000; at += 1; }
  return `${precise(number, number < 10 && at ? 1 : 0)} ${units[at]}`;
}
function lasting(seconds) {
  if (seconds === null || seconds === undefined) return "\u2013";
  if (seconds < 1) return `${precise(seconds * 1000, 0)} ms`;
  if (seconds < 10) return `${precise(seconds, 1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min${whole % 60 ? ` ${whole % 60} s` : ""}`;
  if (whole < 172800) return `${Math.floor(whole / 3600)} h${Math.floor(whole % 3600 / 60) ? ` ${Math.floor(whole % 3600 / 60)} min` : ""}`;
  return `${Math.floor(whole / 86400)} days${Math.floor(whole % 86400 / 3600) ? ` ${Math.floor(whole % 86400 / 3600)} h` : ""}`;
}
const dollars = (number) => "$" + (number >= 0.01 || !number ? number.toFixed(2) : precise(number, 6));
const utc = (text) => (text ? `${text.slice(0, 10)} ${text.slice(11, 19)} UTC` : "\u2013");

// Each has a shape of its own, so that nobody needs its colour.
const SHAPES = {
  complete: ["good", "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.6 5.2-4.3 5-2.9-2.7 1-1.1 1.8 1.7L10.5 5z"],
  failed: ["bad", "M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1zm.9 3.9L4.9 6 6.9 8l-2 2L6 11.1l2-2 2 2 1.1-1.1-2-2 2-2L10 4.9l-2 2z"],
  denied: ["bad", "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM4 7h8v2H4z"],
  unfinished: ["bad", "M8 1 15.5 14.5H.5zM7.2 5.6v4.6h1.6V5.6zm0 5.8V13h1.6v-1.6z"],
  endless: ["bad", "M8 1 15 8l-7 7-7-7zm-1 4v6h2V5z"],
  limited: ["warn", "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.6v10.8a5.4 5.4 0 0 1 0-10.8z"],
  absent: ["calm", "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.6a5.4 5.4 0 1 1 0 10.8A5.4 5.4 0 0 1 8 2.6z"],
  stopped: ["calm", "M2 2h12v12H2z"],
  going: ["going", "M3 1.5v13l11-6.5z"],
};
function mark(name) {
  const [tone, path] = SHAPES[name] || SHAPES.absent;
  return shape("svg", { class: `mark ${tone}`, viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" },
    shape("path", { d: path, fill: "currentColor", "fill-rule": "evenodd" }));
}
const toneOf = (name) => (SHAPES[name] || SHAPES.absent)[0];
// What a run is drawn as.
function kindOf(outcome, verdict) {
  if (outcome === "succeeded") return verdict === "complete" ? "complete" : "limited";
  return { failed: "failed", continues: "going", stopped: "stopped" }[outcome] || "going";
}

const link = (address, ...children) => (/^https:\/\//.test(address || "") ? el("a", { href: address, rel: "noreferrer" }, children) : null);

function sortable(columns, rows, cells, caption, label) {
  // `rows` are in the order in which they are shown first; a column has `title`, `of` (its value), and `number`.
  const first = 25, step = 500;
  let order = rows, shown = first, wanted = "", by = null, down = false;
  const hay = new Map();
  const text = (row) => {
    if (!hay.has(row)) hay.set(row, columns.map((column) => (column.find || column.of)(row)).join("\u0000").toLowerCase());
    return hay.get(row);
  };
  const status = el("span", { role: "status" });
  const more = el("button", { class: "plain", type: "button", click: () => { shown += step; fill(); } });
  const body = el("tbody", {});
  const heads = columns.map((column) => {
    const button = el("button", { type: "button", click: () => sort(column) }, column.title);
    return el("th", { scope: "col", class: column.number ? "number" : "", "aria-sort": "none" }, button);
  });
  function sort(column) {
    down = by === column ? !down : Boolean(column.number);
    by = column;
    const compare = new Intl.Collator("en", { numeric: true }).compare;
    const direction = down ? -1 : 1;
    order = rows.slice().sort((one, other) => direction * (column.number
      ? (column.of(one) ?? -1) - (column.of(other) ?? -1) : compare(column.of(one), column.of(other))));
    heads.forEach((head, at) => head.setAttribute("aria-sort", columns[at] === column ? (down ? "descending" : "ascending") : "none"));
    shown = first;
    fill();
  }
  function fill() {
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    const found = words.length ? order.filter((row) => words.every((word) => text(row).includes(word))) : order;
    body.replaceChildren(...found.slice(0, shown).map((row) => el("tr", {}, cells(row))));
    const left = found.length - Math.min(shown, found.length);
    status.textContent = `${left ? `${count(shown)} of ` : ""}${counted(found.length, label)}${words.length ? " found" : ""}`;
    more.hidden = !left;
    more.textContent = `Show ${count(Math.min(step, left))} more`;
  }
  const filter = el("input", { type: "search", id: "filter", autocomplete: "off", spellcheck: "false",
    input: (event) => { wanted = event.target.value; shown = first; fill(); } });
  // On paper there is nothing to press.
  addEventListener("beforeprint", () => { shown = rows.length; fill(); });
  const table = el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, heads)), body);
  fill();
  return [
    rows.length > 5 && el("div", { class: "tools" }, el("label", { for: "filter", class: "no-print" }, "Filter"), filter, status),
    el("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption }, table),
    el("div", { class: "more" }, more),
  ];
}
