/** The two tabs, after the ARIA pattern: arrows move, the hidden panel keeps its state. */

const NEXT = { ArrowRight: 1, ArrowLeft: -1 };

/** Wire the tab list; the result's `show(name)` selects "chat" or "validate". */
export function setUpTabs() {
  const tabs = [...document.querySelectorAll('[role="tab"]')];

  function select(tab, focus) {
    for (const other of tabs) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", String(chosen));
      other.tabIndex = chosen ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
    }
    if (focus) tab.focus();
  }

  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => select(tab, false));
    tab.addEventListener("keydown", (event) => {
      const step = NEXT[event.key];
      if (step) select(tabs[(index + step + tabs.length) % tabs.length], true);
    });
  });
  return { show: (name) => select(document.getElementById(`tab-${name}`), false) };
}
