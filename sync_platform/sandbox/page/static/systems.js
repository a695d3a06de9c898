// The three columns: what each system holds, its newest rows, a search through them.

import { ago, api, h, now, number, show, words } from "./dom.js";
import { openNew, openRow } from "./record.js";
import { FORMS, SYSTEMS, changedAt, idOf, oneOf, title } from "./words.js";

const LIMIT = 8;
const ALWAYS = 2;
const FLASH_MS = 6000;
const columns = {};

/** Makes a column for each system and keeps what the person chose in it. */
export function systems(root, overview) {
  for (const [system, facts] of Object.entries(overview.systems)) {
    if (!columns[system]) root.append((columns[system] = column(system)).element);
    const { tabs, state, address } = columns[system];
    if (!facts.kinds.some((entry) => entry.kind === state.kind)) state.kind = facts.kinds[0]?.kind;
    address.textContent = facts.url || "";
    address.title = facts.url || "";
    const key = JSON.stringify([facts.kinds, state.kind]);
    const focused = document.activeElement?.closest?.(`[data-tabs="${system}"]`) ? document.activeElement.dataset.kind : null;
    if (show(tabs, key, () => tabsOf(system, facts.kinds)) && focused) {
      tabs.querySelector(`[data-kind="${focused}"]`)?.focus();
    }
  }
}

/** Reads the chosen rows of every column again. */
export async function refreshSystems() {
  await Promise.all(Object.keys(columns).map(load));
}

function column(system) {
  const state = { kind: null, text: "", offset: 0, order: "changed", seen: new Map(), key: "" };
  const parts = {
    state,
    address: h("span", { class: "quiet address" }),
    tabs: h("div", { class: "tabs", role: "group", "aria-label": `Kinds of ${SYSTEMS[system]}`, "data-tabs": system }),
    rows: h("ul", { class: "rows" }),
    foot: h("div", { class: "row spread foot" }),
  };
  let typing;
  const search = h("input", {
    type: "search", placeholder: "Search", "aria-label": `Search in ${SYSTEMS[system]}`,
    oninput: (event) => {
      clearTimeout(typing);
      typing = setTimeout(() => choose(system, { text: event.target.value.trim(), offset: 0 }), 250);
    },
  });
  const order = h("select", { "aria-label": "Order", onchange: (event) => choose(system, { order: event.target.value, offset: 0 }) },
    h("option", { value: "changed" }, "last change"), h("option", { value: "new" }, "newest"));
  parts.add = h("button", { type: "button", onclick: () => openNew(system, state.kind) }, "New …");
  parts.element = h("section", { class: `card column ${system}`, "aria-label": SYSTEMS[system] },
    h("div", { class: "row spread" }, h("h3", {}, h("span", { class: "dot", "aria-hidden": "true" }), SYSTEMS[system]), parts.address),
    parts.tabs, h("div", { class: "row tools" }, search, order, parts.add), parts.rows, parts.foot);
  return parts;
}

/** A button for each kind that holds something, the first ones always; what is empty is in a list. */
function tabsOf(system, kinds) {
  const { state } = columns[system];
  const plain = kinds.filter((entry, place) => place < ALWAYS || entry.live || entry.deleted || entry.kind === state.kind);
  const others = kinds.filter((entry) => !plain.includes(entry));
  const list = h("select", { "aria-label": `Other kinds of ${SYSTEMS[system]}`, onchange: (event) => choose(system, { kind: event.target.value, offset: 0 }) },
    h("option", { value: "" }, `${others.length} empty …`), others.map((entry) => h("option", { value: entry.kind }, words(entry.kind).toLowerCase())));
  return [...plain.map((entry) => tab(system, entry)), others.length ? list : null];
}

function tab(system, entry) {
  const chosen = columns[system].state.kind === entry.kind;
  const count = `${number(entry.live)}${entry.exact ? "" : "+"}`;
  const word = entry.live === 1 && entry.exact ? oneOf(entry.kind) : words(entry.kind).toLowerCase();
  const gone = entry.deleted ? `, ${number(entry.deleted)} deleted` : "";
  return h("button", {
    type: "button", class: "tab", "aria-pressed": String(chosen), "data-kind": entry.kind,
    title: `${count} ${word}${gone}`,
    onclick: () => choose(system, { kind: entry.kind, offset: 0 }),
  }, h("b", {}, count), " ", word);
}

function choose(system, change) {
  const { state, tabs } = columns[system];
  Object.assign(state, change);
  state.seen.clear();
  for (const button of tabs.querySelectorAll(".tab")) button.setAttribute("aria-pressed", String(button.dataset.kind === state.kind));
  load(system);
}

async function load(system) {
  const { state, rows, foot, add } = columns[system];
  if (!state.kind) return;
  const query = new URLSearchParams({ order: state.order, offset: state.offset, limit: LIMIT, q: state.text });
  const asked = `${state.kind}?${query}`;
  state.asked = asked;
  const page = await api("GET", `/rows/${system}/${asked}`);
  if (state.asked !== asked) return;
  add.hidden = !FORMS[`${system}.${state.kind}`];
  const first = state.seen.size === 0;
  const fresh = new Set();
  for (const row of page.rows) {
    const [key, body] = [idOf(row), JSON.stringify(row)];
    const known = state.seen.get(key);
    if (known?.body !== body) state.seen.set(key, { body, at: first ? 0 : Date.now() });
    if (Date.now() - state.seen.get(key).at < FLASH_MS) fresh.add(key);
  }
  const list = page.rows.map((row) => item(system, state.kind, row, fresh.has(idOf(row))));
  const key = JSON.stringify([asked, page, [...fresh], list.map((entry) => entry.textContent)]);
  const focused = rows.contains(document.activeElement) ? document.activeElement.dataset.id : null;
  if (show(rows, key, () => (list.length ? list : h("li", { class: "empty" }, state.text ? "Nothing like that." : "Nothing here yet.")))) {
    if (focused) rows.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
  }
  show(foot, JSON.stringify([page.offset, page.next, page.complete, page.rows.length]), () => pager(system, page));
}

function item(system, kind, row, fresh) {
  const { heading, below } = title(system, kind, row);
  const at = changedAt(row);
  const marks = [row.deleted_at ? "deleted" : "", row.merged_into ? `merged into ${row.merged_into}` : ""].filter(Boolean);
  return h("li", {},
    h("button", { type: "button", class: `item${fresh ? " fresh" : ""}${row.deleted_at ? " deleted" : ""}`, "data-id": idOf(row), onclick: () => openRow(system, kind, row) },
      h("span", { class: "heading" }, heading),
      at ? h("time", { class: "quiet", datetime: at }, now() - Date.parse(at) < 0 ? "" : ago(at)) : null,
      h("span", { class: "below" }, below, marks.map((mark) => h("span", { class: "badge" }, mark)))));
}

function pager(system, page) {
  const end = page.offset + page.rows.length;
  const said = page.rows.length ? `${number(page.offset + 1)} to ${number(end)}` : "";
  const turn = (label, offset, off) => h("button", { type: "button", disabled: off, onclick: () => choose(system, { offset }) }, label);
  return [
    h("span", { class: "quiet" }, said, page.complete ? "" : " · the search ended before the last row"),
    h("span", { class: "row" }, turn("← Back", Math.max(0, page.offset - LIMIT), page.offset === 0), turn("More →", page.next ?? 0, page.next === null)),
  ];
}
