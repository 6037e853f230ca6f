// The keys of a tablist: arrows go round its tabs, Home and End to the first and the last, and the
// tab that is reached is taken.

export function moveByKeys(list, take = (tab) => tab.click()) {
  list.addEventListener("keydown", (event) => {
    const tabs = [...list.querySelectorAll("[role=tab]")],
      at = tabs.indexOf(event.target);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const tab = tabs[to % tabs.length];
    take(tab);
    tab.focus();
  });
}
