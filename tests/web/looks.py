"""What every page must be for everybody: read by a screen reader, told from its ground, no wider than the screen."""

from __future__ import annotations

from typing import Any

# The words with the least contrast to what is behind them, as WCAG 2 computes it, below 4.5 (large ones: 3).
PALE = """() => {
  const linear = (part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = parts(color).map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if ((parts(color)[3] ?? 1) > 0.99) return light(color);
    }
    return light("rgb(255, 255, 255)");
  };
  const found = [];
  for (const one of document.querySelectorAll("body *:not(svg *):not(script):not(option)")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const box = one.getBoundingClientRect();
    if (!own || !one.checkVisibility() || box.right < 0 || one.disabled) continue;
    const style = getComputedStyle(one);
    const [ink, behind] = [light(style.color), ground(one)];
    const ratio = (Math.max(ink, behind) + 0.05) / (Math.min(ink, behind) + 0.05);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700) ? 3 : 4.5;
    const told = `${one.tagName}.${one.className}: ${ratio.toFixed(2)} ${one.textContent.trim().slice(0, 40)}`;
    if (ratio < least) found.push(told);
  }
  return found;
}"""
# What takes part in the page and has no name that a screen reader could say.
NAMELESS = """() => {
  const named = (one) => one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || one.labels?.length
    || one.querySelector(":scope > title")?.textContent || one.textContent.trim();
  return [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, svg[role=img]")]
    .filter((one) => !named(one)).map((one) => one.outerHTML.slice(0, 120));
}"""
# Frames of a page: one heading of the first rank, landmarks, header cells that say what they head, ids used once.
SHAPE = """() => {
  const found = [];
  const count = (what) => document.querySelectorAll(what).length;
  if (count("h1") !== 1) found.push(`${count("h1")} h1`);
  if (count("main") !== 1) found.push(`${count("main")} main`);
  if (!document.documentElement.lang) found.push("no lang");
  if (document.title.length < 8) found.push("no title");
  const heads = [...document.querySelectorAll("th:not([scope])")];
  found.push(...heads.map((one) => `th without scope: ${one.textContent.trim()}`));
  const styled = [...document.querySelectorAll("[style]:not([style=''])")];
  found.push(...styled.map((one) => `style: ${one.outerHTML.slice(0, 80)}`));
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  found.push(...ids.filter((one, at) => ids.indexOf(one) !== at).map((one) => `id twice: ${one}`));
  const ranks = [...document.querySelectorAll("h1, h2, h3, h4")].map((one) => Number(one.tagName[1]));
  ranks.forEach((rank, at) => { if (at && rank > ranks[at - 1] + 1) found.push(`h${ranks[at - 1]} then h${rank}`); });
  return found;
}"""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def faults(page: Any) -> list[str]:
    """All that is wrong with how a page is made, with all of its folded parts open."""
    page.wait_for_load_state("load")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = [f"pale: {one}" for one in page.evaluate(PALE)]
    found += [f"nameless: {one}" for one in page.evaluate(NAMELESS)] + page.evaluate(SHAPE)
    wider = page.evaluate(WIDER)
    return [*found, f"{wider} px too wide"] if wider > 0 else found
