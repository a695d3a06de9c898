// A field that is chosen opens in place: its drawing is fetched and put where the other one stood.
"use strict";
(() => {
  const show = async (address, keep) => {
    const way = document.getElementById("way");
    if (!way) return location.assign(address);
    way.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(address, { headers: { accept: "text/html" } });
      const found = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("way");
      if (!answer.ok || !found) return location.assign(address);
      way.replaceWith(found);
      if (keep) history.pushState({ way: true }, "", address);
      document.getElementById("way-heading")?.focus({ preventScroll: true });
      found.scrollIntoView({ block: "start" });
    } catch {
      location.assign(address);
    }
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-way]");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    show(link.href, true);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest?.("#way form");
    if (!form) return;
    event.preventDefault();
    const address = new URL(form.action);
    address.search = new URLSearchParams(new FormData(form)).toString();
    address.hash = "way";
    show(address.href, true);
  });
  addEventListener("popstate", () => location.reload());
})();
