// One row in a dialog: its usual fields to edit, its whole JSON, and what else can be done to it.

import { $, api, doing, h, toast } from "./dom.js";
import { FORMS, MERGES, SYSTEMS, choiceWord, fieldValue, idOf, oneOf, title } from "./words.js";

export function openRow(system, kind, row) {
  const { heading, below } = title(system, kind, row);
  const id = idOf(row);
  const fields = row.deleted_at ? [] : (FORMS[`${system}.${kind}`] || []).filter((field) => field[3] !== "new");
  open(
    head(system, heading, [`${oneOf(kind)} ${id}`, below].filter(Boolean).join(" · ")),
    h("div", { class: "pair" },
      h("div", {},
        fields.length ? editor(system, kind, id, fields, row) : h("p", { class: "quiet" }, row.deleted_at ? "This row is deleted." : "Nothing of this can be edited here."),
        !row.deleted_at && FORMS[`${system}.${kind}`] ? further(system, kind, id) : null),
      h("div", {},
        h("div", { class: "row spread" }, h("h3", {}, "As the system has it"), copier(row)),
        h("pre", { class: "json", tabindex: "0", "aria-label": "The row as JSON" }, JSON.stringify(row, null, 2)))),
  );
}

export function openNew(system, kind) {
  const name = oneOf(kind);
  open(head(system, `A new ${name}`, "As a person would make it in the system's own pages."), editor(system, kind, null, FORMS[`${system}.${kind}`], {}));
}

function open(...content) {
  const dialog = $("record");
  dialog.replaceChildren(...content);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

export function closeRecord() {
  $("record").close();
}

function head(system, heading, below) {
  return h("div", { class: `row spread head ${system}` },
    h("div", {}, h("p", { class: "quiet" }, h("span", { class: "dot", "aria-hidden": "true" }), SYSTEMS[system]), h("h2", { id: "record-title" }, heading), h("p", { class: "quiet" }, below)),
    h("button", { type: "button", class: "plain", "aria-label": "Close", onclick: closeRecord }, "✕"));
}

function copier(row) {
  return h("button", { type: "button", onclick: async () => {
    await navigator.clipboard.writeText(JSON.stringify(row, null, 2));
    toast("Copied.");
  } }, "Copy");
}

function editor(system, kind, id, fields, row) {
  const inputs = fields.map(([name, label, type]) => [name, type, input(system, name, label, type, row, id === null)]);
  const other = h("input", { type: "text", autocomplete: "off", spellcheck: "false" });
  const value = h("input", { type: "text", autocomplete: "off", placeholder: '"text", 5, true, null' });
  const save = async (event) => {
    event.preventDefault();
    const set = {};
    for (const [name, type, [control]] of inputs) {
      if (control.value !== control.dataset.was) set[name] = taken(control.value, type);
    }
    if (other.value.trim()) set[other.value.trim()] = json(value.value);
    if (!Object.keys(set).length) return toast("Nothing was changed.");
    const made = await doing(() => api("POST", "/edit", { system, kind, id, set }), id === null ? "Made." : "Saved.");
    if (made) closeRecord();
    return undefined;
  };
  return h("form", { class: "fields", onsubmit: save },
    inputs.map(([, , [, element]]) => element),
    h("details", {}, h("summary", {}, "Any other field"), h("div", { class: "row" },
      h("label", { class: "grow" }, h("span", { class: "label" }, "Field"), other), h("label", { class: "grow" }, h("span", { class: "label" }, "Value (JSON)"), value))),
    h("div", { class: "row" }, h("button", { class: "main" }, id === null ? "Make it" : "Save"), h("span", { class: "quiet" }, "as a person in the system")));
}

function input(system, name, label, type, row, fresh) {
  const was = fresh ? "" : fieldValue(system, name, row);
  let control;
  if (Array.isArray(type)) {
    const known = type.map(String).includes(was);
    control = h("select", {}, known ? null : h("option", { value: was }, was || "—"), type.map((choice) => h("option", { value: String(choice) }, choiceWord(name, String(choice)))));
  } else if (type === "long") control = h("textarea", { rows: 3 });
  else control = h("input", { type: type === "number" ? "text" : type === "list" || !type ? "text" : type, inputmode: type === "number" ? "numeric" : null, autocomplete: "off" });
  control.value = was;
  control.dataset.was = control.value;
  control.name = name;
  const hint = type === "list" ? " (with commas between)" : "";
  return [control, h("label", {}, h("span", { class: "label" }, label + hint), control)];
}

function taken(text, type) {
  if (type === "list") return text.split(",").map((part) => part.trim()).filter(Boolean);
  if (type === "number" || (Array.isArray(type) && typeof type[0] === "number")) return text.trim() === "" ? null : Number(text);
  return text === "" && type !== "text" ? (Array.isArray(type) ? null : "") : text;
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function further(system, kind, id) {
  const into = h("input", { type: "text", inputmode: "numeric", autocomplete: "off", "aria-label": "Id that stays" });
  let sure = false;
  const remove = h("button", { type: "button", class: "bad", onclick: async () => {
    if (!sure) {
      sure = true;
      remove.textContent = "Really delete?";
      return;
    }
    if (await doing(() => api("POST", "/edit", { system, kind, id, set: {}, delete: true }), "Deleted.")) closeRecord();
  } }, "Delete");
  const merge = async (event) => {
    event.preventDefault();
    if (await doing(() => api("POST", "/merge", { system, kind, from: id, into: into.value.trim() }), "Merged.")) closeRecord();
  };
  return h("div", { class: "row further" }, remove,
    MERGES.includes(`${system}.${kind}`) ? h("form", { class: "row", onsubmit: merge }, h("span", {}, "Merge into no."), into, h("button", {}, "Merge")) : null);
}
