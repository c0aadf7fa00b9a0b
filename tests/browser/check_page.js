// What can be seen wrong on a page: a list of sentences, empty when all is well.
// Contrast as in WCAG 2.2 (1.4.3): 4.5, and 3 for large text; of what is drawn, transparency and all.
() => {
  const wrong = [];
  const seen = e => e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const name = e => `<${e.tagName.toLowerCase()}> "${(e.textContent || "").trim().slice(0, 40)}"`;
  const main = document.querySelector('[data-testid="stMain"]');

  // Nothing scrolls sideways but what is made for it.
  for (const e of [document.documentElement, main])
    if (e.scrollWidth > e.clientWidth) wrong.push(`scrolls sideways: ${e.scrollWidth} px`);

  // Headings: one h1, first, and no level is left out on the way down.
  const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(seen)
    .map(e => [Number(e.tagName[1]), e.textContent]);
  if (levels.filter(([n]) => n === 1).length !== 1) wrong.push(`h1: ${JSON.stringify(levels)}`);
  levels.reduce((before, [n, text]) => {
    if (n > before + 1) wrong.push(`h${n} "${text}" follows h${before}`);
    return n;
  }, 0);

  for (const e of document.images)
    if (!e.hasAttribute("alt")) wrong.push(`a picture without alt: ${e.src.slice(0, 80)}`);

  const parse = text => (text.match(/[\d.]+/g) || []).map(Number);
  const colour = text => {
    const [r, g, b, a = 1] = parse(text);
    return text.startsWith("color(srgb") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((v, k) => a * v + (1 - a) * under[k]);
  const known = new Map(); // of each element what its text is drawn on: asked for again and again
  const facts = e => {
    if (!known.has(e)) {
      const style = getComputedStyle(e);
      known.set(e, {
        box: e.getBoundingClientRect(),
        background: colour(style.backgroundColor),
        pictured: style.backgroundImage !== "none",
        opacity: Number(style.opacity),
      });
    }
    return known.get(e);
  };
  const under_all = (e, spot) => { // null where a picture lies under the text
    if (!e) return [255, 255, 255];
    const { box, background: own, pictured } = facts(e);
    const away = spot.x < box.left || spot.x > box.right || spot.y < box.top || spot.y > box.bottom;
    if (away && !e.contains(main)) // a label drawn outside of its parent
      return under_all(e.parentElement, spot);
    if (pictured) return null;
    if (own[3] === 1) return own.slice(0, 3);
    const under = under_all(e.parentElement, spot);
    return under && over(own, under);
  };
  const light = rgb => {
    const [r, g, b] = rgb.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const opacity = e => e ? facts(e).opacity * opacity(e.parentElement) : 1;
  const off = e => e.closest("[disabled], [aria-disabled=true], [inert], [aria-hidden=true]");

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = new Set();
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    const icon = e.closest('[data-testid="stIconMaterial"]'); // as graphics: 3
    if (!texts.currentNode.data.trim() || !seen(e) || off(e)) continue;
    if (["SCRIPT", "STYLE", "NOSCRIPT"].includes(e.tagName)) continue;
    const box = e.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue; // for screen readers only
    const under = under_all(e, { x: box.left + box.width / 2, y: box.top + box.height / 2 });
    if (!under) continue;
    const style = getComputedStyle(e);
    const [r, g, b, a] = colour(style.color);
    const [x, y] = [light(over([r, g, b, a * opacity(e)], under)), light(under)];
    const ratio = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const told_as = `contrast ${ratio.toFixed(2)}: ${name(e)} ${style.color} on ${under.map(Math.round)}`;
    if (ratio < (large || icon ? 3 : 4.5) && !told.has(told_as)) {
      told.add(told_as);
      wrong.push(told_as);
    }
  }
  return wrong;
}
