// What a person turns: the scripted day, disturbances, switches, a new beginning; and the mails that were not sent.

import { $, ago, api, doing, h, many, number, s, show, toast, words } from "./dom.js";
import { openRow } from "./record.js";
import { FAULTS, SYSTEMS, faultSentence, switchName } from "./words.js";

const has = (overview, endpoint) => overview.endpoints.includes(endpoint);
const kept = { happened: [], filter: "", changedOnly: false, switches: [], faults: [] };

// --- the scripted day

export function script(overview) {
  const { done, left, next } = overview.script;
  const all = done + left;
  show($("script-next"), JSON.stringify([next, left]), () => (next ? [h("span", { class: "quiet" }, "Next: "), h("b", {}, words(next))] : "The day is over. Begin again below, with another seed if you like."));
  show($("script-buttons"), JSON.stringify([left > 0, has(overview, "POST /script/day")]), () => [
    h("button", { type: "button", class: "main", disabled: !left, onclick: nextEvent }, "Next event"),
    has(overview, "POST /script/day") ? h("button", { type: "button", disabled: !left, onclick: wholeDay }, "The whole day") : null,
  ]);
  show($("script-progress"), `${done}/${all}`, () => s("rect", { width: all ? (100 * done) / all : 0, height: 4 }));
  const note = `${number(done)} of ${number(all)} events`;
  show($("script-log"), JSON.stringify([note, kept.happened]), () => [h("li", { class: "quiet" }, note), ...kept.happened.map(happened)]);
}

async function nextEvent() {
  const answer = await doing(() => api("POST", "/script/next"));
  if (answer?.event) kept.happened = [answer.event, ...kept.happened].slice(0, 6);
  if (answer?.event) document.dispatchEvent(new Event("changed"));
}

async function wholeDay() {
  const answer = await doing(() => api("POST", "/script/day", { hours: 24 }), (day) => `A day went by: ${many(day.events, "event")} in ${day.hours} hours of the sandbox's clock.`);
  if (answer) kept.happened = [...answer.happened.slice(-6).reverse(), ...kept.happened].slice(0, 6);
  document.dispatchEvent(new Event("changed"));
}

function happened(event) {
  const open = (edit) => doing(async () => {
    const page = await api("GET", `/rows/${edit.system}/${edit.kind}?q=${edit.id}&limit=1`);
    if (page.rows[0]) openRow(edit.system, edit.kind, page.rows[0]);
    else toast("That row is gone.", true);
  });
  return h("li", {}, event.at ? h("span", { class: "quiet mono" }, `${event.at.slice(11, 16)} `) : null, words(event.what), " ", (event.edits || []).map((edit) => (edit.skipped
    ? h("span", { class: "badge" }, "left out: the row is gone")
    : h("button", { type: "button", class: "link", onclick: () => open(edit) }, `see it in ${SYSTEMS[edit.system]}`, " "))));
}

// --- disturbances

const DETAILS = {
  ms: { label: "Milliseconds", of: ["latency", "slow"], min: 0, max: 600000, value: 500 },
  status: { label: "Status", of: ["5xx"], min: 500, max: 599, value: 502 },
  jump_s: { label: "Seconds, back with −", of: ["clock"], min: -86400, max: 86400, value: -90 },
};

export function faultForm(overview) {
  const select = (name, options) => h("select", { name }, options.map(([value, word]) => h("option", { value }, word)));
  const labelled = (label, control, hint) => h("label", {}, h("span", { class: "label" }, label), control, hint ? h("span", { class: "quiet" }, hint) : null);
  const share = h("output", {}, "20 %");
  const form = $("fault-form");
  form.append(
    labelled("What happens", select("kind", overview.fault_kinds.map((kind) => [kind, FAULTS[kind] || words(kind)]))),
    h("div", { class: "row" },
      labelled("To calls of", select("system", [["*", "both systems"], ["gorgias", "Gorgias"], ["hubspot", "HubSpot"]])),
      h("label", { class: "grow" }, h("span", { class: "label" }, "Path"), h("input", { name: "path", value: "*", autocomplete: "off", spellcheck: "false", "aria-describedby": "path-hint" }))),
    h("p", { class: "quiet", id: "path-hint" }, "* is every call; /api/tickets is that path and all below it."),
    h("fieldset", {}, h("legend", { class: "label" }, "How often"),
      h("label", { class: "row" }, h("input", { type: "radio", name: "often", value: "share", checked: true }), h("span", { class: "share" }, share, " of calls"),
        h("input", { type: "range", name: "share", min: 1, max: 100, value: 20, "aria-label": "Share of calls in percent", oninput: (event) => { share.textContent = `${event.target.value} %`; form.elements.often.value = "share"; } })),
      h("label", { class: "row" }, h("input", { type: "radio", name: "often", value: "times" }), "the next",
        h("input", { type: "number", name: "times", min: 1, value: 3, "aria-label": "Number of calls", oninput: () => { form.elements.often.value = "times"; } }), "calls")),
    h("div", { class: "row" },
      Object.entries(DETAILS).map(([name, detail]) => h("label", { "data-detail": name }, h("span", { class: "label" }, detail.label), h("input", { type: "number", name, min: detail.min, max: detail.max, value: detail.value }))),
      labelled("Seed of the draw", h("input", { type: "number", name: "seed", min: 0, value: overview.seed }))),
    h("div", { class: "row" }, h("button", { class: "main" }, "Disturb")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = new FormData(form);
    const kind = given.get("kind");
    const fault = { kind, system: given.get("system"), path: given.get("path") || "*", seed: Number(given.get("seed")) };
    if (given.get("often") === "share") fault.share = Number(given.get("share")) / 100;
    else fault.times = Number(given.get("times"));
    for (const [name, detail] of Object.entries(DETAILS)) {
      if (detail.of.includes(kind)) fault[name] = Number(given.get(name));
    }
    doing(() => api("PUT", "/faults", [...kept.faults, fault]), "From now on.");
  });
  const fit = () => form.querySelectorAll("[data-detail]").forEach((label) => { label.hidden = !DETAILS[label.dataset.detail].of.includes(form.elements.kind.value); });
  form.elements.kind.addEventListener("change", fit);
  fit();
  if (has(overview, "GET /faults/presets")) presets(overview);
}

async function presets(overview) {
  const listed = await api("GET", "/faults/presets");
  const rows = Array.isArray(listed) ? listed : Object.entries(listed).map(([name, what]) => ({ name, ...(typeof what === "string" ? { doc: what } : what) }));
  $("presets").append(h("h3", {}, "Or a whole kind of day"), h("ul", { class: "plainlist presets" }, rows.map((row) => h("li", { class: "row" },
    h("button", { type: "button", onclick: () => doing(() => api("PUT", "/faults", { preset: row.name, seed: overview.seed }), "From now on.") }, words(row.name.replaceAll("-", " "))),
    h("span", { class: "quiet grow" }, row.doc || row.what || row.does || "")))));
}

export async function refreshFaults() {
  const plan = await api("GET", "/faults");
  kept.faults = plan;
  show($("fault-list"), JSON.stringify(plan), () => {
    if (!plan.length) return h("p", { class: "empty" }, "Nothing. Every call gets its true answer.");
    const rows = plan.map((fault, place) => h("li", { class: "row spread" },
      h("span", {}, faultSentence(fault), " ", h("span", { class: "badge" }, `hit ${many(fault.hits || 0, "time")}`)),
      h("button", { type: "button", "aria-label": `End: ${faultSentence(fault)}`, onclick: () => doing(() => api("PUT", "/faults", plan.filter((_, other) => other !== place)), "Ended.") }, "End")));
    return [h("ul", { class: "plainlist lined" }, rows), h("button", { type: "button", onclick: () => doing(() => api("PUT", "/faults", []), "Everything is calm.") }, "End all")];
  });
}

// --- switches

export function switchTools() {
  $("switch-tools").append(
    h("input", { type: "search", placeholder: "Search the switches", "aria-label": "Search the switches", oninput: (event) => { kept.filter = event.target.value.toLowerCase(); switches(); } }),
    h("label", { class: "row" }, h("input", { type: "checkbox", onchange: (event) => { kept.changedOnly = event.target.checked; switches(); } }), "only changed ones"),
    h("button", { type: "button", onclick: () => doing(() => api("PUT", "/switches", Object.fromEntries(kept.switches.map((one) => [one.name, one.default]))), "All as they were.") }, "All to their defaults"));
}

export async function refreshSwitches() {
  kept.switches = await api("GET", "/switches");
  switches();
}

function switches() {
  const changed = (one) => JSON.stringify(one.value) !== JSON.stringify(one.default);
  const fits = (one) => (!kept.changedOnly || changed(one)) && `${one.name} ${switchName(one.name)} ${one.doc}`.toLowerCase().includes(kept.filter);
  const rows = kept.switches.filter(fits);
  const open = new Set([...$("switch-list").querySelectorAll("details[open]")].map((element) => element.dataset.system));
  const busy = $("switch-list").contains(document.activeElement) ? document.activeElement.name : null;
  const made = show($("switch-list"), JSON.stringify([rows, kept.filter]), () => {
    const systems = [...new Set(rows.map((one) => one.name.split(".")[0]))];
    if (!rows.length) return h("p", { class: "empty" }, "No switch like that.");
    return systems.map((system) => {
      const own = rows.filter((one) => one.name.startsWith(`${system}.`));
      const moved = own.filter(changed).length;
      return h("details", { "data-system": system, open: open.has(system) || Boolean(kept.filter) || kept.changedOnly },
        h("summary", {}, h("span", { class: `dot ${system}`, "aria-hidden": "true" }), `${SYSTEMS[system] || words(system)} `, h("span", { class: "quiet" }, `${own.length} in all${moved ? `, ${moved} changed` : ""}`)),
        h("div", { class: "switches" }, own.map((one) => row(one, changed(one)))));
    });
  });
  if (made && busy) $("switch-list").querySelector(`[name="${busy}"]`)?.focus();
}

function row(one, changed) {
  const put = (value) => doing(() => api("PUT", "/switches", { [one.name]: value }), `${switchName(one.name)}: ${JSON.stringify(value)}`);
  const numeric = one.choices === "int" || one.choices === "float";
  const control = Array.isArray(one.choices)
    ? h("select", { name: one.name, onchange: (event) => put(one.choices[event.target.selectedIndex]) }, one.choices.map((choice) => h("option", { value: String(choice) }, String(choice).replaceAll("_", " "))))
    : h("input", { name: one.name, type: numeric ? "number" : "text", step: one.choices === "float" ? "any" : null, onchange: (event) => put(numeric ? Number(event.target.value) : event.target.value) });
  control.value = String(one.value);
  return h("label", { class: changed ? "switch moved" : "switch" },
    h("span", { class: "what" }, h("b", {}, switchName(one.name)), h("span", {}, one.doc), h("code", {}, one.name)),
    h("span", { class: "control" }, control, changed ? h("span", { class: "quiet" }, `default: ${one.default === "" ? "empty" : one.default}`) : null));
}

// --- mails, a new beginning, an import

export async function refreshOutbox() {
  const mails = await api("GET", "/outbox");
  show($("outbox"), JSON.stringify(mails.slice(-20)) + mails.length, () => {
    if (!mails.length) return h("p", { class: "empty" }, "No mail yet. A sync should send none.");
    return [h("p", {}, `${many(mails.length, "mail")}, the newest first`), h("ul", { class: "plainlist lined" }, mails.slice(-20).reverse().map((mail) => h("li", {},
      h("details", {}, h("summary", {}, h("b", {}, mail.subject || mail.kind || "Mail"), ` to ${[mail.to ?? mail.email ?? "?"].flat().map((end) => end?.address ?? end).join(", ")} `, h("span", { class: "quiet" }, mail.at ? ago(mail.at) : "")), h("pre", { class: "json" }, JSON.stringify(mail, null, 2))))))];
  });
}

export function beginning(overview) {
  const seed = h("input", { type: "number", min: 0, value: overview.seed });
  let sure = false;
  const button = h("button", { class: "bad" }, "Begin again");
  $("reset").append(h("form", { class: "fields", onsubmit: async (event) => {
    event.preventDefault();
    if (!sure) {
      sure = true;
      button.textContent = "Really forget everything?";
      return;
    }
    sure = false;
    button.textContent = "Begin again";
    kept.happened = [];
    await doing(() => api("POST", "/reset", { seed: Number(seed.value) }), "A new world.");
  } }, h("p", { class: "quiet" }, "New people and tickets in all systems; calls, disturbances, switches and mails are forgotten. The same seed makes the same world."),
  h("div", { class: "row" }, h("label", {}, h("span", { class: "label" }, "Seed"), seed), button)));
}

export function bringIn(overview) {
  if (!has(overview, "POST /import")) return;
  const file = h("input", { type: "file", accept: ".csv,text/csv,text/plain", required: true });
  const to = h("select", {}, [["gorgias", "Gorgias"], ["gorgias,hubspot", "Gorgias and HubSpot"], ["gorgias,hubspot,erp", "all three"]].map(([value, word]) => h("option", { value }, word)));
  $("bring-in").append(h("form", { class: "fields", onsubmit: (event) => {
    event.preventDefault();
    doing(() => api("POST", `/import?to=${to.value}`, file.files[0]), (found) => `${many(found.loaded.tickets, "ticket")} of ${many(found.loaded.customers, "customer")}.`);
  } }, h("h3", {}, "Try it with your own tickets"), h("p", { class: "quiet" }, "A helpdesk's export as CSV. All systems begin again with its people; it stays on this machine."),
  h("div", { class: "row" }, h("label", { class: "grow" }, h("span", { class: "label" }, "File"), file), h("label", {}, h("span", { class: "label" }, "Into"), to), h("button", {}, "Load"))));
}

export async function refreshImport(overview) {
  if (!has(overview, "GET /import")) return;
  const result = await api("GET", "/import");
  show($("import"), JSON.stringify(result), () => {
    if (!result) return null;
    const rows = result.bad_rows;
    return [h("h3", {}, "Your export"),
      h("p", {}, `${many(result.loaded.tickets, "ticket")} of ${many(result.loaded.customers, "customer")} loaded, ${many(result.left_out, "row")} left out.`),
      rows.length ? h("details", {}, h("summary", {}, "Which rows, and why"), h("ul", { class: "plainlist" }, rows.slice(0, 200).map((one) => h("li", {}, `Line ${one.line}: ${one.reason}${one.value ? ` (${one.value})` : ""}`)))) : null];
  });
}
