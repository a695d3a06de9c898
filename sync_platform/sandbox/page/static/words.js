// What rows, fields, disturbances and switches are called for a person.

import { words } from "./dom.js";

/** "contacts" → "contact", for one of them. */
export const oneOf = (kind) => words(kind).toLowerCase().replace(/ies$/, "y").replace(/s$/, "");
const some = (...values) => values.map(text).filter(Boolean);
export const SYSTEMS = { gorgias: "Gorgias", hubspot: "HubSpot", erp: "ERP" };
export const STAGES = { 1: "new", 2: "waiting on contact", 3: "waiting on us", 4: "closed" };

const text = (value) => (value === null || value === undefined ? "" : String(value));
const plain = (html) => new DOMParser().parseFromString(text(html), "text/html").body.textContent;

/** The fields of a row, wherever the system keeps them. */
export const values = (row) => row.properties && !Array.isArray(row.properties) ? row.properties : row;

export const idOf = (row) => text(row.id ?? row.seq ?? row.name);

export function changedAt(row) {
  return row.deleted_at || row.updated_datetime || row.updatedAt || row.updated_at || row.created_datetime || row.createdAt || row.created_at || row.at || null;
}

/** A row's heading and the line below it. */
export function title(system, kind, row) {
  const given = values(row);
  const made = TITLES[`${system}.${kind}`]?.(given, row) || [];
  const heading = made[0] || given.name || given.title || given.subject || given.label || given.type || "";
  const below = made[1] ?? some(given.email, given.status, given.url, given.state).join(" · ");
  return { heading: text(heading) || `No. ${idOf(row)}`, below: text(below) };
}

const TITLES = {
  "gorgias.customers": (row) => [row.name || row.email, some(row.email, phoneOf("gorgias", row)).join(" · ")],
  "gorgias.tickets": (row) => [row.subject || row.excerpt, some(row.trash_datetime || row.trashed_datetime ? "trashed" : row.status, row.priority, row.customer?.name || row.customer?.email).join(" · ")],
  "gorgias.messages": (row) => [plain(row.stripped_text || row.body_text || row.body_html).slice(0, 90), some(row.from_agent ? "from the team" : "from the customer", row.channel, `ticket ${row.ticket_id}`).join(" · ")],
  "gorgias.events": (row) => [words(text(row.type).replaceAll("-", " ")), some(row.object_type, row.object_id).join(" ")],
  "gorgias.surveys": (row) => [row.score ? `${"★".repeat(row.score)}${"☆".repeat(5 - row.score)}` : "No answer yet", some(row.body_text, `ticket ${row.ticket_id}`).join(" · ")],
  "gorgias.integration_calls": (row) => [row.url || row.uri || row.http?.url, some(row.trigger, row.status, row.status_code, row.error).join(" · ")],
  "hubspot.webhook_calls": (row) => [`${row.events?.length ?? 0} events to ${row.url}`, some(row.status, row.error, row.ms === undefined ? "" : `${row.ms} ms`).join(" · ")],
  "gorgias.tags": (row) => [row.name, row.description ?? ""],
  "hubspot.contacts": (row) => [some(row.firstname, row.lastname).join(" ") || row.email, some(row.email, row.phone).join(" · ")],
  "hubspot.tickets": (row) => [row.subject, some(STAGES[row.hs_pipeline_stage] || row.hs_pipeline_stage, text(row.hs_ticket_priority).toLowerCase()).join(" · ")],
  "hubspot.companies": (row) => [row.name, row.domain ?? ""],
  "hubspot.notes": (row) => [plain(row.hs_note_body).slice(0, 90), ""],
  "hubspot.owners": (row) => [some(row.firstName, row.lastName).join(" "), row.email ?? ""],
  "hubspot.properties": (row, whole) => [whole.label, `${whole.objectType} · ${whole.name} · ${whole.type}`],
  "hubspot.associations": (_, row) => [`${row.fromObjectTypeId} ${row.fromObjectId} → ${row.toObjectTypeId} ${row.toObjectId}`, `type ${row.associationTypeId}`],
  "erp.customers": (row) => [row.full_name || row.email, some(row.customer_no, row.email, row.phone).join(" · ")],
  "erp.tickets": (row) => [row.subject, some(row.ticket_no, row.status?.replaceAll("_", " "), row.priority).join(" · ")],
  "erp.changes": (row) => [`${{ I: "Added", U: "Changed", D: "Deleted" }[row.op] || row.op}: ${text(row.table_name).replace("erp_", "")} ${row.row_id}`, `no. ${row.seq}`],
};

export function phoneOf(system, row) {
  const given = values(row);
  if (system !== "gorgias") return given.phone ?? "";
  const phones = (given.channels || []).filter((channel) => channel.type === "phone");
  return (phones.find((channel) => channel.preferred) || phones[0])?.address ?? "";
}

/** What one person is called and how they are reached, in the words of no system. */
export function personOf(system, row) {
  const given = values(row);
  return {
    Name: system === "hubspot" ? some(given.firstname, given.lastname).join(" ") : text(system === "erp" ? given.full_name : given.name),
    "E-mail": text(given.email),
    Phone: text(phoneOf(system, row)),
    Company: text(given.company),
    Language: text(system === "hubspot" ? given.hs_language : given.language),
    Note: text(given.note),
  };
}

// [name, label, kind of input or choices, "new" where it is for new rows only]
const NAMES = [["firstname", "First name"], ["lastname", "Last name"]];
export const FORMS = {
  "gorgias.customers": [["name", "Name"], ["email", "E-mail", "email"], ["phone", "Phone", "tel"], ["language", "Language"], ["note", "Note", "long"]],
  "gorgias.tickets": [["customer_id", "Customer's id", "number", "new"], ["subject", "Subject"], ["text", "First message", "long", "new"], ["status", "Status", ["open", "closed"]], ["priority", "Priority", ["low", "normal", "high", "critical"]], ["tags", "Tags", "list"]],
  "gorgias.messages": [["ticket_id", "Ticket's id", "number", "new"], ["text", "Text", "long", "new"]],
  "gorgias.integration_calls": (row) => [row.url || row.uri || row.http?.url, some(row.trigger, row.status, row.status_code, row.error).join(" · ")],
  "hubspot.webhook_calls": (row) => [`${row.events?.length ?? 0} events to ${row.url}`, some(row.status, row.error, row.ms === undefined ? "" : `${row.ms} ms`).join(" · ")],
  "gorgias.tags": [["name", "Name"], ["description", "Description"]],
  "gorgias.users": [["name", "Name"], ["email", "E-mail", "email"]],
  "gorgias.surveys": [["ticket_id", "Ticket's id", "number", "new"], ["score", "Stars", [1, 2, 3, 4, 5]], ["body_text", "What they wrote", "long"]],
  "hubspot.contacts": [...NAMES, ["email", "E-mail", "email"], ["phone", "Phone", "tel"], ["company", "Company"]],
  "hubspot.tickets": [["subject", "Subject"], ["content", "Description", "long"], ["hs_pipeline_stage", "Stage", ["1", "2", "3", "4"]], ["hs_ticket_priority", "Priority", ["LOW", "MEDIUM", "HIGH", "URGENT"]], ["contact", "Contact's id", "text", "new"]],
  "hubspot.companies": [["name", "Name"], ["domain", "Domain"], ["phone", "Phone", "tel"]],
  "hubspot.notes": [["hs_note_body", "Note", "long"]],
  "erp.customers": [["full_name", "Full name"], ["first_name", "First name"], ["last_name", "Last name"], ["email", "E-mail", "email"], ["phone", "Phone", "tel"], ["company", "Company"], ["credit_status", "Credit", ["ok", "hold", "blocked"]], ["note", "Note", "long"]],
  "erp.tickets": [["customer_id", "Customer's id", "number", "new"], ["subject", "Subject"], ["first_text", "First text", "long"], ["status", "Status", ["new", "in_progress", "waiting", "resolved", "closed"]], ["priority", "Priority", ["low", "normal", "high", "critical"]], ["tags", "Tags", "list"]],
};
export const MERGES = ["gorgias.customers", "gorgias.tags", "hubspot.contacts", "hubspot.tickets", "hubspot.companies"];

/** The value that a form shows for a field. */
export function fieldValue(system, name, row) {
  const given = values(row);
  if (system === "gorgias" && name === "phone") return phoneOf("gorgias", row);
  if (name === "tags") return (given.tags || []).map((tag) => (typeof tag === "object" ? tag.name : tag)).join(", ");
  return text(given[name]);
}

export function choiceWord(name, value) {
  if (name === "hs_pipeline_stage") return STAGES[value] || value;
  return text(value).replaceAll("_", " ").toLowerCase();
}

export const FAULTS = {
  latency: "Answers come late",
  429: "Refused: too many calls (429)",
  423: "Refused: locked (423)",
  477: "Refused: being migrated (477)",
  "5xx": "Server error with an HTML page (5xx)",
  reset_before: "Connection cut before the work is done",
  reset_after: "Connection cut after the work is done",
  truncate: "Answer breaks off in the middle",
  slow: "Answer trickles in slowly",
  clock: "Clock jumps",
};

export function faultSentence(fault) {
  const until = fault.until_s ? `, until ${fault.until_s} s after it began` : "";
  const whom = fault.system === "*" || !fault.system ? "both systems" : SYSTEMS[fault.system] || fault.system;
  const path = !fault.path || fault.path === "*" ? "" : `, ${fault.method ? `${fault.method} ` : ""}${fault.path}`;
  const often = fault.times !== undefined ? `the next ${fault.times === 1 ? "call" : `${fault.times} calls`}` : fault.share !== undefined ? `${Math.round(fault.share * 1000) / 10} % of calls` : "every call";
  const detail = {
    latency: fault.p50 ? ` by ${fault.p50} ms as a rule, one in twenty by more than ${fault.p95} ms` : fault.low !== undefined && fault.high ? ` by ${fault.low} to ${fault.high} ms` : ` by ${fault.ms} ms`,
    slow: ` over ${fault.ms} ms`, clock: ` by ${fault.jump_s} s`, "5xx": ` as ${fault.status}`,
  }[fault.kind] || "";
  return `${FAULTS[fault.kind] || words(fault.kind)}${detail}: ${often} to ${whom}${path}${until}`;
}

const CAPITALS = { put: "PUT", get: "GET", post: "POST", id: "ID", iso: "ISO", neq: "NEQ", api: "API", html: "HTML", oauth: "OAuth", email: "e-mail", hmac: "HMAC" };

/** "hubspot.search_lag_s" → "Search lag (seconds)". */
export function switchName(name) {
  const parts = name.split(".").slice(1).join(" ").split(/[_\s]/);
  const unit = { s: " (seconds)", ms: " (milliseconds)" }[parts.at(-1)];
  if (unit && parts.at(-2) !== "per") parts.pop();
  else if (unit) parts.splice(-2, 2, "per second");
  return words(parts.map((part) => CAPITALS[part] || part).join(" ")) + (unit && !parts.includes("per second") ? unit : "");
}
