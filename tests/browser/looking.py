"""What every page owes every visitor: names, contrast, reach, at each width and in both themes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from browser.driving import IDLE, STALE, settle

CHECK = (Path(__file__).parent / "check_page.js").read_text(encoding="utf-8")
# A list is given only in a moment in which no run of the script is under way or being drawn.
CALM_CHECK = f"""() => document.querySelector('{IDLE}') && !document.querySelector('{STALE}')
  && [...document.images].every(image => image.complete) && ({CHECK})()"""
CONTROLS = {
    "button", "checkbox", "combobox", "link", "listbox", "radio", "searchbox", "slider",
    "spinbutton", "switch", "tab", "textbox",
}  # fmt: skip
LOOKS = ((1280, "light"), (1280, "dark"), (390, "dark"), (390, "light"))  # one change a step
LOOKS_AGAIN = 6  # half a second apart
MAIN = '[data-testid="stMain"]'
FOLDED = f"{MAIN} details:not([open]) > summary"
SCHEME = """scheme => {
  const [red] = getComputedStyle(document.querySelector('[data-testid=stApp]'))
    .backgroundColor.match(/\\d+/g).map(Number);
  return (red < 128) === (scheme === 'dark');
}"""


def look_at(page: Any, state: str) -> list[str]:
    """All that is wrong in any tab of the page, with everything unfolded, at each look."""
    wrong = []
    page.add_style_tag(content="* { transition: none !important; animation: none !important; }")
    for tab in page.get_by_role("tab").all() or [None]:
        page.set_viewport_size({"width": 1280, "height": 900})
        if tab is not None:
            tab.click()
        for folded in page.locator(FOLDED).all():
            if folded.is_visible():
                folded.click()
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function(SCHEME, arg=scheme)
            _leave(page)
            wrong += [f"{state} {width} {scheme}: {trouble}" for trouble in _lasting(page)]
    return wrong


def _lasting(page: Any) -> list[str]:
    """What is wrong and stays wrong: after a change of theme, charts are drawn anew."""
    for _ in range(LOOKS_AGAIN):
        found = page.wait_for_function(CALM_CHECK).json_value() + _unnamed(page)
        if not found:
            break
        page.wait_for_timeout(500)
    return found


def _leave(page: Any) -> None:
    """Point at nothing, so that no hint is on its way in or out."""
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_selector('[data-testid="stTooltipContent"]', state="detached")
    settle(page)


def _unnamed(page: Any) -> list[str]:
    """Controls and pictures that a screen reader would announce without a name."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    return [
        f"no name: {node['role']['value']}"
        for node in nodes
        if not node["ignored"]
        and node["role"]["value"] in CONTROLS | {"img"}
        and not node.get("name", {}).get("value", "").strip()
    ]


def unreachable(page: Any) -> list[str]:
    """Controls of the page's own part that Tab does not come to, from the top of the page."""
    wanted = page.evaluate(
        """() => {
          const main = document.querySelector('[data-testid="stMain"]');
          const kinds = 'a[href], button, input, select, textarea, summary, [role=slider]';
          const waiting = new Set([...main.querySelectorAll(kinds)].filter(e =>
            e.checkVisibility({visibilityProperty: true}) && e.tabIndex >= 0 && !e.disabled
            && !(e.type === 'radio' && !e.checked) // of a group, arrows go from one to the next
            && !e.matches('[role=radio][aria-checked=false]') && !e.closest('[inert]')));
          document.addEventListener('focusin', event => {
            waiting.delete(event.target);
            const bar = event.target.closest('[role=toolbar]'); // there, too
            for (const one of bar ? bar.querySelectorAll('button') : []) waiting.delete(one);
          });
          document.activeElement.blur();
          window.waiting = waiting;
          return waiting.size;
        }"""
    )
    for _ in range(wanted + 40):  # what is above the page's own part comes on top
        page.keyboard.press("Tab")
    left = page.evaluate("[...window.waiting].map(e => e.outerHTML.slice(0, 200))")
    return [f"Tab does not reach {e}" for e in left]
