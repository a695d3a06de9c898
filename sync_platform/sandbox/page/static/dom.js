// Elements, calls to the sandbox, and how times and numbers are written. Text is always set as text, never as markup.

export const $ = (id) => document.getElementById(id);

/** An element with attributes; a function under `on…` listens, `false` and `null` leave an attribute out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same in SVG. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") element[name] = value;
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Replaces the children only when `key` is another one than last time: what somebody reads or types in stays. */
export function show(element, key, make) {
  if (element.dataset.shown === key) return false;
  element.dataset.shown = key;
  element.replaceChildren(...[make()].flat(2).filter(Boolean));
  return true;
}

export class Refused extends Error {}

/** One call to the control port; throws Refused with the sandbox's own words. */
export async function api(method, path, body) {
  const options = { method, headers: { accept: "application/json" } };
  if (body !== undefined) {
    options.body = body instanceof Blob ? body : JSON.stringify(body);
    options.headers["content-type"] = body instanceof Blob ? "text/csv" : "application/json";
  }
  const answer = await fetch(path, options);
  const found = await answer.json();
  if (!answer.ok) throw new Refused(found.error || `HTTP ${answer.status}`);
  return found;
}

/** Runs what a person asked for; a refusal becomes a note. */
export async function doing(work, done) {
  try {
    const found = await work();
    if (done) toast(typeof done === "function" ? done(found) : done);
    document.dispatchEvent(new Event("changed"));
    return found;
  } catch (error) {
    toast(error instanceof Refused ? error.message : "The sandbox does not answer.", true);
    return undefined;
  }
}

export function toast(text, bad = false) {
  const note = h("p", { class: bad ? "toast bad" : "toast" }, text);
  $("toasts").append(note);
  setTimeout(() => note.remove(), bad ? 8000 : 4000);
}

export const number = new Intl.NumberFormat("en").format;

export const many = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;

export function words(text) {
  const plain = String(text).replaceAll("_", " ").trim();
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

let present = Date.now();
let taken = performance.now();
let pace = 1;

/** Sets the sandbox's present; it runs on between two looks, `rate` times as fast as the wall. */
export function setPresent(iso, rate) {
  present = Date.parse(iso);
  taken = performance.now();
  pace = rate || 1;
}

export const now = () => present + (performance.now() - taken) * pace;

export function clockTime(ms) {
  return new Date(ms).toLocaleString("en-GB", {
    weekday: "short", day: "numeric", month: "short", year: "numeric",
    hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC",
  });
}

export function hour(ms) {
  return new Date(ms).toLocaleTimeString("en-GB", { timeZone: "UTC" });
}

/** "3 min ago", seen from the sandbox's clock. */
export function ago(iso) {
  const seconds = (now() - Date.parse(iso)) / 1000;
  if (Number.isNaN(seconds)) return "";
  if (seconds < 0) return "in the future";
  if (seconds < 5) return "just now";
  return `${span(seconds)} ago`;
}

export function span(seconds) {
  const units = [[86400 * 365, "year"], [86400 * 30, "month"], [86400, "day"], [3600, "h"], [60, "min"], [1, "s"]];
  const [size, unit] = units.find(([length]) => seconds >= length) || [1, "s"];
  const count = Math.floor(seconds / size);
  return `${count} ${unit}${count !== 1 && size >= 86400 ? "s" : ""}`;
}
