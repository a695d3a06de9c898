// The last calls, and how many went in each step of time beside the limit's use.

import { $, api, h, hour, number, s, show, words } from "./dom.js";
import { SYSTEMS } from "./words.js";

const VENDORS = ["gorgias", "hubspot"];
const STATE = { ok: "answered", limited: "refused by the limit", failed: "failed" };
const HEIGHT = 170;
const PAD = { left: 34, right: 8, top: 14, bottom: 22 };
let known = [];
const chosen = { system: "", outcome: "" };

export function calls() {
  const select = (label, name, options) => h("label", { class: "row" }, h("span", { class: "label" }, label),
    h("select", { onchange: (event) => { chosen[name] = event.target.value; refreshCalls(); } }, options.map(([value, word]) => h("option", { value }, word))));
  $("log-filters").append(
    select("System", "system", [["", "both"], ...VENDORS.map((name) => [name, SYSTEMS[name]])]),
    select("Show", "outcome", [["", "all calls"], ["write", "writes"], ["ok", "answered"], ["limited", "refused by the limit"], ["failed", "failed"]]),
    h("button", { type: "button", onclick: async () => { await api("DELETE", "/calls"); refreshCalls(); } }, "Forget"));
}

export const outcome = (status) => (status === 429 ? "limited" : status === 0 || status >= 500 ? "failed" : "ok");

export async function refreshCalls(endpoints = known) {
  known = endpoints;
  const [log, series] = await Promise.all([
    api("GET", `/calls?recent=${chosen.system || chosen.outcome ? 5000 : 100}`),
    known.includes("GET /calls/series") ? api("GET", "/calls/series?step_s=5&minutes=5") : { systems: {} },
  ]);
  const fits = (call) => (!chosen.system || call.system === chosen.system)
    && (!chosen.outcome || (chosen.outcome === "write" ? !["GET", "HEAD"].includes(call.method) : outcome(call.status) === chosen.outcome));
  const rows = log.recent.filter(fits).slice(-100).reverse();
  show($("log"), JSON.stringify(rows), () => table(rows));
  const width = Math.max(280, Math.floor($("plots").clientWidth / ($("plots").clientWidth > 760 ? 2 : 1)) - 48);
  show($("plots"), JSON.stringify([series, width, log.total]), () => VENDORS.filter((name) => series.systems[name]).map((name) => plot(name, series, width, log)));
}

function table(rows) {
  if (!rows.length) return h("p", { class: "empty" }, "No calls. Point a client or a sync at the addresses above.");
  return h("table", { class: "log" }, h("caption", { class: "hidden" }, "The last calls, newest first"),
    h("thead", {}, h("tr", {}, ["Time", "System", "Call", "Answer"].map((word) => h("th", { scope: "col" }, word)))),
    h("tbody", {}, rows.map((call) => h("tr", {},
      h("td", { class: "mono" }, call.at.slice(11, 23)),
      h("td", {}, h("span", { class: `dot ${call.system}`, "aria-hidden": "true" }), SYSTEMS[call.system] || call.system),
      h("td", { class: "mono path" }, h("b", {}, call.method), " ", call.path),
      h("td", {}, h("span", { class: `badge ${outcome(call.status)}${call.status >= 400 && call.status < 500 && call.status !== 429 ? " client" : ""}` }, call.status === 0 ? "cut off" : String(call.status)))))));
}

function plot(system, series, width, log) {
  const data = series.systems[system];
  const steps = data.ok.length;
  const sums = data.ok.map((_, place) => data.ok[place] + data.limited[place] + data.failed[place]);
  const total = log.by.filter((row) => row.system === system).reduce((sum, row) => sum + row.count, 0);
  const top = nice(Math.max(data.limit || 0, 4, ...sums, ...(data.used || [])));
  const inner = { width: width - PAD.left - PAD.right, height: HEIGHT - PAD.top - PAD.bottom };
  const x = (place) => PAD.left + (place * inner.width) / Math.max(1, steps);
  const y = (value) => PAD.top + inner.height * (1 - value / top);
  const bar = Math.max(1, inner.width / Math.max(1, steps) - 1);
  const parts = [grid(top, width, y), times(series, steps, x)];
  for (let place = 0; place < steps; place += 1) {
    let below = 0;
    for (const name of Object.keys(STATE)) {
      const count = data[name][place];
      if (count) parts.push(s("rect", { class: `bar ${name}`, x: x(place), y: y(below + count), width: bar, height: y(below) - y(below + count) }));
      below += count;
    }
  }
  if (data.limit) {
    parts.push(s("line", { class: "limit", x1: PAD.left, x2: width - PAD.right, y1: y(data.limit), y2: y(data.limit) }));
    parts.push(s("text", { class: "limit-word", x: PAD.left + 4, y: y(data.limit) - 4 }, `limit ${number(data.limit)}`));
  }
  if (data.used?.some((value) => value)) parts.push(s("polyline", { class: "used", points: data.used.map((value, place) => `${x(place) + bar / 2},${y(value)}`).join(" ") }));
  const counts = Object.fromEntries(Object.keys(STATE).map((name) => [name, data[name].reduce((sum, count) => sum + count, 0)]));
  const said = `${SYSTEMS[system]}, last ${Math.round((steps * series.step_s) / 60)} minutes: ${Object.entries(STATE).map(([name, word]) => `${number(counts[name])} ${word}`).join(", ")}${data.limit ? `; at most ${number(Math.max(0, ...(data.used || [])))} of ${number(data.limit)} in a window` : ""}.`;
  return h("figure", { class: `card plot ${system}` },
    h("figcaption", { class: "row spread" }, h("h3", {}, h("span", { class: "dot", "aria-hidden": "true" }), SYSTEMS[system]), h("span", { class: "quiet" }, `${number(total)} calls in all`)),
    s("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": said }, parts),
    h("p", { class: "legend" }, Object.entries(STATE).map(([name, word]) => h("span", {}, h("i", { class: name, "aria-hidden": "true" }), `${word} ${number(counts[name])}`)), data.limit ? h("span", {}, h("i", { class: "used", "aria-hidden": "true" }), `used of the limit's window${data.window ? `, ${words(data.window.split(".")[1]).toLowerCase()}` : ""}`) : null));
}

function grid(top, width, y) {
  return [0, top / 2, top].map((value) => s("g", {},
    s("line", { class: "grid", x1: PAD.left, x2: width - PAD.right, y1: y(value), y2: y(value) }),
    s("text", { class: "axis", x: PAD.left - 6, y: y(value) + 4, "text-anchor": "end" }, number(value))));
}

function times(series, steps, x) {
  const start = Date.parse(series.from);
  return [0, 0.5, 1].map((part) => {
    const place = Math.round(steps * part);
    return s("text", { class: "axis", x: x(place), y: HEIGHT - 6, "text-anchor": ["start", "middle", "end"][part * 2] }, hour(start + place * series.step_s * 1000));
  });
}

function nice(value) {
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].map((step) => step * size).find((step) => step >= value * 1.08) || 20 * size;
}
