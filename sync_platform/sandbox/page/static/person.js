// One person side by side: who has an e-mail address in each system, and where the systems differ.

import { $, api, doing, h } from "./dom.js";
import { openRow } from "./record.js";
import { SYSTEMS, idOf, personOf, title, values } from "./words.js";

let shown = null;

export function person() {
  $("person-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = new FormData(event.target).get("q").trim();
    if (text) look(text);
  });
}

/** Looks again for the one who is shown; nobody is shown at first. */
export async function refreshPerson() {
  if (shown) put(await api("GET", `/person?email=${encodeURIComponent(shown)}`));
}

async function look(text) {
  if (/^[^@\s]+@[^@\s]+$/.test(text)) return doing(() => compare(text));
  shown = null;
  const answer = await doing(() => api("GET", `/find?q=${encodeURIComponent(text)}`));
  if (answer) $("person-answer").replaceChildren(choice(answer));
  return undefined;
}

async function compare(email) {
  shown = email;
  delete $("person-answer").dataset.shown;
  $("person-form").elements.q.value = email;
  put(await api("GET", `/person?email=${encodeURIComponent(email)}`));
}

function choice(answer) {
  const items = answer.found.flatMap(({ system, kind, rows }) => rows.map((row) => {
    const { heading, below } = title(system, kind, row);
    const email = kind === "tickets" ? "" : values(row).email;
    return h("li", {}, h("button", { type: "button", class: "item", onclick: () => (email ? compare(email) : openRow(system, kind, row)) },
      h("span", { class: "heading" }, h("span", { class: `dot ${system}`, "aria-hidden": "true" }), heading), h("span", { class: "quiet" }, `${SYSTEMS[system]} ${kind}`), h("span", { class: "below" }, below)));
  }));
  const note = answer.found.every((part) => part.complete) ? null : h("p", { class: "quiet" }, "The search ended before the last row; a longer word finds more.");
  return h("div", {}, items.length ? h("ul", { class: "rows short" }, items) : h("p", { class: "empty" }, "Nobody like that."), note);
}

function put(answer) {
  const key = JSON.stringify(answer);
  const root = $("person-answer");
  if (root.dataset.shown === key) return;
  root.replaceChildren(table(answer));
  root.dataset.shown = key;
}

function table(answer) {
  const systems = Object.keys(answer.systems);
  const people = systems.map((system) => answer.systems[system].people);
  if (people.every((found) => !found.length)) return h("p", { class: "empty" }, "No system has this address.");
  const facts = systems.map((system, place) => (people[place].length ? personOf(system, people[place][0]) : null));
  const names = ["Name", "E-mail", "Phone", "Company", "Language", "Note"].filter((name) => facts.some((fact) => fact?.[name]));
  return h("div", { class: "scroll" }, h("table", { class: "compare" },
    h("caption", { class: "hidden" }, `${answer.email} in the three systems`),
    h("thead", {}, h("tr", {}, h("td", {}), systems.map((system, place) => h("th", { scope: "col" }, h("span", { class: `dot ${system}`, "aria-hidden": "true" }), SYSTEMS[system], more(people[place]))), h("td", {}))),
    h("tbody", {},
      names.map((name) => {
        const said = verdict(name, facts.map((fact) => fact?.[name] ?? null), systems);
        return h("tr", { class: said.differs ? "differs" : null }, h("th", { scope: "row" }, name), facts.map((fact) => h("td", {}, fact ? fact[name] || "—" : h("span", { class: "quiet" }, "not there"))), h("td", { class: "verdict" }, said.text));
      }),
      h("tr", {}, h("th", { scope: "row" }, "Tickets"), systems.map((system) => h("td", {}, tickets(system, answer.systems[system].tickets))), h("td", {})),
      h("tr", {}, h("td", {}), systems.map((system, place) => h("td", {}, people[place].length ? h("button", { type: "button", onclick: () => openRow(system, answer.systems[system].kind, people[place][0]) }, "Open") : null)), h("td", {})))));
}

const more = (people) => (people.length > 1 ? h("span", { class: "badge" }, `${people.length} have it`) : null);

function tickets(system, rows) {
  if (!rows.length) return "—";
  return h("ul", { class: "plainlist" }, rows.slice(0, 5).map((row) => {
    const { heading } = title(system, "tickets", row);
    return h("li", {}, h("button", { type: "button", class: "link", "aria-label": `Ticket ${idOf(row)}: ${heading}`, onclick: () => openRow(system, "tickets", row) }, heading));
  }), rows.length > 5 ? h("li", { class: "quiet" }, `and ${rows.length - 5} more`) : null);
}

/** Whether those who have a value have the same one. Phones count by their last seven digits, the rest as written. */
function verdict(name, found, systems) {
  const there = found.filter((value) => value !== null && value !== "");
  if (there.length < 2) return { differs: false, text: there.length ? `only in ${SYSTEMS[systems[found.indexOf(there[0])]]}` : "" };
  if (new Set(there).size === 1) return { differs: false, text: "✓ same" };
  const loose = (value) => (name === "Phone" ? value.replace(/\D/g, "").slice(-7) : value.trim().toLowerCase());
  if (new Set(there.map(loose)).size === 1) return { differs: false, text: "✓ same, written otherwise" };
  return { differs: true, text: "≠ differs" };
}
