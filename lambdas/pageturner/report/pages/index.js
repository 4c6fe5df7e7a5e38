const runs = data.runs.map((row) => Object.fromEntries(data.columns.map((name, at) => [name, row[at]])));
const crawls = [...grouped(runs, (run) => run.crawl)].map(([name, of]) => ({ name, of, latest: of[0],
  complete: of.find((run) => run.outcome === "succeeded" && (run.as_catalogued || name.startsWith("adhoc-"))) }));
const isBad = (run) => run.outcome === "failed" || run.outcome === "stopped";
crawls.sort((one, other) => isBad(other.latest) - isBad(one.latest) || (one.latest.started_at < other.latest.started_at ? 1 : -1));

// As `word_of` in reporting.py.
const WORDS = { failed: "not complete", continues: "goes on", stopped: "stopped" };
const wordOf = (run) => (run.outcome === "succeeded"
  ? { limited: "limited, as requested", incomplete: "as tolerated" }[run.verdict] || "complete" : WORDS[run.outcome] || "running");
const markOf = (run) => mark(kindOf(run.outcome, run.verdict || "complete"));
// What was opened from the console has an address that fetches nothing else.
const folder = location.protocol === "https:" && /^https:/.test(data.folder || "") ? data.folder : null;
function reportOf({ outcome, run_id: id }) {
  if (outcome !== "succeeded" && outcome !== "failed") return null;
  return folder ? folder + encodeURIComponent(`${id}/report.html`) : `${encodeURIComponent(id)}/report.html`;
}
const linked = (run, attributes, ...children) => (reportOf(run) ? el("a", { ...attributes, href: reportOf(run) }, children)
  : el("span", attributes, children));

function ago(text) {
  const seconds = (Date.now() - Date.parse(text)) / 1000;
  if (!(seconds >= 0)) return utc(text);
  if (seconds < 5400) return `${counted(Math.max(Math.round(seconds / 60), 1), "minute")} ago`;
  if (seconds < 129600) return `${counted(Math.round(seconds / 3600), "hour")} ago`;
  return `${counted(Math.round(seconds / 86400), "day")} ago`;
}
const time = (text) => el("time", { datetime: text, title: utc(text) }, ago(text));

// The days of whole weeks, up to the last one on which anything ran.
const DAY = 86400000;
const latest = runs.reduce((most, run) => (run.started_at > most ? run.started_at : most), "");
const end = latest ? Date.parse(latest.slice(0, 10)) : 0;
const begin = end - (data.days - 1) * DAY;
const monday = begin - ((new Date(begin).getUTCDay() + 6) % 7) * DAY;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function calendar(crawl, below) {
  const byDay = grouped(crawl.of, (run) => run.started_at.slice(0, 10));
  const cells = [];
  let month = -1;
  for (let at = monday; at <= end; at += DAY) {
    const when = new Date(at), day = when.toISOString().slice(0, 10);
    if (at === monday || when.getUTCDay() === 1) {
      const is = when.getUTCMonth();
      cells.push(el("span", { class: "month", "aria-hidden": "true" }, is !== month && end - at > 13 * DAY ? MONTHS[is] : ""));
      month = is;
    }
    cells.push(at < begin ? el("span", {}) : cell(day, byDay.get(day), below));
  }
  return el("div", { class: "calendar" }, el("div", { class: "days", role: "group", "aria-label": `Runs of the last ${data.days} days` }, cells));
}
function cell(day, of, below) {
  if (!of) return el("span", { class: "none", title: `${day}: no run` });
  const worst = of.find(isBad) || of.find((run) => run.outcome !== "succeeded" || run.verdict !== "complete") || of[0];
  const bad = of.filter(isBad).length;
  const name = `${day}: ${of.length === 1 ? wordOf(of[0]) : `${counted(of.length, "run")}${bad ? `, ${count(bad)} not complete` : ""}`}`;
  if (of.length === 1) return linked(worst, { title: name, "aria-label": name, role: reportOf(worst) ? null : "img" }, markOf(worst));
  const button = el("button", { type: "button", title: name, "aria-label": name, "aria-expanded": "false", click: () => {
    const open = button.getAttribute("aria-expanded") === "true";
    button.closest(".days").querySelectorAll("button").forEach((each) => each.setAttribute("aria-expanded", "false"));
    button.setAttribute("aria-expanded", String(!open));
    below.replaceChildren(...(open ? [] : [el("h3", {}, day), el("ul", {}, of.map((run) => el("li", {}, markOf(run),
      linked(run, {}, `${run.started_at.slice(11, 16)} UTC, ${wordOf(run)}`), run.items === null ? "" : `, ${counted(run.items, "item")}`)))]));
    below.hidden = open;
  } }, markOf(worst));
  return button;
}
function card(crawl) {
  const { latest: run, complete } = crawl, below = el("div", { class: "of-day", hidden: true, "aria-live": "polite" });
  return el("li", { class: `crawl${isBad(run) ? " needs-a-look" : ""}` },
    el("div", {}, el("h2", {}, said(crawl.name)),
      el("p", {}, markOf(run), linked(run, { class: "word" }, wordOf(run)), " ", time(run.ended_at || run.started_at),
        run.items === null ? "" : el("span", { class: "soft" }, `, ${counted(run.items, "item")}${run.targets > 1 ? ` of ${counted(run.targets, "target")}` : ""}`)),
      complete === run ? "" : el("p", { class: "soft" }, complete ? ["Last complete ", linked(complete, {}, time(complete.ended_at || complete.started_at))] : "No complete run"),
      isBad(run) && run.message ? el("p", { class: "message" }, said(run.message)) : ""),
    calendar(crawl, below), below);
}

const main = document.getElementById("main");
const list = el("ul", { class: "crawls" }), status = el("span", { role: "status" });
const more = el("button", { class: "plain more", type: "button", click: () => { most += 50; fill(); } });
let most = 25, wanted = "";
const filter = el("input", { type: "search", id: "filter", autocomplete: "off", spellcheck: "false",
  input: (event) => { wanted = event.target.value.toLowerCase(); most = 25; fill(); } });
function fill() {
  const found = crawls.filter((crawl) => crawl.name.toLowerCase().includes(wanted));
  list.replaceChildren(...found.slice(0, most).map(card));
  status.textContent = `${found.length > most ? `${most} of ` : ""}${counted(found.length, "crawl")}${wanted ? " found" : ""}`;
  more.hidden = found.length <= most;
  more.textContent = `Show ${Math.min(50, found.length - most)} more`;
}
const LEGEND = [["complete", "complete"], ["failed", "not complete"], ["limited", "limited or tolerated"], ["stopped", "stopped"], ["going", "goes on"]];
main.append(el("ul", { class: "legend no-print", "aria-label": "What the shapes mean" }, LEGEND.map(([shape, text]) => el("li", {}, mark(shape), ` ${text}`))));
if (crawls.length > 5) main.append(el("div", { class: "tools" }, el("label", { for: "filter", class: "no-print" }, "Filter"), filter, status));
main.append(list, more);
// On paper there is nothing to press.
addEventListener("beforeprint", () => { most = crawls.length; fill(); });
if (data.more) main.append(el("p", { class: "soft" }, `And ${counted(data.more, "more crawl")}, which the command pageturner crawls shows.`));
fill();
document.getElementById("footer").textContent = latest ? `The ${data.days} days up to ${latest.slice(0, 10)}, in UTC. The latest run began ${utc(latest)}.` : "";
