// The pages work without this. With it: what opens in place is fetched, long tables are filtered, keys move along.
"use strict";

// A form is sent once, however often the button is pressed; a page that comes back from history can send again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.hasAttribute("aria-busy")) event.preventDefault();
  else form.setAttribute("aria-busy", "true");
});
window.addEventListener("pageshow", () => {
  document.querySelectorAll("form[aria-busy]").forEach((form) => form.removeAttribute("aria-busy"));
});

// Who writes a value of their own means it.
document.addEventListener("input", (event) => {
  const picks = event.target.dataset.picks;
  const radio = picks && event.target.form.querySelector(`input[type=radio][value="${picks}"]`);
  if (radio) radio.checked = true;
});
