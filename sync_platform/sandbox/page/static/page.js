// Starts the page and keeps it fresh: every two seconds while somebody looks, and right after whatever they did.

import { calls, refreshCalls } from "./calls.js";
import { $, Refused, api, clockTime, doing, h, now, setPresent, show, span } from "./dom.js";
import { beginning, bringIn, faultForm, refreshFaults, refreshImport, refreshOutbox, refreshSwitches, script, switchTools } from "./knobs.js";
import { person, refreshPerson } from "./person.js";
import { closeRecord } from "./record.js";
import { SYSTEMS } from "./words.js";
import { refreshSystems, systems } from "./systems.js";

const EVERY_MS = 2000;
const PACES = [[1, "real time"], [60, "1 min a second"], [3600, "1 h a second"]];
const STEPS = [["+1 min", 60, "one minute"], ["+1 h", 3600, "one hour"], ["+1 day", 86400, "one day"]];
let busy = null;
let again = false;
let ready = false;

/** Reads everything once; a second wish meanwhile is carried out afterwards. */
function refresh() {
  if (busy) {
    again = true;
    return busy;
  }
  busy = look().finally(() => {
    busy = null;
    if (again) {
      again = false;
      refresh();
    }
  });
  return busy;
}

async function look() {
  try {
    const [overview, clock] = await Promise.all([api("GET", "/overview"), api("GET", "/clock")]);
    header(overview, clock);
    if (!ready) begin(overview);
    script(overview);
    systems($("columns"), overview);
    await Promise.all([refreshSystems(), refreshPerson(), refreshCalls(overview.endpoints), refreshFaults(), refreshSwitches(), refreshOutbox(), refreshImport(overview)]);
    state(true);
  } catch (error) {
    if (error instanceof Refused) throw error;
    state(false);
  }
}

function begin(overview) {
  ready = true;
  $("steps").append(...STEPS.map(([label, seconds, word]) => h("button", {
    type: "button", "aria-label": `Move the clock on by ${word}`, onclick: () => doing(() => api("POST", "/clock", { advance_s: seconds })),
  }, label)));
  calls();
  person();
  faultForm(overview);
  switchTools();
  beginning(overview);
  bringIn(overview);
}

function header(overview, clock) {
  setPresent(clock.now, clock.rate);
  tick();
  $("ahead").textContent = `UTC${clock.offset_s >= 1 ? `, ${span(clock.offset_s)} ahead` : ""}`;
  if (clock.rate !== undefined) pace(clock.rate);
  $("seed").textContent = `seed ${overview.seed}${overview.rate_scale === 1 ? "" : ` · limits × ${overview.rate_scale}`}`;
  show($("endpoints"), JSON.stringify(overview.endpoints), () => overview.endpoints.map((name) => h("li", {}, h("code", {}, name))));
}

function pace(rate) {
  const known = PACES.some(([one]) => one === rate) ? PACES : [...PACES, [rate, `${rate} × as fast`]];
  show($("pace"), String(rate), () => {
    const control = h("select", { "aria-label": "How fast the clock runs", onchange: (event) => doing(() => api("POST", "/clock", { rate: Number(event.target.value) })) },
      known.map(([one, word]) => h("option", { value: one }, word)));
    control.value = String(rate);
    return control;
  });
}

function tick() {
  const shown = clockTime(now());
  if ($("now").textContent !== shown) $("now").textContent = shown;
}

function state(good) {
  $("gone").hidden = good;
  if ($("state").textContent !== (good ? "live" : "not there")) $("state").textContent = good ? "live" : "not there";
  $("state").classList.toggle("bad", !good);
}

/** Credentials are read only when somebody opens them. */
async function addresses() {
  const line = await api("GET", "/ready");
  const facts = Object.keys(SYSTEMS).filter((name) => line[name]).map((name) => [h("h3", {}, h("span", { class: `dot ${name}`, "aria-hidden": "true" }), SYSTEMS[name]),
    h("dl", { class: "facts mono" }, Object.entries(line[name]).map(([key, value]) => [h("dt", {}, key), h("dd", {}, String(value))]))]);
  show($("ready"), JSON.stringify(line), () => facts);
}

$("addresses").addEventListener("toggle", (event) => { if (event.target.open) doing(addresses); });
$("record").addEventListener("click", (event) => { if (event.target === $("record")) closeRecord(); });
document.addEventListener("changed", refresh);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
let width;
addEventListener("resize", () => { clearTimeout(width); width = setTimeout(refresh, 200); });
setInterval(tick, 1000);
setInterval(() => { if (!document.hidden) refresh(); }, EVERY_MS);
refresh();
