const { run, totals } = data;
const main = document.getElementById("main");
function card(id, title, ...children) {
  main.append(el("section", { class: "card", id, "aria-labelledby": `${id}-title` },
    el("h2", { id: `${id}-title` }, title), children));
}
const tableOf = (caption, heads, rows) => el("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption },
  el("table", {}, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, heads.map(([title, number]) => el("th", { scope: "col", class: number ? "number" : "" }, title)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, at) => (at
      ? el("td", { class: heads[at][1] ? "number" : "" }, cell) : el("th", { scope: "row" }, cell))))))));

const short = data.targets.short;

// The verdict.
const kind = kindOf(run.outcome, run.verdict);
document.getElementById("mark").append(mark(kind));
document.querySelector(".outcome").classList.add(SHAPES[kind][0]);
document.getElementById("facts").replaceChildren(
  said(run.what), said(run.run_id), el("span", {}, utc(run.started_at)), el("span", {}, `took ${lasting(run.seconds)}`),
  run.window ? el("span", {}, `what is new ${run.window.from ? `from ${utc(run.window.from)} ` : ""}to ${utc(run.window.to)}`) : "",
  run.generation > 1 ? el("span", {}, `planned ${run.generation} times`) : "");
const all = document.getElementById("all-runs");
// What was opened from the console has an address that fetches nothing else.
if (location.protocol === "https:" && /^https:/.test(data.links.index || "")) all.href = data.links.index;

// What is next.
const reasons = data.reasons.rows;
if (short) {
  card("next", "What to do",
    el("ul", { class: "reasons" }, reasons.map((reason) => el("li", { class: "reason" },
      el("p", {}, el("b", {}, `${count(reason.targets)} ${reason.verdict}: `), said(reason.of)),
      el("p", { class: "soft" }, said(`${reason.why}.`)),
      el("p", {}, said(`${reason.to_do}.`))))),
    data.reasons.others ? el("p", { class: "soft" }, `And ${counted(data.reasons.others, "more reason")}.`) : "",
    el("p", {}, said(data.next.said)),
    data.next.copies.map(copyable));
}
function copyable({ what, json, text = JSON.stringify(json, null, Array.isArray(json) || json?.Effect ? 2 : 0) }) {
  const button = el("button", { class: "plain", type: "button", click: async () => {
    const copied = await copy(text);
    button.textContent = copied ? "Copied" : "Select and copy it";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }, "aria-label": `Copy: ${what}` }, "Copy");
  return el("div", { class: "copy" }, el("div", {}, el("span", {}, what), button), el("pre", {}, el("bdi", {}, text)));
}
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A file has no clipboard everywhere: the older way.
    const area = el("textarea", { readonly: true, class: "hidden", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}

// The numbers.
const number = (title, value, more) => el("div", {}, el("dt", {}, title), el("dd", { "data-name": title }, value, more ? el("small", {}, ` ${more}`) : ""));
card("numbers", "In numbers",
  el("dl", { class: "facts-grid" },
    number("Items", count(totals.items)), number("Pages", count(totals.pages)), number("Targets", count(data.targets.total)),
    number("Size", bytes(totals.bytes), "compressed"), number("Took", lasting(run.seconds)),
    data.cost.estimated_cost !== null ? number("Cost", dollars(data.cost.estimated_cost), "estimated") : "",
    totals.throttles ? number("Throttled", count(totals.throttles), totals.throttles === 1 ? "time" : "times") : "",
    totals.restarts ? number("Begun anew", count(totals.restarts), totals.restarts === 1 ? "time" : "times") : "",
    totals.page_errors ? number("Errors in pages", count(totals.page_errors)) : "",
    totals.ignored_errors ? number("Errors ignored", count(totals.ignored_errors)) : ""),
  shareOf(data.verdicts));
function shareOf(verdicts) {
  const found = Object.entries(verdicts).filter(([, number]) => number).sort((one, other) => other[1] - one[1]);
  if (!found.length) return el("p", { class: "soft" }, "The run had no targets, so there was nothing to list.");
  const share = el("div", { class: "share", "aria-hidden": "true" }, found.map(([verdict, number]) => {
    const part = el("span", { class: (SHAPES[verdict] || SHAPES.absent)[0] });
    part.style.flexGrow = number;
    return part;
  }));
  const legend = el("ul", { class: "legend", "aria-label": "Targets by verdict" }, found.map(([verdict, number]) => el("li", {},
    mark(verdict), el("span", {}, " ", el("b", {}, count(number)), ` ${verdict}`))));
  const empty = totals.items === 0 && !short ? el("p", { class: "soft small" }, "The listing is empty.") : "";
  return [data.targets.total > 1 ? share : el("div", { class: "share-of-one" }), data.targets.total > 1 ? legend : "", empty];
}

// Time.
const line = data.timeline;
if (line && line.pages.length) {
  const of = line.seconds === 1 ? "second" : lasting(line.seconds);
  const began = Date.parse(line.begins_at);
  const per = line.pages.map((pages, at) => (pages ? line.milliseconds[at] / pages : null));
  const figures = [
    chart("pages", "Pages", `fetched in each ${of}`, line.pages, "bars", count),
    chart("fetch-time", "Time a page took", `to fetch and write, on average of each ${of}`, per, "line", (ms) => lasting(ms / 1000)),
  ];
  const rows = merged(24);
  card("time", "Over time", figures.map((each) => each.figure),
    el("details", {}, el("summary", {}, "The same as a table"),
      tableOf(`Pages, items and time by ${lasting(rows.seconds)}, from ${utc(line.begins_at)}`,
        [["From"], ["Pages", 1], ["Items", 1], ["A page took", 1]],
        rows.map((row) => [clock(row.at), count(row.pages), count(row.items), row.pages ? lasting(row.milliseconds / row.pages / 1000) : "\u2013"]))));
  const draw = () => figures.forEach((each) => each.draw());
  draw();
  new ResizeObserver(draw).observe(document.getElementById("time"));
  addEventListener("beforeprint", draw);

  function clock(seconds) {
    const when = new Date(began + seconds * 1000).toISOString();
    const span = line.pages.length * line.seconds;
    return span > 2 * 86400 ? `${when.slice(5, 10)} ${when.slice(11, 16)}` : span > 600 ? when.slice(11, 16) : when.slice(11, 19);
  }
  function merged(most) {
    const by = Math.ceil(line.pages.length / most), found = [];
    for (let at = 0; at < line.pages.length; at += by) {
      const sum = (numbers) => numbers.slice(at, at + by).reduce((one, other) => one + other, 0);
      found.push({ at: at * line.seconds, pages: sum(line.pages), items: sum(line.items), milliseconds: sum(line.milliseconds) });
    }
    found.seconds = by * line.seconds;
    return found;
  }
  function chart(id, title, unit, values, how, shown) {
    const figure = el("figure", { class: "chart", id: `chart-${id}` }, el("figcaption", {}, title, el("span", {}, ` ${unit}`)));
    let width = 0;
    return { figure, draw() {
      const wide = Math.round(figure.clientWidth);
      if (!wide || wide === width) return;
      width = wide;
      figure.querySelector("svg")?.remove();
      figure.append(drawn(wide, values, how, shown, `${title} ${unit}`));
    } };
  }
  function drawn(width, values, how, shown, title) {
    const height = 150, left = 56, right = 8, top = 8, bottom = 24;
    const known = values.filter((value) => value !== null);
    const most = Math.max(...known, how === "line" ? 1 : 1);
    const ceiling = niceCeiling(most);
    const x = (bin) => left + (width - left - right) * bin / values.length;
    const y = (value) => top + (height - top - bottom) * (1 - value / ceiling);
    const at = values.indexOf(most);
    const alternative = `${title}, from ${clock(0)} to ${clock(values.length * line.seconds)} UTC: `
      + `at most ${shown(most)}${at >= 0 ? `, at ${clock(at * line.seconds)}` : ""}`;
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": alternative },
      shape("title", {}, alternative));
    for (const value of [0, ceiling / 2, ceiling]) {
      svg.append(shape("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
        value === ceiling / 2 && how === "bars" && ceiling % 2 ? ""
          : shape("text", { class: "axis", x: left - 8, y: y(value) + 4, "text-anchor": "end" }, value ? shown(value) : "0"));
    }
    for (const seconds of ticks(values.length * line.seconds, Math.max(2, Math.floor(width / 130)))) {
      svg.append(shape("text", { class: "axis", x: x(seconds / line.seconds), y: height - 6, "text-anchor": seconds ? "middle" : "start" }, clock(seconds)));
    }
    svg.append(shape("text", { class: "axis", x: width - right, y: height - 6, "text-anchor": "end" }, "UTC"));
    if (how === "bars") {
      const room = x(1) - x(0), gap = room > 4 ? 1 : 0, wide = Math.min(Math.max(room - gap, 1), 28);
      values.forEach((value, bin) => value && svg.append(shape("rect", { class: "bar", x: x(bin) + (room - gap - wide) / 2, y: y(value),
        width: wide, height: Math.max(y(0) - y(value), 1), rx: gap ? 1.5 : 0 },
        shape("title", {}, `${clock(bin * line.seconds)}: ${shown(value)}`))));
    } else {
      let path = "", open = false;
      values.forEach((value, bin) => {
        if (value === null) { open = false; return; }
        const alone = !open && (values[bin + 1] ?? null) === null;
        if (alone) svg.append(shape("circle", { class: "dot", cx: x(bin + .5), cy: y(value), r: 2.5 },
          shape("title", {}, `${clock(bin * line.seconds)}: ${shown(value)}`)));
        else path += `${open ? "L" : "M"}${x(bin + .5).toFixed(1)} ${y(value).toFixed(1)}`;
        open = !alone;
      });
      if (path) svg.append(shape("path", { class: "line", d: path }));
    }
    return svg;
  }
  function niceCeiling(value) {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 4, 5, 6, 8, 10].map((each) => each * power).find((each) => each >= value * 0.999);
  }
  function ticks(span, most) {
    const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200];
    const step = steps.find((each) => span / each <= most) || 86400 * Math.ceil(span / 86400 / most);
    const found = [];
    for (let seconds = 0; seconds < span * 0.93; seconds += step) found.push(seconds);
    return found;
  }
}

// Throttling.
if (data.throttled.length) {
  const most = data.throttled[0][4];
  card("throttled", "Throttled", el("p", {}, `Services throttled ${counted(totals.throttles, "request")}. Each was tried again.`),
    tableOf(data.throttled.length > 1 ? "The targets that were throttled most" : "The target that was throttled",
      [["Target"], ["Times", 1], ["", 0], ["What the service said last"]],
      data.throttled.map(([account, region, operation, parameters, times, last]) => {
        const meter = el("span", { class: "meter", "aria-hidden": "true" });
        meter.style.width = `${Math.max(100 * times / most, 2)}%`;
        return [said([account, region, operation, parameters].filter(Boolean).join(" ")), count(times), el("div", { class: "meter-cell" }, meter), said(last)];
      })));
}

// What changed.
const published = data.published;
if (published) {
  const of = [["new", "New"], ["changed", "Changed"], ["gone", "Gone"], ["replaced", "Cannot be compared"]];
  card("changes", "What changed",
    el("ul", { class: "changes" }, of.filter(([name]) => name !== "replaced" || published.replaced).map(([name, title]) => el("li", {},
      el("b", { "data-name": title }, count(published[name])), ` ${title.toLowerCase()}`))),
    el("p", { class: "soft" }, said(`${published.message}${published.by_hand ? ", by hand" : ""}.`)),
    of.filter(([name]) => (published.keys[name] || []).length).map(([name, title]) => el("div", {},
      el("h3", {}, published.keys[name].length < published[name] ? `${title}: the first ${published.keys[name].length} of ${count(published[name])}` : title),
      el("ul", { class: "keys" }, published.keys[name].map((key) => el("li", {}, said(key)))))),
    published.number ? copyable({ what: "All of them, in Athena",
      text: `SELECT kind, key, fields, before, after FROM ${published.database}.changes WHERE run = '${published.name}'` }) : "");
}

// The targets.
const { columns, texts } = data.targets;
const textual = new Set(["state", "verdict", "account", "region", "operation", "parameters", "witness", "why", "target_id"]);
const targets = data.targets.rows.map((row) => Object.fromEntries(columns.map((name, at) => [name, textual.has(name) ? texts[row[at]] : row[at]])));
const different = Object.fromEntries(["account", "region", "operation"].map((name) => [name, new Set(targets.map((target) => target[name])).size > 1]));
const some = (name) => targets.some((target) => target[name]);
const witnessed = some("witness");
const SAYS = new Map([[true, "agrees"], [false, "disagrees"], [null, ""]]);
// What is the same in all needs no column.
const nameOf = (row) => row.parameters || (different.operation ? row.operation : `${row.account} ${row.region}`);
const shownColumns = [
  { title: "Verdict", of: (row) => row.verdict, cell: (row) => el("span", { class: "state" }, mark(row.verdict), row.verdict,
    row.state === "short" ? el("span", { class: "hidden" }, ", needs attention") : "") },
  { title: "Target", of: nameOf, find: (row) => [row.account, row.region, row.operation, row.parameters, row.why, row.target_id].join("\u0000"),
    cell: (row) => [said(nameOf(row), { class: "param" }), row.why ? said(row.why, { class: "why" }) : ""] },
  different.account && { title: "Account", of: (row) => row.account, cell: (row) => said(row.account, { class: "name" }) },
  different.region && { title: "Region", of: (row) => row.region, cell: (row) => said(row.region, { class: "name" }) },
  different.operation && { title: "Operation", of: (row) => row.operation, cell: (row) => said(row.operation, { class: "name" }) },
  { title: "Items", number: true, of: (row) => row.items, cell: (row) => count(row.items) },
  { title: "Pages", number: true, of: (row) => row.pages, cell: (row) => count(row.pages) },
  { title: "Size", number: true, of: (row) => row.bytes, cell: (row) => bytes(row.bytes) },
  { title: "Fetched in", number: true, of: (row) => row.seconds, cell: (row) => (row.pages ? lasting(row.seconds) : "\u2013") },
  some("throttles") && { title: "Throttled", number: true, of: (row) => row.throttles, cell: (row) => count(row.throttles) },
  some("restarts") && { title: "Begun anew", number: true, of: (row) => row.restarts, cell: (row) => count(row.restarts) },
  witnessed && { title: "Witness", of: (row) => `${SAYS.get(row.agrees)} ${row.witness}`, cell: (row) => (row.agrees === null
    ? (row.witness ? said(row.witness, { class: "soft said" }) : el("span", { class: "soft" }, "none"))
    : el("div", { class: row.agrees ? "name" : "said", title: visible(row.witness) }, mark(row.agrees ? "complete" : "unfinished"),
      row.agrees ? " agrees" : " disagrees: ", row.agrees ? el("span", { class: "hidden" }, `: ${visible(row.witness)}`) : said(row.witness))) },
].filter(Boolean);
if (targets.length) {
  const left = data.targets.total - targets.length;
  card("targets", "Targets",
    left ? el("p", {}, `These are the ${count(targets.length)} worst of ${counted(data.targets.total, "target")}. The other ${count(left)} are in the manifest, and in the SQL table targets: `,
      el("code", {}, said(`SELECT * FROM targets WHERE run_id = '${run.run_id}'`))) : "",
    sortable(shownColumns, targets, (row) => shownColumns.map((column, at) => el(at ? "td" : "th", at
      ? { class: column.number ? "number" : "" } : { scope: "row" }, column.cell(row))),
    "Each target with its verdict, the worst first", "target"));
}

// Where items are from.
const groups = [["account", "Account"], ["region", "Region"], ["operation", "Operation"]].filter(([name]) => data.by[name].rows.length > 1);
if (groups.length) {
  card("groups", "Where the items are", el("div", { class: "groups" }, groups.map(([name, title]) => {
    const { rows, others } = data.by[name];
    const lines = rows.concat(others.count ? [{ ...others, name: `${count(others.count)} others` }] : []);
    const bad = lines.some((row) => row.short);
    return tableOf(`By ${name}`, [[title], ["Targets", 1], ...(bad ? [["Not complete", 1]] : []), ["Items", 1], ["Size", 1]],
      lines.map((row) => [said(row.name, { class: "name" }), count(row.targets), ...(bad ? [row.short ? [mark("failed"), ` ${count(row.short)}`] : "0"] : []),
        count(row.items), bytes(row.bytes)]));
  })));
}

// Who else counted.
const { agreed = 0, disagreed = 0, none = 0, disagrees } = data.witnesses;
if (agreed + disagreed) {
  card("witness", "Who else counted",
    el("p", {}, mark(disagreed ? "unfinished" : "complete"), ` ${counted(agreed, "listing")} ${agreed === 1 ? "agrees" : "agree"} with a witness${disagreed ? `, ${count(disagreed)} ${disagreed === 1 ? "does" : "do"} not` : ""}`
      + `${none ? `, and ${count(none)} ${none === 1 ? "has" : "have"} none` : ""}.`),
    disagrees ? el("p", { class: "soft" }, said(`${disagrees}.`)) : "");
}

// What it cost.
if (data.cost.cost_arithmetic) {
  card("cost", "What it cost", el("p", {}, el("b", {}, dollars(data.cost.estimated_cost)), ", estimated by list prices of us-east-1, without what the crawled services charge:"),
    el("ul", { class: "arithmetic" }, data.cost.cost_arithmetic.map((each) => el("li", {}, said(each)))));
}

// Where everything is.
const places = [["Execution", data.links.execution, "in Step Functions"], ["Manifest", data.links.manifest, data.places.manifest],
  ["Pages", data.links.items, data.places.items_prefix], ["Items table", data.links.items_table, data.places.items_table]];
card("where", "Where it is", el("dl", { class: "where" }, places.filter(([, address, name]) => address || name).map(([title, address, name]) => [
  el("dt", {}, title), el("dd", {}, link(address, said(name || title)) || said(name))])));
document.getElementById("footer").textContent = `Run ${run.run_id}, ended ${utc(run.ended_at)}. Written by Pageturner.`;
